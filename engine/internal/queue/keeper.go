package queue

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// tickEvery is how often each process moves on what time has made due. A
	// claim does so too; ticks are for queues that nobody claims from.
	tickEvery = 5 * time.Second
	// tickMost bounds the items that one tick moves, and those it looks at.
	tickMost = 100
	// renewAtOnce bounds how long one renewal keeps the server busy.
	renewAtOnce = 500
)

// Run renews the leases of this process, listens for new work, and ticks, until
// ctx ends. A process that claims needs one Run for each queue; it has to go on
// until the last lease has ended, also while the process drains.
func (q *Queue) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { q.listen(ctx) })
	wg.Go(func() {
		every(ctx, func() time.Duration { return q.options.Lease / 3 }, func() {
			if err := q.renew(ctx); err != nil && ctx.Err() == nil {
				q.options.Log.WarnContext(ctx, "leases could not be renewed",
					slog.String("run", q.run), slog.String("queue", string(q.kind)), slog.Any("error", err))
			}
		})
	})
	wg.Go(func() {
		// Jitter keeps processes that started together from ticking together.
		every(ctx, func() time.Duration { return tickEvery/2 + rand.N(tickEvery) }, func() {
			if _, err := q.Tick(ctx); err != nil && ctx.Err() == nil {
				q.options.Log.WarnContext(ctx, "the queue could not be tended",
					slog.String("run", q.run), slog.String("queue", string(q.kind)), slog.Any("error", err))
			}
		})
	})
	wg.Wait()
}

// every calls do again and again, after a pause each time, until ctx ends.
func every(ctx context.Context, pause func() time.Duration, do func()) {
	for {
		timer := time.NewTimer(pause())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			do()
		}
	}
}

// listen wakes waiting claims when work is announced.
func (q *Queue) listen(ctx context.Context) {
	sub := q.client.Subscribe(ctx, q.channel)
	defer func() { _ = sub.Close() }() // nothing is lost with it
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-messages:
			if !open {
				return
			}
			q.bell.ring()
		}
	}
}

// renew prolongs all leases of this process, and closes those that are lost.
// It asks Redis even if there are none: the answer says that it can be reached.
func (q *Queue) renew(ctx context.Context) error {
	leases := q.held.all()
	for first := true; first || len(leases) > 0; first = false {
		n := min(len(leases), renewAtOnce)
		args := []any{q.options.Lease.Microseconds()}
		for _, l := range leases[:n] {
			args = append(args, l.item.ID, l.token)
		}
		kept, err := q.evalList(ctx, renewScript, args...)
		if err != nil {
			return fmt.Errorf("renewing leases: %w", err)
		}
		q.outage.reached(q.options.Lease)
		for i, l := range leases[:min(n, len(kept))] {
			if kept[i] == 0 {
				q.held.remove(l)
				l.close(ErrLost)
			}
		}
		leases = leases[n:]
	}
	return nil
}

// Tick moves on what time has made due: delayed items, and those whose worker
// stopped. It also looks at some items, others each time, and puts back those
// that a damaged server lost. It returns how many items it moved.
func (q *Queue) Tick(ctx context.Context) (int, error) {
	moved, err := q.evalInt(ctx, tickScript, q.options.Crashes, flag(!q.outage.recent(q.options.Lease)), tickMost)
	if err != nil {
		return 0, fmt.Errorf("tending the queue: %w", err)
	}
	q.outage.reached(q.options.Lease)
	q.mu.Lock()
	cursor := q.cursor
	q.mu.Unlock()
	repaired, next, err := q.repair(ctx, cursor)
	if err != nil {
		return int(moved), err
	}
	q.mu.Lock()
	q.cursor = next
	q.mu.Unlock()
	return int(moved) + repaired, nil
}

// Repair looks at all items once, as ticks do bit by bit, and returns how many
// it put back.
func (q *Queue) Repair(ctx context.Context) (int, error) {
	total := 0
	for cursor := uint64(0); ; {
		n, next, err := q.repair(ctx, cursor)
		total += n
		if err != nil || next == 0 {
			return total, err
		}
		cursor = next
	}
}

// repair looks at about tickMost items from cursor on.
func (q *Queue) repair(ctx context.Context, cursor uint64) (repaired int, next uint64, err error) {
	fields, next, err := q.client.HScan(ctx, q.keys[keyStates], cursor, "", tickMost).Result()
	if err != nil {
		return 0, 0, fmt.Errorf("looking for lost items: %w", err)
	}
	var live []any
	for pair := range slices.Chunk(fields, 2) {
		if id, state := pair[0], pair[1]; state[0] == 'w' || state[0] == 'l' || state[0] == 'y' {
			live = append(live, id)
		}
	}
	if len(live) == 0 {
		return 0, next, nil
	}
	n, err := q.evalInt(ctx, repairScript, live...)
	if err != nil {
		return 0, 0, fmt.Errorf("putting lost items back: %w", err)
	}
	return int(n), next, nil
}

// leases are those that this process holds.
type leases struct {
	mu  sync.Mutex
	set map[*Lease]struct{}
}

func (s *leases) add(leases ...*Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set == nil {
		s.set = make(map[*Lease]struct{})
	}
	for _, l := range leases {
		s.set[l] = struct{}{}
	}
}

func (s *leases) remove(l *Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.set, l)
}

func (s *leases) all() []*Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Lease, 0, len(s.set))
	for l := range s.set {
		all = append(all, l)
	}
	return all
}

// bell wakes all who wait for it.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// next is closed when the bell rings next.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// outage notices that this process did not reach Redis for so long that leases
// lapsed though their workers live. For one lease period after that, which
// gives all of them the time to renew, it takes nothing back.
type outage struct {
	mu    sync.Mutex
	last  time.Time // when Redis last answered
	until time.Time // when lapsed leases mean something again
}

func (o *outage) reached(lease time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := wallTime()
	if o.silent(now, lease) {
		o.until = now.Add(lease)
	}
	o.last = now
}

func (o *outage) recent(lease time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := wallTime()
	return now.Before(o.until) || o.silent(now, lease)
}

// silent tells whether more than one renewal is overdue.
func (o *outage) silent(now time.Time, lease time.Duration) bool {
	return !o.last.IsZero() && now.Sub(o.last) > lease*2/3
}

// wallTime is the time as the server's clock has it: the monotonic clock stands
// still while a machine sleeps, and leases do not.
func wallTime() time.Time { return time.Now().Round(0) }
