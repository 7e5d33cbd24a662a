package queue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DeadItem is an item that was given up.
type DeadItem struct {
	Item
	Class    string // of the last failure
	Reason   string
	Attempts int // that failed
	Crashes  int // workers that stopped, or caught a panic, while they held it
	First    time.Time
	Last     time.Time
	History  []Attempt // in time order; of very many, the first and the latest
}

// Attempt is a failed attempt at an item.
type Attempt struct {
	At time.Time `json:"at"`
	Failure
}

// DeadFilter selects dead items: those to which all that is not empty applies.
type DeadFilter struct {
	ID    string
	Group string
	Class string
	Limit int // at most so many; 0 for all
}

func (f DeadFilter) matches(d DeadItem) bool {
	return (f.Group == "" || f.Group == d.Group) && (f.Class == "" || f.Class == d.Class)
}

// deadAtOnce bounds how much is read in one go.
const deadAtOnce = 200

// Dead lists dead items in the order in which they died. They stay, also when
// the run is purged, until they are reopened or dropped.
func (q *Queue) Dead(ctx context.Context, filter DeadFilter) ([]DeadItem, error) {
	ids := []string{filter.ID}
	if filter.ID == "" {
		var err error
		if ids, err = q.client.ZRange(ctx, q.keys[keyDead], 0, -1).Result(); err != nil {
			return nil, fmt.Errorf("listing dead items: %w", err)
		}
	}
	var dead []DeadItem
	for chunk := range slices.Chunk(ids, deadAtOnce) {
		items, err := q.readDead(ctx, chunk)
		if err != nil {
			return nil, fmt.Errorf("listing dead items: %w", err)
		}
		for _, item := range items {
			if filter.Limit > 0 && len(dead) == filter.Limit {
				return dead, nil
			}
			if filter.matches(item) {
				dead = append(dead, item)
			}
		}
	}
	return dead, nil
}

// readDead reads those of the items that are dead.
func (q *Queue) readDead(ctx context.Context, ids []string) ([]DeadItem, error) {
	records, err := q.client.HMGet(ctx, q.keys[keyRecords], ids...).Result()
	if err != nil {
		return nil, err
	}
	failures, err := q.client.HMGet(ctx, q.keys[keyFailures], ids...).Result()
	if err != nil {
		return nil, err
	}
	dead := make([]DeadItem, 0, len(ids))
	for i, id := range ids {
		record, ok := records[i].(string)
		if !ok {
			continue // reopened or dropped meanwhile
		}
		item, err := parseDead(id, record)
		if err != nil {
			return nil, err
		}
		if lines, ok := failures[i].(string); ok {
			if err := item.addHistory(lines); err != nil {
				return nil, err
			}
		}
		dead = append(dead, item)
	}
	return dead, nil
}

// parseDead reads group|attempts|crashes|body.
func parseDead(id, record string) (DeadItem, error) {
	fields := strings.SplitN(record, "|", 4)
	if len(fields) != 4 {
		return DeadItem{}, fmt.Errorf("the record of %s is damaged", id)
	}
	d := DeadItem{Item: Item{ID: id, Group: fields[0], Body: []byte(fields[3])}}
	var err error
	if d.Attempts, err = strconv.Atoi(fields[1]); err != nil {
		return d, fmt.Errorf("the attempts of %s: %w", id, err)
	}
	if d.Crashes, err = strconv.Atoi(fields[2]); err != nil {
		return d, fmt.Errorf("the crashes of %s: %w", id, err)
	}
	return d, nil
}

// addHistory reads lines of time, class and reason with tabs between.
func (d *DeadItem) addHistory(lines string) error {
	for line := range strings.Lines(lines) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		if len(fields) != 3 {
			return fmt.Errorf("the history of %s is damaged", d.ID)
		}
		at, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return fmt.Errorf("the history of %s: %w", d.ID, err)
		}
		d.History = append(d.History, Attempt{time.UnixMicro(at).UTC(), Failure{fields[1], fields[2]}})
	}
	if n := len(d.History); n > 0 {
		d.First, d.Last = d.History[0].At, d.History[n-1].At
		d.Class, d.Reason = d.History[n-1].Class, d.History[n-1].Reason
	}
	return nil
}

// Reopen lets a dead item be tried again, as if it were new; what it failed of
// stays in its history. It fails with ErrNotDead, and with ErrSealed if the run
// is over: then the item has to go to another run.
func (q *Queue) Reopen(ctx context.Context, id string) error {
	return q.endDead(ctx, "reopening", id, false)
}

// Drop forgets a dead item. It fails with ErrNotDead if there is none.
func (q *Queue) Drop(ctx context.Context, id string) error {
	return q.endDead(ctx, "dropping", id, true)
}

func (q *Queue) endDead(ctx context.Context, doing, id string, drop bool) error {
	reply, err := q.evalInt(ctx, reopenScript, id, flag(drop))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", doing, id, err)
	case reply < 0:
		return ErrSealed
	case reply == 0:
		return fmt.Errorf("%s %s: %w", doing, id, ErrNotDead)
	}
	return nil
}
