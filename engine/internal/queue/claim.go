package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// slowPoll is how long a claim sleeps at most: announcements of new work may
// get lost.
const slowPoll = time.Second

// What the claim script answers instead of a time to wait.
const (
	replyNews   = -1
	replySealed = -2
)

// Claim leases up to n items to worker, whose name is for people to read. It
// waits until there is at least one, ctx ends, or the queue is sealed (ErrSealed).
// One goroutine of a process asks at a time; the others wait for their turn, so
// an idle process asks about once a second, however many workers it has.
func (q *Queue) Claim(ctx context.Context, worker string, n int) ([]*Lease, error) {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		rung := q.bell.next()
		leases, wait, err := q.claim(ctx, worker, n)
		if err != nil || len(leases) > 0 {
			return leases, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-rung:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// TryClaim is Claim for those who do not want to wait: it may return no lease.
func (q *Queue) TryClaim(ctx context.Context, worker string, n int) ([]*Lease, error) {
	leases, _, err := q.claim(ctx, worker, n)
	return leases, err
}

// claim asks once. If it gets nothing, it tells how long to wait.
func (q *Queue) claim(ctx context.Context, worker string, n int) ([]*Lease, time.Duration, error) {
	if !printable.MatchString(worker) {
		return nil, 0, fmt.Errorf("%q cannot be the name of a worker", worker)
	}
	o := q.options
	// Not to read the answer would leave items leased to nobody.
	ctx = context.WithoutCancel(ctx)
	reply, err := q.eval(ctx, claimScript, o.Lease.Microseconds(), o.Cap, o.Gap.Microseconds(), o.Crashes,
		flag(!q.outage.recent(o.Lease)), n, worker).Slice()
	if err != nil {
		return nil, 0, fmt.Errorf("claiming items: %w", err)
	}
	q.outage.reached(o.Lease)
	wait, ok := reply[0].(int64)
	if !ok {
		return nil, 0, fmt.Errorf("claiming items: redis answered %T", reply[0])
	}
	if wait == replySealed {
		return nil, 0, ErrSealed
	}
	leases, err := q.parseLeases(reply[1:])
	if err != nil {
		return nil, 0, fmt.Errorf("claiming items: %w", err)
	}
	pause := slowPoll
	if wait != replyNews {
		pause = min(pause, time.Duration(wait+1)*time.Microsecond)
	}
	return leases, pause, nil
}

// leaseFields is how many elements of the script's answer make a lease.
const leaseFields = 5

func (q *Queue) parseLeases(reply []any) ([]*Lease, error) {
	leases := make([]*Lease, 0, len(reply)/leaseFields)
	for ; len(reply) >= leaseFields; reply = reply[leaseFields:] {
		var fields [leaseFields]string
		for i := range fields {
			var err error
			if fields[i], err = text(reply[i]); err != nil {
				return nil, err
			}
		}
		attempt, err := strconv.Atoi(fields[3])
		if err != nil {
			return nil, fmt.Errorf("the attempt of a lease: %w", err)
		}
		leases = append(leases, &Lease{
			queue:   q,
			item:    Item{ID: fields[0], Group: fields[1], Body: []byte(fields[4])},
			token:   fields[2],
			attempt: attempt,
		})
	}
	q.held.add(leases...)
	return leases, nil
}
