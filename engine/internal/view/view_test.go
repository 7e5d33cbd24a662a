package view

import (
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

func moving(done, total int64) []Run {
	return []Run{{ID: "r", State: "open", Accounts: Progress{1, 1}, Supplies: Progress{done, total}}}
}

func TestPace(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	began := func(Run) time.Time { return start }
	var p Pacer
	runs := moving(0, 100)
	p.Note(start.Add(time.Second), runs, began)
	if runs[0].Pace != (Pace{}) {
		t.Errorf("a pace of nothing done: %+v", runs[0].Pace)
	}
	runs = moving(10, 100) // since the start, at first
	p.Note(start.Add(20*time.Second), runs, began)
	if got := runs[0].Pace; got.PerSecond != .5 || got.Seconds != 180 || got.AtLeast {
		t.Errorf("after 20 s: %+v", got)
	}
	runs = moving(30, 100) // 20 in the 100 s since the last but one look, not 30 in 120 s
	p.Note(start.Add(121*time.Second), runs, began)
	if got := runs[0].Pace; got.PerSecond != .25 || got.Seconds != 280 {
		t.Errorf("after 121 s: %+v", got)
	}
	runs = moving(90, 100) // the first looks are too long ago
	p.Note(start.Add(400*time.Second), runs, began)
	if got := runs[0].Pace.PerSecond; got < .21 || got > .22 {
		t.Errorf("after 400 s: %v per second, want 60 in 279 s", got)
	}
}

func TestPaceIsAtLeastWhileAccountsAreListed(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	runs := []Run{
		{ID: "a", State: "open", Accounts: Progress{1, 2}, Supplies: Progress{1, 2}},
		{ID: "b", State: "finished", Supplies: Progress{2, 2}},
	}
	var p Pacer
	p.Note(at.Add(time.Second), runs, func(Run) time.Time { return at })
	if !runs[0].Pace.AtLeast || runs[0].Pace.Seconds != 1 || runs[1].Pace != (Pace{}) {
		t.Errorf("paces %+v, %+v", runs[0].Pace, runs[1].Pace)
	}
}

const (
	cups = "ES0031000000000001BJ0F"
	nif  = "12345678Z"
	body = `{"v":1,"item":{"accesses":[{"account":"a1","login":"l1","nif":"odd-nif","sources":["north"],"cups":"` + cups +
		`","point_type":5,"supply":{"address":"Calle Mayor 1","nif":"` + nif + `"}}]}}`
)

func letter() Letter {
	return Letter{
		Run: "r1", Queue: Devices, ID: string(sdk.CUPS(cups).Key()), Sources: []string{"north"}, Accounts: []string{"abcdef"},
		Class: "unauthorised", Reason: "no " + cups + " for " + nif, Body: body,
		History: []Failure{{Reason: "no " + cups}},
	}.Named()
}

func TestMaskedLettersHoldNothingPersonal(t *testing.T) {
	t.Parallel()
	l := letter()
	masked := l.Masked(func(text string) string {
		return strings.ReplaceAll(strings.ReplaceAll(text, cups, "CUPS"), nif, "NIF")
	})
	shown := masked.ID + masked.Reason + masked.Body + masked.History[0].Reason
	for _, personal := range []string{cups, cups[:20], nif, "odd-nif", "Calle"} {
		if strings.Contains(shown, personal) {
			t.Errorf("%q is in %s", personal, shown)
		}
	}
	for _, kept := range []string{`"account":"a1"`, `"point_type":5`, `"north"`} {
		if !strings.Contains(masked.Body, kept) {
			t.Errorf("%s is not in %s", kept, masked.Body)
		}
	}
	if masked.Letter != l.Letter || l.History[0].Reason != "no "+cups {
		t.Error("masking changed the letter's name, or the letter itself")
	}
	l.Body = "no JSON, but " + cups
	if got := l.Masked(strings.ToUpper).Body; got != "" {
		t.Errorf("a body that cannot be masked became %q", got)
	}
}

func TestLetterFilter(t *testing.T) {
	t.Parallel()
	l := letter()
	for name, c := range map[string]struct {
		filter LetterFilter
		want   bool
	}{
		"nothing asked":           {LetterFilter{}, true},
		"everything asked":        {LetterFilter{Run: "r1", Queue: Devices, Letter: l.Letter, CUPS: cups, Class: "unauthorised", Account: "abc", Source: "north"}, true},
		"another letter":          {LetterFilter{Letter: "00000000"}, false},
		"its CUPS, in lower case": {LetterFilter{CUPS: strings.ToLower(cups[:20])}, true},
		"another CUPS":            {LetterFilter{CUPS: "ES0031000000000002BD0F"}, false},
		"another run":             {LetterFilter{Run: "r2"}, false},
		"another queue":           {LetterFilter{Queue: Users}, false},
		"another class":           {LetterFilter{Class: "schema"}, false},
		"the end of its account":  {LetterFilter{Account: "def"}, false},
		"another source":          {LetterFilter{Source: "south"}, false},
	} {
		if got := c.filter.Selects(l); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
