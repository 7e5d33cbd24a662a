package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/queue"
)

func ids(items []queue.DeadItem) string {
	var names []string
	for _, i := range items {
		names = append(names, i.ID)
	}
	return strings.Join(names, " ")
}

func testDead(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 9, MaxAttempts: 2})
	w.push(q, queue.Item{ID: "a", Group: "g", Body: []byte("x|y\x00z")}, item("b", "g"), item("c", "h"))
	w.no(w.claim(q, 1, "a")[0].Retry(w.ctx, 0, queue.Failure{Class: "busy", Reason: "first\tone\nof two"}))
	for _, l := range w.claim(q, 3, "c", "b", "a") {
		switch l.Item().ID {
		case "a":
			w.no(l.Retry(w.ctx, 0, queue.Failure{Class: "refused", Reason: strings.Repeat("ñ", 500)}))
		default:
			w.no(l.Bury(w.ctx, queue.Failure{Class: "schema", Reason: "unknown version"}))
		}
	}
	for want, filter := range map[string]queue.DeadFilter{
		"a":     {Class: "refused"},
		"c b":   {Class: "schema"},
		"b":     {Class: "schema", Group: "g"},
		"c":     {Limit: 1},
		"b a":   {Group: "g"},
		"c b a": {},
		"":      {ID: "zz"},
	} {
		dead, err := q.Dead(w.ctx, filter)
		if err != nil || ids(dead) != want {
			t.Errorf("%+v lists %s, %v; want %s", filter, ids(dead), err, want)
		}
	}
	dead, err := q.Dead(w.ctx, queue.DeadFilter{ID: "a"})
	w.no(err)
	a := dead[0]
	if a.Group != "g" || string(a.Body) != "x|y\x00z" || a.Attempts != 2 || a.Class != "refused" || len(a.Reason) > 410 {
		t.Errorf("dead %+v", a)
	}
	if len(a.History) != 2 || a.History[0].Reason != "first one of two" || !a.First.Before(a.Last) || time.Since(a.First) > time.Minute {
		t.Errorf("history %+v", a.History)
	}

	w.no(q.Reopen(w.ctx, "a"))
	w.no(q.Drop(w.ctx, "b"))
	for _, id := range []string{"a", "b", "zz"} {
		if err := q.Reopen(w.ctx, id); !errors.Is(err, queue.ErrNotDead) {
			t.Errorf("reopening %s: %v", id, err)
		}
		if err := q.Drop(w.ctx, id); !errors.Is(err, queue.ErrNotDead) {
			t.Errorf("dropping %s: %v", id, err)
		}
	}
	l := w.claim(q, 5, "a")[0]
	if l.Attempt() != 1 {
		t.Errorf("attempt %d", l.Attempt())
	}
	w.no(l.Bury(w.ctx, queue.Failure{Class: "again"}))
	dead, err = q.Dead(w.ctx, queue.DeadFilter{ID: "a"})
	w.no(err)
	if len(dead[0].History) != 3 {
		t.Errorf("history %+v", dead[0].History)
	}
	if s := w.stats(q); s.Dead != 2 || s.Dropped != 1 || s.Reopened != 1 {
		t.Errorf("stats %+v", s)
	}
}

// Dead items survive their run, and can then be read and dropped.
func testDeadAfterPurge(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 9})
	w.push(q, item("a", "g"), item("b", "g"))
	leases := w.claim(q, 2, "a", "b")
	w.no(leases[0].Bury(w.ctx, queue.Failure{Class: "schema"}))
	w.no(leases[1].Done(w.ctx))
	if sealed, _, err := q.Seal(w.ctx); !sealed || err != nil {
		t.Fatal(sealed, err)
	}
	if err := q.Reopen(w.ctx, "a"); !errors.Is(err, queue.ErrSealed) {
		t.Errorf("reopening in a sealed run: %v", err)
	}
	w.no(q.Purge(w.ctx))
	dead, err := q.Dead(w.ctx, queue.DeadFilter{})
	if err != nil || ids(dead) != "a" || string(dead[0].Body) != "body of a" || len(dead[0].History) != 1 {
		t.Fatalf("after the purge: %+v, %v", dead, err)
	}
	if err := q.Reopen(w.ctx, "a"); !errors.Is(err, queue.ErrSealed) {
		t.Errorf("reopening in a purged run: %v", err)
	}
	w.no(q.Drop(w.ctx, "a"))
	w.no(q.Purge(w.ctx))
	if s := w.stats(q); fmt.Sprint(s) != fmt.Sprint(queue.Stats{Counters: map[string]int64{}}) {
		t.Errorf("stats %+v", s)
	}
}

// A server that lost a key gives its items back.
func testRepair(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 1})
	w.push(q, item("a", "g"), item("b", "g"), item("c", "h"), item("d", "h"))
	leases := w.claim(q, 2, "a", "c")
	w.no(leases[1].Release(w.ctx, time.Hour))
	for _, key := range []string{"p", "g", "l", "w"} {
		w.no(w.client.Del(w.ctx, "dd:{d:"+w.run+"}:"+key).Err())
	}
	n, err := q.Repair(w.ctx)
	if n != 4 || err != nil {
		t.Errorf("repaired %d, %v", n, err)
	}
	if n, err := q.Repair(w.ctx); n != 0 || err != nil {
		t.Errorf("repaired %d again, %v", n, err)
	}
	for range 4 {
		w.no(w.eventually(q).Done(w.ctx))
	}
	if s := w.stats(q); s.Done != 4 || s.Reclaimed != 1 {
		t.Errorf("stats %+v", s)
	}
}
