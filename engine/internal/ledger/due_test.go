package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// known says what a book knows: "complete", "partial", … of months, with the
// tries left and the age of the last answer where they matter.
type known struct {
	months string // 2026-07, or 2024-10..2026-07
	state  State
	tries  int           // 0: 6; -1: none
	age    time.Duration // of the last answer; 0: two days
}

func (k known) put(b *Book, series sdk.Series, now time.Time) {
	from, to, ok := strings.Cut(k.months, "..")
	if !ok {
		to = from
	}
	for m := month(from); m <= month(to); m++ {
		c := Cell{State: k.state, Tries: 6}
		switch {
		case k.tries < 0:
			c.Tries = 0
		case k.tries > 0:
			c.Tries = k.tries
		}
		if k.age == 0 {
			k.age = 48 * time.Hour
		}
		c.LastAttempt = now.Add(-k.age)
		if k.state.Answered() {
			c.LastAnswer = c.LastAttempt
		}
		b.cells[Key{series, m}] = c
	}
}

func bookWith(t *testing.T, series sdk.Series, now time.Time, all ...known) *Book {
	t.Helper()
	b := newWorld(t, newMemory()).book()
	for _, k := range all {
		k.put(b, series, now)
	}
	return b
}

// show writes asks as h:2026-07 or p:2025-10..2026-09.
func show(asks []Ask) string {
	var texts []string
	for _, a := range asks {
		l, _ := letter(a.Series)
		text := fmt.Sprintf("%c:%s", l, a.From)
		if a.To != a.From {
			text += ".." + a.To.String()
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

func TestDueHourly(t *testing.T) {
	t.Parallel()
	const mid, early = "2026-09-15T12:00:00Z", "2026-09-05T12:00:00Z"
	old := known{months: "2024-10..2026-06", state: Complete}
	window := Window{month("2026-05"), month("2026-09")}
	for name, c := range map[string]struct {
		now          string
		window       Window
		validFrom    string
		known        []known
		last, repair string
	}{
		"a new supply is asked in full under both": {
			now: mid, window: window,
			last:   "h:2026-05 h:2026-06 h:2026-07 h:2026-08 h:2026-09",
			repair: "h:2026-05 h:2026-06 h:2026-07 h:2026-08 h:2026-09",
		},
		"never before its contract": {
			now: mid, window: window, validFrom: "2026-08-20T00:00:00+02:00",
			last: "h:2026-08 h:2026-09", repair: "h:2026-08 h:2026-09",
		},
		"a first download that broke off goes on": {
			now: mid, known: []known{{months: "2024-10..2026-05", state: Complete}, {months: "2026-07", state: Failed}},
			last: "h:2026-06 h:2026-07 h:2026-08 h:2026-09", repair: "h:2026-06 h:2026-07 h:2026-08 h:2026-09",
		},
		"failed too often": {
			now: mid, known: []known{old, {months: "2026-07..2026-08", state: Failed, tries: -1}},
			last: "h:2026-09", repair: "h:2026-09",
		},
		"incomplete months are for repair": {
			now: mid, known: []known{
				{months: "2024-10..2026-03", state: Complete},
				{months: "2026-04", state: Partial}, {months: "2026-05", state: Empty},
				{months: "2026-06", state: Refused}, {months: "2026-07", state: Partial, tries: -1},
				{months: "2026-08", state: Complete},
			},
			last: "h:2026-09", repair: "h:2026-04 h:2026-05 h:2026-06 h:2026-09",
		},
		"the previous month, while incomplete": {
			now: mid, known: []known{old, {months: "2026-07", state: Complete}, {months: "2026-08..2026-09", state: Partial}},
			last: "h:2026-08 h:2026-09", repair: "h:2026-08 h:2026-09",
		},
		"the previous month without tries, settled": {
			now: mid, known: []known{old, {months: "2026-07", state: Complete}, {months: "2026-08", state: Partial, tries: -1}},
			last: "h:2026-09", repair: "h:2026-09",
		},
		"the previous month without tries, growing": {
			now: early, known: []known{old, {months: "2026-07", state: Complete}, {months: "2026-08", state: Empty, tries: -1}},
			last: "h:2026-08 h:2026-09", repair: "h:2026-08 h:2026-09",
		},
		"right after a run nothing is due": {
			now: mid, known: []known{
				old, {months: "2026-07..2026-08", state: Empty, age: time.Hour}, {months: "2026-09", state: Partial, age: time.Hour},
			},
		},
		"a day later it is": {
			now: mid, known: []known{
				{months: "2024-10..2026-07", state: Complete},
				{months: "2026-08", state: Empty, age: 24 * time.Hour}, {months: "2026-09", state: Partial, age: 24 * time.Hour},
			},
			last: "h:2026-08 h:2026-09", repair: "h:2026-08 h:2026-09",
		},
		"a refused repetition does not end it": {
			now: mid, known: []known{old, {months: "2026-07", state: None}, {months: "2026-08", state: Complete}},
			last: "h:2026-07 h:2026-09", repair: "h:2026-07 h:2026-09",
		},
		"a window in the past": {
			now: mid, window: Window{month("2026-02"), month("2026-03")},
			known: []known{{months: "2026-02", state: Partial}},
			last:  "h:2026-03", repair: "h:2026-02 h:2026-03",
		},
		"a window beyond what Datadis serves": {
			now: mid, window: Window{month("2024-08"), month("2027-01")},
			known: []known{{months: "2024-12..2026-08", state: Complete}},
			last:  "h:2024-10 h:2024-11 h:2026-09", repair: "h:2024-10 h:2024-11 h:2026-09",
		},
		"a contract of the future": {now: mid, validFrom: "2026-10-01T00:00:00+02:00"},
		"midnight in Madrid begins the month": {
			now: "2026-08-31T22:00:00Z", known: []known{{months: "2024-09..2026-08", state: Complete}},
			last: "h:2026-09", repair: "h:2026-09",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Request{Now: at(c.now), Window: c.window, Series: []sdk.Series{sdk.EnergyHourly}}
			if c.validFrom != "" {
				r.ValidFrom = at(c.validFrom)
			}
			b := bookWith(t, sdk.EnergyHourly, r.Now, c.known...)
			for policy, want := range map[Policy]string{Last: c.last, Repair: c.repair} {
				r.Policy = policy
				if got := show(Due(b, r)); got != want {
					t.Errorf("%s: got %q, want %q", policy, got, want)
				}
			}
		})
	}
}

func TestDueWindow(t *testing.T) {
	t.Parallel()
	b := newWorld(t, newMemory()).book()
	r := Request{Policy: Last, Now: at("2026-09-15T12:00:00Z"), Series: []sdk.Series{sdk.EnergyHourly}}
	asks := Due(b, r)
	if len(asks) != 24 || asks[0].From != month("2024-10") || asks[23].To != month("2026-09") {
		t.Errorf("by default %q is asked for, want the two years that Datadis serves", show(asks))
	}
	r.Window = WindowAt(r.Now, 3)
	if got := show(Due(b, r)); got != "h:2026-07 h:2026-08 h:2026-09" {
		t.Errorf("of three months %q is asked for", got)
	}
}

func TestQuarterHours(t *testing.T) {
	t.Parallel()
	b := newWorld(t, newMemory()).book()
	for _, c := range []struct {
		pointType   int
		distributor sdk.Distributor
		want        bool
	}{
		{1, "8", true}, {2, "8", true}, {3, "2", true}, {3, "8", false}, {4, "2", false}, {5, "2", false}, {0, "2", false},
	} {
		if got := QuarterHours(c.pointType, c.distributor); got != c.want {
			t.Errorf("point type %d of distributor %s: %t", c.pointType, c.distributor, got)
		}
		r := Request{
			Policy: Last, Now: at("2026-09-15T12:00:00Z"), PointType: c.pointType, Distributor: c.distributor,
			Window: Window{month("2026-08"), month("2026-09")}, Series: []sdk.Series{sdk.EnergyHourly, sdk.EnergyQuarterHour},
		}
		want := "h:2026-08 h:2026-09"
		if c.want {
			want = "h:2026-08 q:2026-08 h:2026-09 q:2026-09"
		}
		if got := show(Due(b, r)); got != want {
			t.Errorf("point type %d of distributor %s: asks %q, want %q", c.pointType, c.distributor, got, want)
		}
	}
}

func TestNextDue(t *testing.T) {
	t.Parallel()
	now := at("2026-09-15T12:00:00Z")
	r := Request{Policy: Last, Now: now, Series: []sdk.Series{sdk.EnergyHourly}}
	for name, c := range map[string]struct {
		known []known
		want  time.Duration // from now; 0: none
	}{
		"nothing is wanted later": {[]known{{months: "2024-10..2026-08", state: Complete}}, 0},
		"the earlier of two": {[]known{
			{months: "2024-10..2026-07", state: Complete},
			{months: "2026-08", state: Partial, age: 20 * time.Hour}, {months: "2026-09", state: Partial, age: 5 * time.Hour},
		}, 4 * time.Hour},
		"not for what is complete": {[]known{
			{months: "2024-10..2026-08", state: Complete, age: 20 * time.Hour}, {months: "2026-09", state: Partial, age: 5 * time.Hour},
		}, 19 * time.Hour},
	} {
		got, ok := NextDue(bookWith(t, sdk.EnergyHourly, now, c.known...), r)
		if ok != (c.want > 0) || ok && !got.Equal(now.Add(c.want)) {
			t.Errorf("%s: %v, %t; want %v from now", name, got, ok, c.want)
		}
	}
}

func TestUndelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory())
	old, recent, forgotten := hourly("2026-07"), hourly("2026-08"), power("2021-03")
	w.answer(recent, 1, "north")
	w.answer(old, 2, "north", "south")
	w.answer(forgotten, 3, "north")
	w.record(Answer{Key: hourly("2026-06"), Expected: 720}) // empty: nothing to deliver
	for name, c := range map[string]struct {
		sources []string
		want    []Key
	}{
		"a source that has all":        {[]string{"north"}, nil},
		"a source that lacks some":     {[]string{"north", "south"}, []Key{forgotten, recent}},
		"a source that came later":     {[]string{"west"}, []Key{forgotten, old, recent}},
		"no source is entitled at all": {nil, nil},
	} {
		if got := Undelivered(w.book(), c.sources); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	// A new revision that one source did not get.
	w.Add(25 * time.Hour)
	w.answer(old, 4, "south")
	if got := Undelivered(w.book(), []string{"north"}); !slices.Equal(got, []Key{old}) {
		t.Errorf("after a revision: %v, want %v", got, old)
	}
}

func TestExpected(t *testing.T) {
	t.Parallel()
	quarters := Key{sdk.EnergyQuarterHour, month("2026-03")}
	for name, c := range map[string]struct {
		key       Key
		validFrom string
		want      int
	}{
		"March":                         {hourly("2026-03"), "", 743},
		"October":                       {hourly("2025-10"), "", 745},
		"quarters of March":             {quarters, "", 2972},
		"power":                         {power("2026-03"), "2026-03-10T00:00:00+01:00", 1},
		"from the contract on":          {hourly("2026-03"), "2026-03-31T00:00:00+02:00", 24},
		"an older contract":             {hourly("2026-03"), "2025-03-31T00:00:00+02:00", 743},
		"a contract of the month after": {hourly("2026-03"), "2026-04-01T00:00:00+02:00", 743},
	} {
		var validFrom time.Time
		if c.validFrom != "" {
			validFrom = at(c.validFrom)
		}
		if got := Expected(c.key, validFrom); got != c.want {
			t.Errorf("%s: %d steps, want %d", name, got, c.want)
		}
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	b := bookWith(t, sdk.EnergyHourly, at("2026-09-15T12:00:00Z"),
		known{months: "2026-02..2026-03", state: Complete}, known{months: "2026-04", state: Partial},
		known{months: "2026-05", state: Empty}, known{months: "2026-06", state: Refused}, known{months: "2026-07", state: Failed})
	b.cells[hourly("2026-03")] = Cell{State: Complete, Covered: 743, Expected: 743}
	got := Summarize(b, sdk.EnergyHourly, Window{month("2026-01"), month("2026-08")}, at("2026-03-01T00:00:00+01:00"))
	want := Summary{
		Series: sdk.EnergyHourly, Complete: 1, Partial: 1, Empty: 1, Refused: 1, Missing: 2,
		Covered: 743, Expected: 743 + 720 + 744 + 720 + 744 + 744,
	}
	if got != want || got.Months() != 6 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"last", "repair"} {
		if p, err := ParsePolicy(text); err != nil || string(p) != text {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	if _, err := ParsePolicy("all"); err == nil {
		t.Error("took the policy all")
	}
}
