package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/queue"
)

// Counters are written with the end of a lease, once, and not without it.
func testCounters(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 9, MaxAttempts: 2})
	w.push(q, item("a", "g"), item("b", "g"), item("c", "g"), item("d", "g"), item("e", "g"))
	leases := w.claim(q, 5, "a", "b", "c", "d", "e")
	for i, l := range leases {
		l.Count("chunks", 10)
		l.Count("chunks", int64(i))
	}
	leases[1].Count("empty", 1)
	w.no(leases[0].Done(w.ctx))
	w.no(leases[1].Retry(w.ctx, 0, queue.Failure{Class: "busy"}))
	w.no(leases[2].Defer(w.ctx))
	w.no(leases[3].Bury(w.ctx, queue.Failure{Class: "schema"}))
	if s := w.stats(q); fmt.Sprint(s.Counters) != "map[chunks:46 empty:1]" {
		t.Errorf("counters %v", s.Counters)
	}
	w.no(leases[4].Release(w.ctx, 0))
	s := w.stats(q)
	want := queue.Stats{Enqueued: 5, Done: 1, Deferred: 1, Dead: 1, Waiting: 1, Delayed: 1, Retried: 1, Claimable: 1,
		Counters: map[string]int64{"chunks": 60, "empty": 1}}
	if fmt.Sprint(s) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

func testRetry(t *testing.T, w *world) {
	q := w.queue(queue.Options{MaxAttempts: 3})
	w.push(q, item("a", "g"))
	for attempt := 1; attempt <= 3; attempt++ {
		began := time.Now()
		l := w.eventually(q)
		if l.Attempt() != attempt {
			t.Errorf("attempt %d is called %d", attempt, l.Attempt())
		}
		if attempt > 1 && time.Since(began) < 35*time.Millisecond {
			t.Errorf("attempt %d came after %v", attempt, time.Since(began))
		}
		w.no(l.Retry(w.ctx, 40*time.Millisecond, queue.Failure{Class: "busy", Reason: fmt.Sprint("no ", attempt)}))
	}
	if s := w.stats(q); s.Dead != 1 || s.Retried != 2 {
		t.Errorf("stats %+v", s)
	}
}

// What is released is first again, and has not lost an attempt.
func testRelease(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 3})
	w.push(q, item("a", "g"), item("b", "g"), item("c", "g"))
	leases := w.claim(q, 2, "a", "b")
	w.no(leases[1].Release(w.ctx, time.Second))
	w.no(leases[0].Release(w.ctx, 0))
	l := w.claim(q, 1, "a")[0]
	if l.Attempt() != 1 {
		t.Errorf("attempt %d", l.Attempt())
	}
	if s := w.stats(q); s.Delayed != 1 || s.Retried != 0 {
		t.Errorf("stats %+v", s)
	}
	for w.stats(q).Delayed > 0 {
		_, err := q.Tick(w.ctx)
		w.no(err)
	}
	w.claim(q, 2, "b", "c")
}

func testMove(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 1})
	w.push(q, item("a", "g"), item("b", "g"))
	l := w.claim(q, 5, "a")[0]
	calls := 0
	w.no(l.Move(w.ctx, func(current []byte) (string, []byte, error) {
		if calls++; calls == 1 { // somebody merges in between
			_, err := q.Merge(w.ctx, "a", becomes("g", "merged"))
			w.no(err)
		}
		return "h", append(current, " and moved"...), nil
	}))
	leases := w.claim(q, 5, "b", "a")
	if got := leases[1].Item(); got.Group != "h" || string(got.Body) != "merged and moved" {
		t.Errorf("moved to %s: %q", got.Group, got.Body)
	}
	w.no(leases[1].Done(w.ctx)) // the merge is in the body, so it is not done again
	if s := w.stats(q); s.Done != 1 || s.Waiting != 0 {
		t.Errorf("stats %+v", s)
	}
}

// A worker whose connection broke does not know whether the end of its lease
// arrived. It may repeat it.
func testRepeatedEnd(t *testing.T, w *world) {
	ends := map[string]func(l *queue.Lease) error{
		"done":    func(l *queue.Lease) error { return l.Done(w.ctx) },
		"retry":   func(l *queue.Lease) error { return l.Retry(w.ctx, time.Hour, queue.Failure{}) },
		"release": func(l *queue.Lease) error { return l.Release(w.ctx, time.Hour) },
		"bury":    func(l *queue.Lease) error { return l.Bury(w.ctx, queue.Failure{}) },
	}
	q := w.queue(queue.Options{})
	for name, end := range ends {
		w.push(q, item(name, name))
		l := w.claim(q, 1, name)[0]
		l.Count(name, 1)
		w.no(end(l))
		before := w.stats(q)
		w.no(end(l))
		if after := w.stats(q); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s twice: %+v, then %+v", name, before, after)
		}
	}
}

// Who lost its lease can do nothing to the item, and is told to stop.
func testLostLease(t *testing.T, w *world) {
	lost := w.queue(queue.Options{Lease: 30 * time.Millisecond}) // never renewed
	q := w.queue(queue.Options{})
	w.push(q, item("a", "g"))
	zombie := w.claim(lost, 1, "a")[0]
	zombie.Count("chunks", 1)
	l := w.eventually(q)
	if l.Attempt() != 2 || l.Token() == zombie.Token() {
		t.Errorf("attempt %d, token %s after %s", l.Attempt(), l.Token(), zombie.Token())
	}
	work, stop := zombie.Context(w.ctx)
	defer stop()
	w.start(lost)
	<-work.Done()
	if !errors.Is(context.Cause(work), queue.ErrLost) {
		t.Errorf("stopped with %v", context.Cause(work))
	}
	for name, err := range map[string]error{
		"done":    zombie.Done(w.ctx),
		"retry":   zombie.Retry(w.ctx, 0, queue.Failure{}),
		"defer":   zombie.Defer(w.ctx),
		"bury":    zombie.Bury(w.ctx, queue.Failure{}),
		"release": zombie.Release(w.ctx, 0),
		"move":    zombie.Move(w.ctx, becomes("h", "x")),
	} {
		if !errors.Is(err, queue.ErrLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := w.stats(q); s.Leased != 1 || s.Reclaimed != 1 || len(s.Counters) != 0 {
		t.Errorf("stats %+v", s)
	}
	w.no(l.Done(w.ctx))
	late, stop := l.Context(w.ctx)
	defer stop()
	if late.Err() == nil {
		t.Error("a context of an ended lease goes on")
	}
}

// A lease that is renewed outlives its time by far.
func testRenewal(t *testing.T, w *world) {
	const lease = 120 * time.Millisecond
	q, other := w.queue(queue.Options{Lease: lease}), w.queue(queue.Options{Lease: lease})
	w.start(q)
	w.push(q, item("a", "g"))
	l := w.eventually(q)
	work, stop := l.Context(w.ctx)
	defer stop()
	patience, cancel := context.WithTimeout(w.ctx, 5*lease)
	defer cancel()
	if leases, err := other.Claim(patience, "other", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another worker got %v, %v", leases, err)
	}
	if work.Err() != nil {
		t.Errorf("the work was stopped: %v", context.Cause(work))
	}
	w.no(l.Done(w.ctx))
}

// An item whose workers stop is given up after three of them.
func testPoison(t *testing.T, w *world) {
	q := w.queue(queue.Options{Lease: 20 * time.Millisecond})
	w.push(q, item("a", "g"))
	for attempt := 1; attempt <= 3; attempt++ {
		if l := w.eventually(q); l.Attempt() != attempt {
			t.Fatalf("attempt %d is called %d", attempt, l.Attempt())
		}
	}
	for w.stats(q).Dead == 0 && w.ctx.Err() == nil {
		_, err := q.Tick(w.ctx)
		w.no(err)
	}
	dead, err := q.Dead(w.ctx, queue.DeadFilter{Class: "crash"})
	w.no(err)
	if len(dead) != 1 || dead[0].Crashes != 3 || dead[0].Attempts != 0 || len(dead[0].History) != 3 {
		t.Errorf("dead %+v", dead)
	}
	if s := w.stats(q); s.Reclaimed != 3 || s.Outstanding() != 0 {
		t.Errorf("stats %+v", s)
	}
}
