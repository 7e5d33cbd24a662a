// Package worker leases items from a queue, hands them to a step, and does
// with them what the step says.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/queue"
)

// Step deals with one item. It must return soon after the context ends.
type Step interface {
	Handle(ctx context.Context, body []byte, attempt int) job.Verdict
}

// Pool works on one queue until the context ends.
type Pool struct {
	Queue   *queue.Queue
	Name    string // of this process, in leases
	Step    Step
	Workers int
	Drain   time.Duration     // that items in hand may take once the context has ended
	Settled func(job.Verdict) // called after each item; may be nil
	Logger  *slog.Logger

	LastWrite  time.Duration // that the end of a lease may take to be written; 10 s if zero
	CrashDelay time.Duration // before an item that made the step panic is tried again; 10 s if zero
}

// Run leases and handles items. When the context ends no more are leased, and
// those in hand are given the drain time; what is not finished then is handed
// back without penalty.
func (p *Pool) Run(ctx context.Context) {
	hands, stop := drained(ctx, p.Drain)
	defer stop()
	var group sync.WaitGroup
	for range p.Workers {
		group.Go(func() { p.work(ctx, hands) })
	}
	group.Wait()
}

// drained is a context that ends some time after ctx does, or with the returned
// function, which waits for the goroutine behind it.
func drained(ctx context.Context, after time.Duration) (context.Context, func()) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-ctx.Done():
		case <-late.Done():
			return
		}
		if wait(late, after) == nil {
			cancel(context.Cause(ctx))
		}
	})
	return late, func() {
		cancel(context.Canceled)
		watch.Wait()
	}
}

// work is one worker. It ends when the context does, or the run is over.
func (p *Pool) work(ctx, hands context.Context) {
	for ctx.Err() == nil {
		leases, err := p.Queue.Claim(ctx, p.Name, 1)
		switch {
		case ctx.Err() != nil || errors.Is(err, queue.ErrSealed):
			return
		case err != nil:
			p.Logger.Warn("cannot lease work; trying again", "error", err)
			if wait(ctx, pauseAfterError) != nil {
				return
			}
		}
		for _, lease := range leases {
			p.handle(hands, lease)
		}
	}
}

// pauseAfterError keeps a worker from pressing a Redis that is down.
const pauseAfterError = time.Second

// handle deals with one item. What goes wrong with the queue is logged here:
// the lease will lapse, and the item is handed out again.
func (p *Pool) handle(ctx context.Context, lease *queue.Lease) {
	verdict, crash := p.step(ctx, lease)
	if ctx.Err() != nil && verdict.Action == job.Retry {
		verdict.Action, verdict.Delay = job.Release, 0 // interrupted, not failed
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(p.LastWrite, lastWrite))
	defer cancel()
	if verdict.Cool > 0 {
		if err := p.Queue.Penalise(last, lease.Item().Group, verdict.Cool); err != nil {
			p.Logger.Warn("the login does not rest", "error", err)
		}
	}
	// Invariant 5: the step has returned, so whatever it did is recorded.
	switch err := p.settle(last, lease, verdict, crash); {
	case errors.Is(err, queue.ErrLost):
		p.Logger.Warn("the lease was lost; somebody else has the item", "attempt", lease.Attempt())
	case err != nil:
		lease.Abandon()
		p.Logger.Error("the item stays leased until its lease lapses", "error", err)
	case p.Settled != nil && crash == nil:
		p.Settled(verdict)
	}
}

// lastWrite is how long the end of a lease may take to be written, even when
// the process is about to stop.
const lastWrite = 10 * time.Second

// settle does with the item what the step said, or what follows from its panic.
// A Redis that is out of reach is asked again until the context ends.
func (p *Pool) settle(ctx context.Context, lease *queue.Lease, v job.Verdict, crash *panicked) error {
	end := func() error { return end(ctx, lease, v) }
	if crash != nil {
		end = func() error { return lease.Crash(ctx, cmp.Or(p.CrashDelay, crashDelay), crash.failure()) }
	} else {
		for name, n := range v.Counts {
			lease.Count(name, n)
		}
	}
	for {
		err := end()
		if err == nil || errors.Is(err, queue.ErrLost) || wait(ctx, pauseAfterError) != nil {
			return err
		}
	}
}

// end ends a lease as the verdict says.
func end(ctx context.Context, lease *queue.Lease, v job.Verdict) error {
	failure := queue.Failure{Class: v.Failure.Class, Reason: v.Failure.Reason}
	switch v.Action {
	case job.Done:
		return lease.Done(ctx)
	case job.Retry:
		return lease.Retry(ctx, v.Delay, failure)
	case job.Defer:
		return lease.Defer(ctx)
	case job.Bury:
		return lease.Bury(ctx, failure)
	case job.Release:
		return lease.Release(ctx, v.Delay)
	default:
		return fmt.Errorf("the step asks for action %d, which there is not", v.Action)
	}
}

// wait pauses, unless the context ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
