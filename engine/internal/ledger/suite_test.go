package ledger

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/store/storetest"
	"github.com/datadis-engine/datadis/sdk"
)

// TestLedgerOnEveryStore runs what depends on the store on all of them.
func TestLedgerOnEveryStore(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s store.Store) {
		// One after the other: they share the test's CUPS, and start afresh.
		for _, scenario := range []struct {
			name string
			run  func(t *testing.T, w *world)
		}{
			{"what was recorded is there for the next process", recordAndReopen},
			{"a query that was answered is blocked for a day", blockAnswered},
			{"a query whose engine died may be asked again", crashAfterIntent},
			{"queries older than a day are forgotten", pruneQueries},
			{"all spellings of a CUPS are one book", spellings},
			{"answers may come at the same time", concurrently},
			{"an export can be imported elsewhere", exportAndImport},
		} {
			t.Run(scenario.name, func(t *testing.T) {
				must(t, s.Delete(t.Context(), keyPrefix+string(testCUPS.Key())))
				scenario.run(t, newWorld(t, s))
			})
		}
	})
}

func recordAndReopen(t *testing.T, w *world) {
	key := hourly("2026-08")
	w.record(Answer{
		Key: key, Covered: 744, Expected: 744, Hash: 42,
		Raw: &Location{3, 99}, Delivered: []string{"north", "south"},
	})
	b := w.book()
	c, known := b.Cell(key)
	if !known || c.State != Complete || c.Covered != 744 || c.Hash != 42 || c.Revision != 1 || *c.Raw != (Location{3, 99}) {
		t.Errorf("reopened, the chunk is %+v", c)
	}
	if !c.LastAnswer.Equal(w.Now()) {
		t.Errorf("answered at %v, want %v", c.LastAnswer, w.Now())
	}
	for source, want := range map[string]uint32{"north": 1, "south": 1, "west": 0} {
		if got := b.Delivered(key, source); got != want {
			t.Errorf("source %s has revision %d, want %d", source, got, want)
		}
	}
	must(t, b.Deliver(t.Context(), "west", Delivery{key, 1}))
	if got := w.book().Delivered(key, "west"); got != 1 {
		t.Errorf("the late source has revision %d, want 1", got)
	}
	if keys := w.book().Keys(); !slices.Equal(keys, []Key{key}) {
		t.Errorf("the book knows %v", keys)
	}
}

func blockAnswered(t *testing.T, w *world) {
	key := hourly("2026-09")
	q := queryFor(key, key.Month)
	w.answer(key, 1)
	answered := w.Now()
	until, blocked := w.book().Blocked(q, w.Now())
	if !blocked || !until.Equal(answered.Add(24*time.Hour)) {
		t.Errorf("after the answer: blocked %t until %v", blocked, until)
	}
	if _, blocked := w.book().Blocked(queryFor(hourly("2026-08"), key.Month), w.Now()); blocked {
		t.Error("another query is blocked, too")
	}
	w.Add(24*time.Hour - time.Second)
	if _, blocked := w.book().Blocked(q, w.Now()); !blocked {
		t.Error("free before a day has passed")
	}
	w.Add(time.Second)
	if until, blocked := w.book().Blocked(q, w.Now()); blocked || !until.IsZero() {
		t.Errorf("after a day: blocked %t until %v", blocked, until)
	}
}

func crashAfterIntent(t *testing.T, w *world) {
	q := queryFor(hourly("2026-08"), month("2026-08"))
	for range 2 {
		must(t, w.book().Intend(t.Context(), q)) // and nothing else: the engine died
		w.Add(time.Minute)
	}
	b := w.book()
	a, ok := b.Attempt(q)
	if !ok || a.Outcome != OutcomeIntended || a.Count != 2 || !a.At.Equal(w.Now().Add(-time.Minute)) {
		t.Errorf("known of the query: %+v, %t", a, ok)
	}
	if _, blocked := b.Blocked(q, w.Now()); blocked {
		t.Error("nobody knows whether the query reached Datadis, yet it is blocked")
	}
	if _, known := b.Cell(hourly("2026-08")); known {
		t.Error("an intent alone made the chunk known")
	}
	// What happened a day ago is not counted.
	w.Add(24 * time.Hour)
	must(t, w.book().Intend(t.Context(), q))
	if a, _ := w.book().Attempt(q); a.Count != 1 {
		t.Errorf("a day later the query counts %d attempts, want 1", a.Count)
	}
}

func pruneQueries(t *testing.T, w *world) {
	old, later := hourly("2026-06"), hourly("2026-07")
	w.answer(old, 1)
	w.Add(20 * time.Hour)
	w.answer(later, 1)
	w.Add(5 * time.Hour)
	w.answer(hourly("2026-08"), 1)
	b := w.book()
	if _, ok := b.Attempt(queryFor(old, old.Month)); ok {
		t.Error("a query of yesterday is still kept")
	}
	if _, ok := b.Attempt(queryFor(later, later.Month)); !ok {
		t.Error("a query of today was forgotten")
	}
	if n := len(b.QueryViews()); n != 2 {
		t.Errorf("%d queries are kept, want 2", n)
	}
}

func spellings(t *testing.T, w *world) {
	w.answer(hourly("2026-08"), 1)
	b, err := w.Open(t.Context(), "es0031000000000001bj")
	must(t, err)
	if len(b.Keys()) != 1 {
		t.Error("the short spelling in small letters opens another book")
	}
	for _, bad := range []sdk.CUPS{"", "  ", "ES\x00", "ES 1", "ESñ"} {
		if _, err := w.Open(t.Context(), bad); err == nil {
			t.Errorf("opened a book for %q", bad)
		}
	}
}

func concurrently(t *testing.T, w *world) {
	b := w.book()
	var wait sync.WaitGroup
	for i := range 12 {
		key := Key{sdk.EnergyHourly, month("2025-09") + sdk.Month(i)}
		q := queryFor(key, key.Month)
		wait.Go(func() {
			err := errors.Join(
				b.Intend(t.Context(), q),
				b.Record(t.Context(), q, Answer{Key: key, Covered: 1, Expected: 2, Hash: 1, Delivered: []string{"north"}}),
			)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	reopened := w.book()
	if n := len(reopened.Keys()); n != 12 {
		t.Errorf("%d chunks were kept, want 12", n)
	}
	for _, key := range reopened.Keys() {
		if reopened.Delivered(key, "north") != 1 {
			t.Errorf("%s lost its source", key)
		}
	}
}
