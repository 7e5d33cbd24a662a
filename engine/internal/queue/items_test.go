package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/queue"
)

func testEach(t *testing.T, w *world) {
	q := w.queue(queue.Options{Cap: 9})
	for i := range 500 { // more than one step of the walk
		w.push(q, queue.Item{ID: fmt.Sprintf("m%03d", i), Group: "many", Body: []byte("x")})
	}
	w.push(q, item("a", "g"))
	w.no(q.Penalise(w.ctx, "many", time.Hour))
	w.no(w.claim(q, 1, "a")[0].Retry(w.ctx, time.Hour, queue.Failure{Class: "busy", Reason: "later"}))
	seen := make(map[string]queue.ItemState)
	w.no(q.Each(w.ctx, func(s queue.ItemState) error {
		seen[s.ID] = s
		return nil
	}))
	if len(seen) != 501 {
		t.Fatalf("%d items were visited, want 501", len(seen))
	}
	if a := seen["a"]; a.State != "delayed" || a.Group != "g" || a.Attempts != 1 || string(a.Body) != string(item("a", "g").Body) {
		t.Errorf("a is %+v", a)
	}
	if m := seen["m123"]; m.State != "waiting" || string(m.Body) != "x" {
		t.Errorf("m123 is %+v", m)
	}
}
