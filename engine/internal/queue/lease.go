package queue

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Lease is an item that was handed out. It ends with the first of Done, Retry,
// Crash, Defer, Bury, Release and Move that succeeds; after that, and after any of
// them returned ErrLost, it is of no more use. One that failed otherwise can be
// repeated; who does not must Abandon the lease, or it is renewed for ever.
type Lease struct {
	queue   *Queue
	item    Item
	token   string
	attempt int

	mu      sync.Mutex // guards what follows
	counts  map[string]int64
	cancels []context.CancelCauseFunc
	over    bool // ended or lost
}

// Failure says why an attempt failed. Class is a short code to select by, and
// Reason is for people. Neither may hold anything secret or personal.
type Failure struct {
	Class  string
	Reason string
}

// Item is what is to be done, as it was when it was claimed.
func (l *Lease) Item() Item { return l.item }

// Body is the item's body, as it was when it was claimed.
func (l *Lease) Body() []byte { return l.item.Body }

// Attempt counts the attempts, from 1: those that failed, those whose worker
// crashed, and this one.
func (l *Lease) Attempt() int { return l.attempt }

// Token is unique among the leases of the queue, and names the worker.
func (l *Lease) Token() string { return l.token }

// Count adds n to a named counter of the queue. The counters are written in the
// same step as the end of the lease, and not at all if the lease is lost.
func (l *Lease) Count(name string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = make(map[string]int64)
	}
	l.counts[name] += n
}

// Context is a context to work in: it ends with parent, with the lease, and
// when Redis says that the lease is lost; then its cause is ErrLost. That Redis
// does not answer is no reason to stop.
func (l *Lease) Context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		cancel(ErrLost)
	} else {
		l.cancels = append(l.cancels, cancel)
	}
	return ctx, func() { cancel(context.Canceled) }
}

// Done ends an item that needs nothing more.
func (l *Lease) Done(ctx context.Context) error {
	return l.end(ctx, "done", endScript, "d", "", "")
}

// Defer ends an item for this run: another run has to do it.
func (l *Lease) Defer(ctx context.Context) error {
	return l.end(ctx, "deferred", endScript, "f", "", "")
}

// Bury ends an item that cannot be done: it goes to the dead items.
func (l *Lease) Bury(ctx context.Context, why Failure) error {
	return l.end(ctx, "dead", endScript, "x", clean(why.Class, maxClass), clean(why.Reason, maxReason))
}

// Retry ends a failed attempt. The item comes back after the delay, or is dead
// if it has failed too often.
func (l *Lease) Retry(ctx context.Context, delay time.Duration, why Failure) error {
	return l.end(ctx, "to be tried again", retryScript, delay.Microseconds(), l.queue.options.MaxAttempts,
		clean(why.Class, maxClass), clean(why.Reason, maxReason))
}

// Crash ends an attempt that would have killed the worker, had it not been
// caught. The item comes back after the delay, or is dead if it has killed its
// worker too often. What was counted is dropped, as it is when a worker dies.
func (l *Lease) Crash(ctx context.Context, delay time.Duration, why Failure) error {
	l.mu.Lock()
	l.counts = nil
	l.mu.Unlock()
	return l.end(ctx, "crashed", crashScript, delay.Microseconds(), l.queue.options.Crashes,
		clean(why.Class, maxClass), clean(why.Reason, maxReason))
}

// Release hands the item back as if it had not been claimed: to its old place,
// or after the delay if that is not zero.
func (l *Lease) Release(ctx context.Context, delay time.Duration) error {
	return l.end(ctx, "released", releaseScript, delay.Microseconds())
}

// Move hands the item back to wait in another group with another body, as if it
// had been pushed like that. It changes the body as Merge does, so what others
// merged meanwhile is kept.
func (l *Lease) Move(ctx context.Context, change MergeFunc) error {
	for range mergeTries {
		current, err := l.queue.body(ctx, l.item.ID)
		if err != nil {
			return fmt.Errorf("moving %s: %w", l.item.ID, err)
		}
		group, body, err := change(bytes.Clone(current))
		if err != nil {
			return fmt.Errorf("moving %s: %w", l.item.ID, err)
		}
		if err := checkNames(l.item.ID, group); err != nil {
			return err
		}
		reply, err := l.run(ctx, "moved", moveScript, group, current, body)
		if err != nil || reply != moveAgain {
			return err
		}
	}
	return fmt.Errorf("moving %s: the item changed %d times meanwhile", l.item.ID, mergeTries)
}

// Abandon gives the lease up without a word to Redis, which may be out of reach:
// it is not renewed any more, and when it has lapsed the item is handed out
// again.
func (l *Lease) Abandon() {
	l.queue.held.remove(l)
	l.close(ErrLost)
}

// What the scripts that end leases answer.
const (
	replyLost = 0
	moveAgain = 2 // move only: somebody changed the body
)

func (l *Lease) end(ctx context.Context, what string, s *redis.Script, args ...any) error {
	_, err := l.run(ctx, what, s, args...)
	return err
}

// run runs a script that ends the lease, and closes the lease if it did.
func (l *Lease) run(ctx context.Context, what string, s *redis.Script, args ...any) (int64, error) {
	all := append([]any{l.item.ID, l.token}, args...)
	reply, err := l.queue.evalInt(ctx, s, append(all, l.tally()...)...)
	if err != nil {
		return 0, fmt.Errorf("marking %s as %s: %w", l.item.ID, what, err)
	}
	if s == moveScript && reply == moveAgain {
		return reply, nil
	}
	l.queue.held.remove(l)
	if reply == replyLost {
		l.close(ErrLost)
		return 0, fmt.Errorf("marking %s as %s: %w", l.item.ID, what, ErrLost)
	}
	l.close(context.Canceled)
	return reply, nil
}

// tally lists the counters in the form in which scripts take them.
func (l *Lease) tally() []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	args := make([]any, 0, 2*len(l.counts))
	for _, name := range slices.Sorted(maps.Keys(l.counts)) {
		args = append(args, name, l.counts[name])
	}
	return args
}

// close ends the contexts of the lease.
func (l *Lease) close(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, cancel := range l.cancels {
		cancel(cause)
	}
	l.cancels = nil
}

// Longer texts than these are cut: histories are kept for many items.
const (
	maxClass  = 40
	maxReason = 400
)

// clean makes a text fit the failure log, whose lines have tabs between fields.
func clean(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
