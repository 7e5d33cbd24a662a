package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

func TestDuePower(t *testing.T) {
	t.Parallel()
	now := at("2026-09-15T12:00:00Z")
	for name, c := range map[string]struct {
		known     []known
		alone     []string
		validFrom string
		want      string
	}{
		"a new supply":  {want: "p:2024-10..2025-09 p:2025-10..2026-09"},
		"a young one":   {validFrom: "2026-05-10T00:00:00+02:00", want: "p:2026-05..2026-09"},
		"the daily one": {known: []known{{months: "2024-10..2026-08", state: Complete}}, want: "p:2026-09"},
		"gaps part the windows": {
			known: []known{{months: "2024-10..2026-01", state: Complete}, {months: "2026-04", state: Complete}},
			want:  "p:2026-02..2026-03 p:2026-05..2026-09",
		},
		"months of a window that failed stand alone": {
			known: []known{{months: "2024-10..2026-04", state: Complete}, {months: "2026-06..2026-07", state: Failed}},
			alone: []string{"2026-06", "2026-07"},
			want:  "p:2026-05 p:2026-06 p:2026-07 p:2026-08..2026-09",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bookWith(t, sdk.PowerMonthly, now, c.known...)
			for _, m := range c.alone {
				cell := b.cells[power(m)]
				cell.Alone = true
				b.cells[power(m)] = cell
			}
			r := Request{Policy: Last, Now: now, Series: []sdk.Series{sdk.PowerMonthly}}
			if c.validFrom != "" {
				r.ValidFrom = at(c.validFrom)
			}
			if got := show(Due(b, r)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWideWindowThatFailsIsAskedMonthByMonth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory())
	r := Request{
		Policy: Last, Now: w.Now(), Series: []sdk.Series{sdk.PowerMonthly},
		Window: Window{month("2026-06"), month("2026-08")},
	}
	for _, class := range []Class{Repeated, Limited, Interrupted, Unauthorised} {
		w.fail(class, Due(w.book(), r)[0].Keys()...)
		if w.cell(power("2026-07")).Alone {
			t.Errorf("%s has nothing to do with the number of months", class)
		}
	}
	must(t, w.store.Put(t.Context(), keyPrefix+string(testCUPS.Key()), nil, "p2606", "p2607", "p2608"))
	w.fail(TimedOut, Due(w.book(), r)[0].Keys()...)
	if got := show(Due(w.book(), r)); got != "p:2026-06 p:2026-07 p:2026-08" {
		t.Errorf("after the wide window failed, asks %q", got)
	}
	// What is asked for alone and fails does not concern its neighbours; what
	// is answered may be asked for widely again.
	w.answer(power("2026-07"), 1)
	if w.cell(power("2026-07")).Alone {
		t.Error("an answer did not end it")
	}
}

func TestDueReactive(t *testing.T) {
	t.Parallel()
	now := at("2026-09-15T12:00:00Z")
	for name, c := range map[string]struct {
		known     []known
		validFrom string
		want      string
	}{
		"a new supply":  {want: "r:2024-10..2025-10 r:2025-09..2026-09"},
		"the daily one": {known: []known{{months: "2024-10..2026-08", state: Complete}}, want: "r:2025-09..2026-09"},
		"an old month": {
			known: []known{{months: "2024-11..2026-09", state: Complete}}, want: "r:2024-10..2025-10",
		},
		"nothing":            {known: []known{{months: "2024-10..2026-09", state: Complete}}},
		"thirteen months":    {validFrom: "2025-09-20T00:00:00+02:00", want: "r:2025-09..2026-09"},
		"a young one":        {validFrom: "2026-05-10T00:00:00+02:00", want: "r:2026-05..2026-09"},
		"in its first month": {validFrom: "2026-09-10T00:00:00+02:00", want: "r:2026-09"},
	} {
		r := Request{Policy: Last, Now: now, Series: []sdk.Series{sdk.ReactiveMonthly}}
		if c.validFrom != "" {
			r.ValidFrom = at(c.validFrom)
		}
		if got := show(Due(bookWith(t, sdk.ReactiveMonthly, now, c.known...), r)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestReactiveIsNeverAskedLikePower lives through thirty months of supplies of
// every age, asks daily, and looks for a window that both series asked for
// within a day: Datadis would refuse the second.
func TestReactiveIsNeverAskedLikePower(t *testing.T) {
	t.Parallel()
	for age := range 26 {
		t.Run(fmt.Sprintf("contract %d months before", age), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newMemory())
			validFrom := (sdk.MonthOf(w.Now()) - sdk.Month(age)).Start()
			yesterday := make(map[Ask]bool)
			for day := range 70 {
				r := Request{
					Policy: Repair, Now: w.Now(), ValidFrom: validFrom,
					Series: []sdk.Series{sdk.PowerMonthly, sdk.ReactiveMonthly},
				}
				today := make(map[Ask]bool)
				for _, ask := range Due(w.book(), r) {
					today[ask] = true
					w.answerPower(ask, day)
				}
				for ask := range today {
					other := ask
					other.Series = sdk.PowerMonthly
					if ask.Series == sdk.ReactiveMonthly && (today[other] || yesterday[other]) {
						t.Fatalf("day %d: %s is asked for both", day, show([]Ask{ask}))
					}
				}
				yesterday = today
				w.Add(24*time.Hour + time.Minute)
			}
		})
	}
}

// answerPower answers all months of a wide query, every third one without data,
// so that gaps come and go.
func (w *world) answerPower(ask Ask, day int) {
	w.t.Helper()
	var answers []Answer
	for i, key := range ask.Keys() {
		covered := 1
		if (i+day)%3 == 0 {
			covered = 0
		}
		answers = append(answers, Answer{Key: key, Covered: covered, Expected: 1, Hash: 1})
	}
	w.record(answers...)
}
