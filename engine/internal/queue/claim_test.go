package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/queue"
)

func testPush(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 1000})
	var items []queue.Item
	for i := range 250 { // more than go into one call
		items = append(items, item(fmt.Sprintf("i%03d", i), "g"))
	}
	w.push(q, items...)
	r, err := q.Push(w.ctx, items...)
	if err != nil || r.Known != 250 || r.Added != 0 {
		t.Errorf("pushing again: %+v, %v", r, err)
	}
	leases, err := q.TryClaim(w.ctx, "worker", 300)
	w.no(err)
	if len(leases) != 250 {
		t.Fatalf("claimed %d", len(leases))
	}
	for i, l := range leases { // in the order in which they came
		if want := items[i]; l.Item().ID != want.ID || string(l.Body()) != string(want.Body) || l.Attempt() != 1 {
			t.Fatalf("lease %d is %+v, attempt %d", i, l.Item(), l.Attempt())
		}
		w.no(l.Done(w.ctx))
	}
	r, err = q.Push(w.ctx, items[0])
	if err != nil || r.Known != 1 {
		t.Errorf("pushing what is done: %+v, %v", r, err)
	}
	if s := w.stats(q); s.Enqueued != 250 || s.Done != 250 || s.Outstanding() != 0 {
		t.Errorf("stats %+v", s)
	}
}

func testNames(t *testing.T, w *world) {
	q := w.queue(queue.Options{})
	for _, bad := range []string{"", "a|b", "a b", "ñ", "a\n", strings.Repeat("x", 129)} {
		if _, err := q.Push(w.ctx, queue.Item{ID: bad, Group: "g"}); err == nil {
			t.Errorf("id %q was taken", bad)
		}
		if _, err := q.Push(w.ctx, queue.Item{ID: "i", Group: bad}); err == nil {
			t.Errorf("group %q was taken", bad)
		}
		if _, err := q.Merge(w.ctx, "i", becomes(bad, "x")); err == nil {
			t.Errorf("merge into group %q was taken", bad)
		}
		if _, err := q.TryClaim(w.ctx, bad, 1); err == nil {
			t.Errorf("worker %q was taken", bad)
		}
	}
}

// Groups take turns, however much each has waiting and in whatever order it came.
func testTurns(_ *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 10})
	w.push(q, item("a1", "a"), item("a2", "a"), item("a3", "a"), item("a4", "a"), item("b1", "b"), item("c1", "c"), item("b2", "b"))
	w.claim(q, 4, "a1", "b1", "c1", "a2")
	w.claim(q, 2, "b2", "a3")
	w.claim(q, 5, "a4")
	w.claim(q, 5)
}

// The cap of a group holds though pushes put the group back into the ring.
func testCap(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 2})
	w.push(q, item("a1", "a"), item("a2", "a"), item("a3", "a"))
	leases := w.claim(q, 5, "a1", "a2")
	w.push(q, item("a4", "a"), item("b1", "b"))
	w.claim(q, 5, "b1")
	if s := w.stats(q); s.Claimable != 0 || s.Waiting != 2 {
		t.Errorf("with group a at its cap: %+v", s)
	}
	w.no(leases[0].Done(w.ctx))
	w.claim(q, 5, "a3")
	w.no(leases[1].Retry(w.ctx, time.Hour, queue.Failure{Class: "c"}))
	w.claim(q, 5, "a4")
}

func testGap(t *testing.T, w *world) {
	const gap = 60 * time.Millisecond
	q := w.queue(queue.Options{Cap: 10, Gap: gap})
	w.push(q, item("a1", "a"), item("a2", "a"), item("a3", "a"), item("b1", "b"))
	began := time.Now()
	leases := w.claim(q, 5, "a1", "b1")
	w.no(leases[0].Done(w.ctx)) // the group leaves the ring and comes back
	for range 2 {
		l := w.eventually(q)
		w.no(l.Done(w.ctx))
	}
	if d := time.Since(began); d < 2*gap {
		t.Errorf("three claims of a group took %v", d)
	}
}

// A rest is kept while the group is not in the ring.
func testPenalise(t *testing.T, w *world) {
	const rest = 150 * time.Millisecond
	q := w.queue(queue.Options{Cap: 1})
	w.push(q, item("a1", "a"), item("a2", "a"))
	l := w.claim(q, 5, "a1")[0] // at its cap, so out of the ring
	began := time.Now()
	w.no(q.Penalise(w.ctx, "a", rest))
	w.no(q.Penalise(w.ctx, "a", time.Millisecond)) // the longer one stays
	w.push(q, item("a3", "a"))
	w.no(l.Release(w.ctx, 0))
	w.claim(q, 5)
	w.push(q, item("b1", "b"))
	w.claim(q, 5, "b1")
	if got := w.eventually(q).Item().ID; got != "a1" {
		t.Errorf("claimed %s", got)
	}
	if d := time.Since(began); d < rest {
		t.Errorf("claimed after %v", d)
	}
}

// A waiting claim is woken by new work long before it would ask again.
func testWake(t *testing.T, w *world) {
	q, other := w.queue(queue.Options{}), w.queue(queue.Options{})
	w.start(q)
	short, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := q.Claim(short, "worker", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("claiming from nothing: %v", err)
	}
	claimed := make(chan *queue.Lease)
	go func() { claimed <- w.eventually(q) }()
	w.push(other, item("a1", "a"))
	if l := <-claimed; l.Item().ID != "a1" {
		t.Errorf("claimed %s", l.Item().ID)
	}
}

func testPause(t *testing.T, w *world) {
	q := w.queue(queue.Options{})
	w.push(q, item("a1", "a"), item("a2", "a"))
	l := w.claim(q, 1, "a1")[0]
	w.no(q.Pause(w.ctx))
	w.claim(q, 1)
	if !w.stats(q).Paused {
		t.Error("not paused")
	}
	w.no(l.Done(w.ctx))
	w.no(q.Resume(w.ctx))
	w.claim(q, 1, "a2")
}

func testSeal(t *testing.T, w *world) {
	users := queue.New(w.client, queue.Users, w.run, queue.Options{})
	if sealed, _, err := users.Seal(w.ctx); sealed || err != nil {
		t.Fatalf("sealed before it was closed: %v, %v", sealed, err)
	}
	w.push(users, item("a1", "a"))
	w.no(users.Close(w.ctx))
	if sealed, left, err := users.Seal(w.ctx); sealed || left != 1 || err != nil {
		t.Fatalf("with an item waiting: %v, %d, %v", sealed, left, err)
	}
	l := w.claim(users, 1, "a1")[0]
	if sealed, left, err := users.Seal(w.ctx); sealed || left != 1 || err != nil {
		t.Fatalf("with an item leased: %v, %d, %v", sealed, left, err)
	}
	w.no(l.Done(w.ctx))
	for range 2 {
		if sealed, left, err := users.Seal(w.ctx); !sealed || left != 0 || err != nil {
			t.Fatalf("sealing: %v, %d, %v", sealed, left, err)
		}
	}
	if _, err := users.Push(w.ctx, item("a2", "a"), item("a3", "a")); !errors.Is(err, queue.ErrSealed) {
		t.Errorf("push: %v", err)
	}
	if _, err := users.Merge(w.ctx, "a1", becomes("a", "new")); !errors.Is(err, queue.ErrSealed) {
		t.Errorf("merge: %v", err)
	}
	if _, err := users.Claim(w.ctx, "worker", 1); !errors.Is(err, queue.ErrSealed) {
		t.Errorf("claim: %v", err)
	}
	if s := w.stats(users); s.Refused != 3 || !s.Sealed || !s.Closed || s.Enqueued != 1 {
		t.Errorf("stats %+v", s)
	}
	devices := w.queue(queue.Options{})
	if sealed, _, err := devices.Seal(w.ctx); !sealed || err != nil {
		t.Errorf("an empty devices queue: %v, %v", sealed, err)
	}
}

func testDeferAll(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 2})
	w.push(q, item("a1", "a"), item("a2", "a"), item("a3", "a"), item("b1", "b"))
	leases := w.claim(q, 2, "a1", "b1")
	w.no(leases[0].Retry(w.ctx, time.Hour, queue.Failure{Class: "busy"}))
	seen := map[string]string{}
	for {
		items, err := q.DeferAll(w.ctx, 2)
		w.no(err)
		if len(items) == 0 {
			break
		}
		for _, i := range items {
			seen[i.ID] = i.Group + " " + string(i.Body)
		}
	}
	want := map[string]string{"a1": "a body of a1", "a2": "a body of a2", "a3": "a body of a3"}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("deferred %v", seen)
	}
	if s := w.stats(q); s.Deferred != 3 || s.Leased != 1 {
		t.Errorf("stats %+v", s)
	}
	w.no(leases[1].Defer(w.ctx))
	if sealed, _, err := q.Seal(w.ctx); !sealed || err != nil {
		t.Errorf("sealing: %v, %v", sealed, err)
	}
}

// A held group is passed over, also by what would give it a turn again; its
// leases go on, and the others take no notice.
func testHold(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 1})
	w.push(q, item("a1", "a"), item("a2", "a"), item("b1", "b"))
	l := w.claim(q, 1, "a1")[0]
	w.no(q.Hold(w.ctx, "a"))
	w.no(q.Hold(w.ctx, "a"))
	w.no(l.Done(w.ctx))
	w.push(q, item("a3", "a"))
	w.claim(q, 3, "b1")
	if s := w.stats(q); fmt.Sprint(s.Held) != "[a]" || s.Waiting != 2 {
		t.Errorf("stats %+v", s)
	}
	w.no(q.LetGo(w.ctx, "a"))
	w.no(q.LetGo(w.ctx, "a"))
	w.no(q.LetGo(w.ctx, "nobody"))
	w.claim(q, 1, "a2")
	if s := w.stats(q); len(s.Held) != 0 {
		t.Errorf("stats %+v", s)
	}
	if q.Hold(w.ctx, "a|b") == nil {
		t.Error("a group that cannot be was held")
	}
}

// The items of a group are deferred, waiting or delayed, and no others.
func testDeferGroup(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 1})
	w.push(q, item("a1", "a"), item("a2", "a"), item("a3", "a"), item("b1", "b"), item("b2", "b"))
	leases := w.claim(q, 2, "a1", "b1")
	for _, l := range leases {
		w.no(l.Retry(w.ctx, time.Hour, queue.Failure{Class: "busy"}))
	}
	var seen []string
	for {
		items, err := q.DeferGroup(w.ctx, "a", 2)
		w.no(err)
		if len(items) == 0 {
			break
		}
		for _, i := range items {
			seen = append(seen, i.ID)
		}
	}
	slices.Sort(seen)
	if fmt.Sprint(seen) != "[a1 a2 a3]" {
		t.Errorf("deferred %v", seen)
	}
	if s := w.stats(q); s.Deferred != 3 || s.Waiting != 1 || s.Delayed != 1 {
		t.Errorf("stats %+v", s)
	}
}
