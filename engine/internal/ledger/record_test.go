package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	known := Cell{State: Partial, Covered: 500, Expected: 720, Hash: 7, Revision: 2}
	for name, c := range map[string]struct {
		cell     Cell
		covered  int
		hash     uint64
		want     Verdict
		revision uint32
	}{
		"nothing was known, nothing came":    {Cell{}, 0, 0, Nothing, 0},
		"the first content":                  {Cell{}, 10, 5, First, 1},
		"the first content after empty":      {Cell{State: Empty, Expected: 720}, 10, 5, First, 1},
		"the first content after a reset":    {Cell{Revision: 4}, 10, 5, First, 5},
		"the same again":                     {known, 500, 7, Unchanged, 2},
		"more came":                          {known, 510, 8, Changed, 3},
		"other values in as many steps":      {known, 500, 8, Changed, 3},
		"fewer steps":                        {known, 499, 8, Shrunk, 2},
		"fewer steps, hash equal by mishap":  {known, 499, 7, Shrunk, 2},
		"nothing came of what there was":     {known, 0, 0, Shrunk, 2},
		"nothing came, nothing after resets": {Cell{Revision: 4}, 0, 0, Nothing, 4},
	} {
		if got, revision := c.cell.Compare(c.covered, c.hash); got != c.want || revision != c.revision {
			t.Errorf("%s: %s, revision %d; want %s, revision %d", name, got, revision, c.want, c.revision)
		}
	}
}

func TestRecordDecidesTheState(t *testing.T) {
	t.Parallel()
	old, last, current := hourly("2026-07"), hourly("2026-08"), hourly("2026-09")
	for name, c := range map[string]struct {
		key     Key
		now     string
		covered int
		want    State
		tries   int
	}{
		"all of an old month":                 {old, "2026-09-15T12:00:00Z", 744, Complete, 6},
		"part of an old month":                {old, "2026-09-15T12:00:00Z", 700, Partial, 5},
		"nothing of an old month":             {old, "2026-09-15T12:00:00Z", 0, Empty, 5},
		"part of the current month":           {current, "2026-09-15T12:00:00Z", 300, Partial, 6},
		"nothing of the current month":        {current, "2026-09-15T12:00:00Z", 0, Empty, 6},
		"last month's rest, after nine days":  {last, "2026-09-10T20:00:00Z", 700, Partial, 6},
		"last month's rest, after ten days":   {last, "2026-09-10T22:30:00Z", 700, Partial, 5},
		"all of last month, on the first day": {last, "2026-09-01T00:00:00+02:00", 744, Complete, 6},
		"more steps than the month has":       {old, "2026-09-15T12:00:00Z", 800, Complete, 6},
		"power of the current month":          {power("2026-09"), "2026-09-15T12:00:00Z", 1, Partial, 6},
		"power of a month that may grow":      {power("2026-08"), "2026-09-09T12:00:00Z", 1, Partial, 6},
		"power of a settled month":            {power("2026-08"), "2026-09-15T12:00:00Z", 1, Complete, 6},
		"no power in a settled month":         {power("2026-08"), "2026-09-15T12:00:00Z", 0, Empty, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newMemory())
			w.now = at(c.now)
			w.record(Answer{Key: c.key, Covered: c.covered, Expected: Expected(c.key, time.Time{}), Hash: 1})
			if got := w.cell(c.key); got.State != c.want || got.Tries != c.tries {
				t.Errorf("%s with %d tries left, want %s with %d", got.State, got.Tries, c.want, c.tries)
			}
		})
	}
}

// Invariant 6.
func TestShrunkAnswerChangesNoContent(t *testing.T) {
	t.Parallel()
	w, key := newWorld(t, newMemory()), hourly("2026-07")
	w.record(Answer{Key: key, Covered: 700, Expected: 744, Hash: 1, Raw: &Location{0, 1}, Delivered: []string{"north"}})
	w.Add(25 * time.Hour)
	w.record(Answer{Key: key, Covered: 600, Expected: 744, Hash: 2, Raw: &Location{0, 2}, Delivered: []string{"south"}})
	c := w.cell(key)
	if c.Covered != 700 || c.Hash != 1 || c.Revision != 1 || c.Raw.Offset != 1 || c.State != Partial {
		t.Errorf("the shrunk answer left %+v", c)
	}
	if c.Tries != 4 || !c.LastAnswer.Equal(w.Now()) {
		t.Errorf("%d tries left and answered at %v, want 4 and now", c.Tries, c.LastAnswer)
	}
	if w.book().Delivered(key, "south") != 0 {
		t.Error("a source is said to have content that was not published")
	}
}

func TestRevisionsAndRawCopies(t *testing.T) {
	t.Parallel()
	w, key := newWorld(t, newMemory()), hourly("2026-09")
	steps := []struct {
		name     string
		answer   Answer
		revision uint32
		raw      *Location
	}{
		{"first", Answer{Covered: 100, Hash: 1, Raw: &Location{1, 10}}, 1, &Location{1, 10}},
		{"unchanged, no new copy", Answer{Covered: 100, Hash: 1}, 1, &Location{1, 10}},
		{"unchanged, copied again", Answer{Covered: 100, Hash: 1, Raw: &Location{1, 11}}, 1, &Location{1, 11}},
		{"changed", Answer{Covered: 120, Hash: 2, Raw: &Location{1, 12}}, 2, &Location{1, 12}},
		{"changed, not copied", Answer{Covered: 130, Hash: 3}, 3, nil},
	}
	for _, s := range steps {
		s.answer.Key, s.answer.Expected = key, 720
		w.Add(25 * time.Hour)
		w.record(s.answer)
		c := w.cell(key)
		same := c.Raw == s.raw || c.Raw != nil && s.raw != nil && *c.Raw == *s.raw
		if c.Revision != s.revision || !same {
			t.Errorf("%s: revision %d, raw %v; want %d, %v", s.name, c.Revision, c.Raw, s.revision, s.raw)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	old, current := hourly("2026-07"), hourly("2026-09")
	for _, c := range []struct {
		class   Class
		key     Key
		state   State
		tries   int
		blocked bool
	}{
		{Repeated, old, None, 6, true},
		{Limited, old, None, 6, false},
		{Interrupted, old, None, 6, false},
		{Unavailable, old, Failed, 5, false},
		{TimedOut, old, Failed, 5, false},
		{Unreadable, old, Failed, 5, true},
		{Rejected, old, Failed, 5, true},
		{Unauthorised, old, Refused, 5, true},
		{Other, old, Failed, 5, false},
		{Unavailable, current, Failed, 6, false},
	} {
		t.Run(c.class.String()+" "+c.key.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newMemory())
			w.fail(c.class, c.key)
			got := w.cell(c.key)
			if got.State != c.state || got.Tries != c.tries || got.Class != c.class || !got.LastAnswer.IsZero() {
				t.Errorf("the chunk is %+v", got)
			}
			if _, blocked := w.book().Blocked(queryFor(c.key, c.key.Month), w.Now()); blocked != c.blocked {
				t.Errorf("blocked %t, want %t", blocked, c.blocked)
			}
		})
	}
}

func TestFailureLowersNothing(t *testing.T) {
	t.Parallel()
	for _, class := range []Class{Repeated, Unauthorised, Unavailable, Unreadable} {
		w := newWorld(t, newMemory())
		partial, complete, empty := hourly("2026-05"), hourly("2026-06"), hourly("2026-07")
		w.record(Answer{Key: partial, Covered: 700, Expected: 744, Hash: 1, Delivered: []string{"north"}})
		w.answer(complete, 2, "north")
		w.record(Answer{Key: empty, Expected: 744})
		w.Add(25 * time.Hour)
		for _, key := range []Key{partial, complete, empty} {
			before := w.cell(key)
			w.fail(class, key)
			after := w.cell(key)
			if after.State != before.State || after.Covered != before.Covered || after.Hash != before.Hash ||
				after.Revision != before.Revision || !after.LastAnswer.Equal(before.LastAnswer) {
				t.Errorf("%s made %+v of %+v", class, after, before)
			}
			if !after.LastAttempt.Equal(w.Now()) || after.Class != class {
				t.Errorf("%s left no trace on %+v", class, after)
			}
		}
		if got := w.cell(complete).Tries; got != 6 {
			t.Errorf("%s cost a complete chunk a try", class)
		}
	}
}

func TestTriesEnd(t *testing.T) {
	t.Parallel()
	w, key := newWorld(t, newMemory()), hourly("2026-07")
	for range 8 {
		w.fail(Unavailable, key)
	}
	if c := w.cell(key); c.Tries != 0 || c.State != Failed {
		t.Errorf("after eight failures: %+v", c)
	}
	w.answer(key, 1)
	if c := w.cell(key); c.State != Complete || c.Class != NoError {
		t.Errorf("a late answer left %+v", c)
	}
}

func TestWriteThatFailsLeavesTheBook(t *testing.T) {
	t.Parallel()
	broken := errors.New("no disk")
	m := newMemory()
	w, key := newWorld(t, m), hourly("2026-07")
	b, q := w.book(), queryFor(hourly("2026-07"), month("2026-07"))
	must(t, b.Intend(t.Context(), q))
	m.fail = broken
	err := b.Record(t.Context(), q, Answer{Key: key, Covered: 744, Expected: 744, Hash: 1, Delivered: []string{"north"}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the store's error", err)
	}
	if c, known := b.Cell(key); known {
		t.Errorf("the book knows %+v, which the store does not", c)
	}
	m.fail = nil
	must(t, b.Record(t.Context(), q, Answer{Key: key, Covered: 744, Expected: 744, Hash: 1, Delivered: []string{"north"}}))
	if w.book().Delivered(key, "north") != 1 {
		t.Error("the name of the source was not written the second time")
	}
}

func TestRecordRefusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	b := newWorld(t, newMemory()).book()
	ok := Answer{Key: hourly("2026-07"), Covered: 1, Expected: 1, Hash: 1}
	badSource, badSeries, badYear := ok, ok, ok
	badSource.Delivered = []string{"North!"}
	badSeries.Series.Resolution = "P1Y"
	badYear.Month = month("1999-12")
	for name, a := range map[string]Answer{"source": badSource, "series": badSeries, "year": badYear} {
		if err := b.Record(t.Context(), "q", a); err == nil {
			t.Errorf("took a bad %s", name)
		}
	}
	if len(b.Keys()) != 0 {
		t.Error("something was kept")
	}
}

func TestAnswerKnowsWhenItCame(t *testing.T) {
	t.Parallel()
	w, key := newWorld(t, newMemory()), hourly("2026-07")
	came := w.Now().Add(-10 * time.Minute)
	w.record(Answer{Key: key, Covered: 1, Expected: 744, Hash: 1, At: came})
	q := queryFor(key, key.Month)
	if until, _ := w.book().Blocked(q, w.Now()); !until.Equal(came.Add(24 * time.Hour)) {
		t.Errorf("blocked until %v, want a day after the answer", until)
	}
}

// What the store keeps of a time is whole seconds, and never lets a query be
// repeated before its time is over.
func TestNothingIsAskedAMomentTooEarly(t *testing.T) {
	t.Parallel()
	w, key := newWorld(t, newMemory()), hourly("2026-09")
	w.Add(900 * time.Millisecond)
	answered := w.Now()
	w.answer(key, 1)
	w.Add(24*time.Hour - time.Millisecond)
	q := queryFor(key, key.Month)
	if until, blocked := w.book().Blocked(q, w.Now()); !blocked || until.Before(answered.Add(24*time.Hour)) {
		t.Errorf("answered at %s, blocked until %s: %t", answered, until, blocked)
	}
	wants := Request{Policy: Last, Now: w.Now(), Window: Window{key.Month, key.Month}, Series: []sdk.Series{key.Series}}
	if asks := Due(w.book(), wants); len(asks) > 0 {
		t.Errorf("due already: %+v", asks)
	}
}

// An answer that is kept is found by whoever comes next, however late, until
// it is recorded.
func TestKeptAnswerWaits(t *testing.T) {
	t.Parallel()
	w, key := newWorld(t, newMemory()), hourly("2026-07")
	b, q := w.book(), queryFor(key, key.Month)
	must(t, b.Intend(t.Context(), q))
	must(t, b.Keep(t.Context(), q, Location{3, 42}))
	if until, blocked := w.book().Blocked(q, w.Now()); !blocked || until.Sub(w.Now()) != 24*time.Hour {
		t.Errorf("blocked until %s: %t", until, blocked)
	}
	w.Add(72 * time.Hour)
	w.answer(hourly("2026-06"), 1) // a write that forgets old queries
	if kept := w.book().Kept(); len(kept) != 1 || kept[q] != (Location{3, 42}) {
		t.Errorf("kept after three days: %v", kept)
	}
	must(t, w.book().Record(t.Context(), q, Answer{Key: key, Covered: 744, Expected: 744, Hash: 1}))
	if kept := w.book().Kept(); len(kept) != 0 {
		t.Errorf("kept after it was recorded: %v", kept)
	}
}
