package queue_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/queue"
)

func testMergeStates(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 9, MaxAttempts: 1})
	w.push(q, item("waiting", "g"), item("done", "g"), item("deferred", "g"), item("dead", "g"), item("leased", "g"), item("delayed", "g"), item("dropped", "g"))
	leases := w.claim(q, 7, "waiting", "done", "deferred", "dead", "leased", "delayed", "dropped")
	w.no(leases[0].Release(w.ctx, 0))
	w.no(leases[1].Done(w.ctx))
	w.no(leases[2].Defer(w.ctx))
	w.no(leases[3].Retry(w.ctx, 0, queue.Failure{Class: "busy"}))
	w.no(leases[5].Release(w.ctx, time.Hour))
	w.no(leases[6].Bury(w.ctx, queue.Failure{Class: "odd"}))
	w.no(q.Drop(w.ctx, "dropped"))
	before := w.stats(q)

	for _, id := range []string{"waiting", "done", "deferred", "dead", "leased", "delayed", "dropped"} {
		state, err := q.Merge(w.ctx, id, func(current []byte) (string, []byte, error) { return "g", current, nil })
		if state != queue.Unchanged || err != nil {
			t.Errorf("%s with the same body: %v, %v", id, state, err)
		}
	}
	if after := w.stats(q); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("equal bodies changed %+v to %+v", before, after)
	}
	for id, want := range map[string]queue.MergeState{
		"new": queue.Added, "waiting": queue.Updated, "delayed": queue.Updated, "leased": queue.Marked,
		"done": queue.Reopened, "deferred": queue.Reopened, "dead": queue.Reopened, "dropped": queue.Reopened,
	} {
		state, err := q.Merge(w.ctx, id, func(current []byte) (string, []byte, error) {
			if (current == nil) != (id == "new") {
				t.Errorf("merging %s sees %q", id, current)
			}
			return "g", []byte("merged " + id), nil
		})
		if state != want || err != nil {
			t.Errorf("%s: %v, %v", id, state, err)
		}
	}
	s := w.stats(q)
	if s.Enqueued != 8 || s.Waiting != 6 || s.Leased != 1 || s.Delayed != 1 || s.Reopened != 4 || s.Done+s.Dead+s.Deferred+s.Dropped != 0 {
		t.Errorf("stats %+v", s)
	}
	got, err := q.TryClaim(w.ctx, "worker", 9)
	w.no(err)
	for _, l := range got {
		if string(l.Body()) != "merged "+l.Item().ID || l.Attempt() != 1 {
			t.Errorf("%s has %q, attempt %d", l.Item().ID, l.Body(), l.Attempt())
		}
	}
	if len(got) != 6 {
		t.Errorf("claimed %d", len(got))
	}
	failed := errors.New("no")
	if _, err := q.Merge(w.ctx, "new", func([]byte) (string, []byte, error) { return "", nil, failed }); !errors.Is(err, failed) {
		t.Errorf("a merge that fails: %v", err)
	}
}

// An item that is merged while leased comes back once, whatever its lease's end.
func testMergeLeased(t *testing.T, w *world) {
	ends := map[string]func(l *queue.Lease) error{
		"done":  func(l *queue.Lease) error { return l.Done(w.ctx) },
		"defer": func(l *queue.Lease) error { return l.Defer(w.ctx) },
		"bury":  func(l *queue.Lease) error { return l.Bury(w.ctx, queue.Failure{Class: "c"}) },
		"retry": func(l *queue.Lease) error { return l.Retry(w.ctx, 0, queue.Failure{Class: "c"}) },
		"free":  func(l *queue.Lease) error { return l.Release(w.ctx, 0) },
	}
	q := w.queue(queue.Options{Cap: 1})
	for id, end := range ends {
		w.push(q, item(id, "g"))
		l := w.claim(q, 1, id)[0]
		for i := range 2 {
			state, err := q.Merge(w.ctx, id, becomes("h", "merge "+strconv.Itoa(i)))
			if state != queue.Marked || err != nil {
				t.Fatalf("%s: %v, %v", id, state, err)
			}
		}
		w.no(end(l))
		l = w.eventually(q)
		if got := l.Item(); got.ID != id || got.Group != "h" || string(got.Body) != "merge 1" {
			t.Errorf("after %s: %+v", id, got)
		}
		w.no(l.Done(w.ctx))
		w.claim(q, 1)
	}
	if s := w.stats(q); s.Done != int64(len(ends)) || s.Reopened != 0 {
		t.Errorf("stats %+v", s)
	}
}

// A merge may put a waiting item into another group; it must not be in two.
func testMergeGroup(_ *testing.T, w *world) {
	q := w.queue(queue.Options{})
	w.push(q, item("a", "g"))
	state, err := q.Merge(w.ctx, "a", becomes("h", "x"))
	if state != queue.Updated || err != nil {
		w.t.Fatal(state, err)
	}
	l := w.claim(q, 5, "a")[0]
	if l.Item().Group != "h" {
		w.t.Errorf("group %s", l.Item().Group)
	}
	w.claim(q, 5)
}

// Many merge into the same items while workers do them: nothing is lost, and
// after the last lease somebody has seen everything.
func testConcurrentMerges(t *testing.T, w *world) {
	const items, mergers, merges = 3, 4, 12
	q := w.queue(queue.Options{Cap: items})
	w.start(q)
	var merging, working sync.WaitGroup
	for m := range mergers {
		merging.Go(func() {
			for i := range merges {
				word := fmt.Sprintf("%d-%d", m, i)
				_, err := q.Merge(w.ctx, "i"+strconv.Itoa(i%items), func(current []byte) (string, []byte, error) {
					return "g", []byte(strings.TrimSpace(string(current) + " " + word)), nil
				})
				if err != nil {
					t.Errorf("merge: %v", err)
				}
			}
		})
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 3 {
		working.Go(func() {
			for {
				leases, err := q.Claim(w.ctx, "worker", 1)
				if errors.Is(err, queue.ErrSealed) {
					return
				}
				if err != nil {
					t.Errorf("claim: %v", err)
					return
				}
				mu.Lock()
				for _, word := range strings.Fields(string(leases[0].Body())) {
					seen[word] = true
				}
				mu.Unlock()
				if err := leases[0].Done(w.ctx); err != nil {
					t.Errorf("done: %v", err)
				}
			}
		})
	}
	merging.Wait()
	for sealed := false; !sealed && w.ctx.Err() == nil; {
		var err error
		sealed, _, err = q.Seal(w.ctx)
		w.no(err)
	}
	working.Wait()
	if len(seen) != mergers*merges {
		t.Errorf("%d of %d words were seen by a worker", len(seen), mergers*merges)
	}
	if s := w.stats(q); s.Enqueued != items || s.Done != items {
		t.Errorf("stats %+v", s)
	}
}
