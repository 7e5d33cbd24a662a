package queue

import (
	"context"
	"fmt"
	"time"
)

// Penalise lets a group rest: for the given time nothing of it is claimed by
// anybody. A longer rest that is running stays.
func (q *Queue) Penalise(ctx context.Context, group string, rest time.Duration) error {
	if err := q.eval(ctx, penaliseScript, group, rest.Microseconds()).Err(); err != nil {
		return fmt.Errorf("letting a group rest: %w", err)
	}
	return nil
}

// Hold keeps a group from being claimed from until LetGo; its leases go on.
func (q *Queue) Hold(ctx context.Context, group string) error {
	return q.hold(ctx, group, true)
}

// LetGo ends the hold of a group. A rest that it has to take goes on.
func (q *Queue) LetGo(ctx context.Context, group string) error {
	return q.hold(ctx, group, false)
}

func (q *Queue) hold(ctx context.Context, group string, hold bool) error {
	if !printable.MatchString(group) {
		return fmt.Errorf("%q cannot be the group of an item", group)
	}
	if err := q.eval(ctx, holdScript, group, flag(hold)).Err(); err != nil {
		return fmt.Errorf("holding a group: %w", err)
	}
	return nil
}

// Pause stops the queue from handing out items; leases go on.
func (q *Queue) Pause(ctx context.Context) error {
	return q.mark(ctx, "pausing the queue", "paused")
}

// Resume ends a pause.
func (q *Queue) Resume(ctx context.Context) error {
	if err := q.client.HDel(ctx, q.keys[keyCounters], "paused").Err(); err != nil {
		return fmt.Errorf("resuming the queue: %w", err)
	}
	if err := q.client.Publish(ctx, q.channel, "work").Err(); err != nil {
		return fmt.Errorf("announcing that the queue goes on: %w", err)
	}
	return nil
}

// Close says that nobody will push more. It refuses nothing: only Seal does.
func (q *Queue) Close(ctx context.Context) error {
	return q.mark(ctx, "closing the queue", "closed")
}

func (q *Queue) mark(ctx context.Context, doing, name string) error {
	if err := q.client.HSetNX(ctx, q.keys[keyCounters], name, 1).Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// Seal ends the queue for good if every item has ended, and for Users if it was
// closed; checking and sealing are one step. If it does not seal, it says how
// many items are outstanding. Sealing again changes nothing.
func (q *Queue) Seal(ctx context.Context) (sealed bool, outstanding int64, err error) {
	reply, err := q.evalList(ctx, sealScript, flag(q.kind == Users))
	if err != nil {
		return false, 0, fmt.Errorf("sealing the queue: %w", err)
	}
	return reply[0] == 1, reply[1], nil
}

// DeferAll takes up to limit items out that wait or are delayed, as deferred to
// another run, and returns them. Those that are leased go on; call it until it
// returns nothing and nothing is leased.
func (q *Queue) DeferAll(ctx context.Context, limit int) ([]Item, error) {
	return q.deferItems(ctx, "", limit)
}

// DeferGroup is DeferAll for the items of one group.
func (q *Queue) DeferGroup(ctx context.Context, group string, limit int) ([]Item, error) {
	if !printable.MatchString(group) {
		return nil, fmt.Errorf("%q cannot be the group of an item", group)
	}
	return q.deferItems(ctx, group, limit)
}

func (q *Queue) deferItems(ctx context.Context, group string, limit int) ([]Item, error) {
	reply, err := q.eval(ctx, deferScript, limit, group).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("deferring items: %w", err)
	}
	items := make([]Item, 0, len(reply)/3)
	for ; len(reply) >= 3; reply = reply[3:] {
		items = append(items, Item{ID: reply[0], Group: reply[1], Body: []byte(reply[2])})
	}
	return items, nil
}

// Purge drops the queue of a run that is over, but for its dead items. Nothing
// may use the queue any more but Dead and Drop.
func (q *Queue) Purge(ctx context.Context) error {
	dead, err := q.client.ZCard(ctx, q.keys[keyDead]).Result()
	if err != nil {
		return fmt.Errorf("dropping the queue of run %s: %w", q.run, err)
	}
	for i, key := range q.keys {
		if dead > 0 && (i == keyFailures || i == keyDead || i == keyRecords) {
			continue
		}
		// One key at a time: unlinking costs the server nothing, wherever it lies.
		if err := q.client.Unlink(ctx, key).Err(); err != nil {
			return fmt.Errorf("dropping the queue of run %s: %w", q.run, err)
		}
	}
	return nil
}
