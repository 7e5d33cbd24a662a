package queue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Stats is a queue at one instant.
//
// Enqueued is the sum of all states: Waiting, Leased, Delayed, Done, Deferred,
// Dead and Dropped. The others count events.
type Stats struct {
	Enqueued int64 // items ever taken in
	Waiting  int64
	Leased   int64
	Delayed  int64 // to be tried again later, or released with a delay
	Done     int64
	Deferred int64 // to another run
	Dead     int64
	Dropped  int64 // dead items that somebody dropped

	Retried   int64 // failed attempts with another one to come
	Reclaimed int64 // leases that lapsed
	Reopened  int64 // items that had ended and came back
	Refused   int64 // items that came after the queue was sealed

	Claimable int64 // groups that have their turn now: what more workers could do at once
	Closed    bool
	Sealed    bool
	Paused    bool
	Held      []string // groups that nothing is claimed from, sorted

	Counters map[string]int64 // the named counters of the leases that ended
}

// Outstanding is how many items have not ended.
func (s Stats) Outstanding() int64 { return s.Waiting + s.Leased + s.Delayed }

// Stats reads the counters. It costs the same however many items there are.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	reply, err := q.eval(ctx, statsScript).Slice()
	if err != nil {
		return Stats{}, fmt.Errorf("reading the queue's counters: %w", err)
	}
	s, err := parseStats(reply)
	if err != nil {
		return Stats{}, fmt.Errorf("reading the queue's counters: %w", err)
	}
	return s, nil
}

func parseStats(reply []any) (Stats, error) {
	var s Stats
	for i, field := range []*int64{&s.Waiting, &s.Leased, &s.Delayed, &s.Claimable} {
		n, ok := reply[i].(int64)
		if !ok {
			return s, fmt.Errorf("redis answered %T where a number was expected", reply[i])
		}
		*field = n
	}
	counters, err := pairs(reply[4])
	if err != nil {
		return s, err
	}
	for name, field := range map[string]*int64{
		"enqueued": &s.Enqueued, "done": &s.Done, "deferred": &s.Deferred, "dead": &s.Dead,
		"dropped": &s.Dropped, "retried": &s.Retried, "reclaimed": &s.Reclaimed,
		"reopened": &s.Reopened, "refused": &s.Refused,
	} {
		*field = counters[name]
	}
	for name, field := range map[string]*bool{"closed": &s.Closed, "sealed": &s.Sealed, "paused": &s.Paused} {
		_, *field = counters[name]
	}
	for name := range counters {
		if group, ok := strings.CutPrefix(name, "held:"); ok {
			s.Held = append(s.Held, group)
		}
	}
	slices.Sort(s.Held)
	s.Counters, err = pairs(reply[5])
	return s, err
}

// pairs reads a hash of numbers as scripts give it: names and numbers by turns.
func pairs(reply any) (map[string]int64, error) {
	list, ok := reply.([]any)
	if !ok || len(list)%2 != 0 {
		return nil, fmt.Errorf("redis answered %T where pairs were expected", reply)
	}
	m := make(map[string]int64, len(list)/2)
	for ; len(list) > 0; list = list[2:] {
		name, err := text(list[0])
		if err != nil {
			return nil, err
		}
		number, err := text(list[1])
		if err != nil {
			return nil, err
		}
		if m[name], err = strconv.ParseInt(number, 10, 64); err != nil {
			return nil, fmt.Errorf("the counter %s: %w", name, err)
		}
	}
	return m, nil
}
