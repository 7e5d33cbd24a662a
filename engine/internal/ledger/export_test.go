package ledger

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

// fill gives the book one chunk of each kind.
func (w *world) fill() {
	w.t.Helper()
	w.record(Answer{
		Key: hourly("2026-06"), Covered: 720, Expected: 720, Hash: 0xfeed,
		Raw: &Location{2, 77}, Delivered: []string{"south", "north"},
	})
	w.record(Answer{Key: hourly("2026-07"), Covered: 700, Expected: 744, Hash: 1, Delivered: []string{"south"}})
	w.record(Answer{Key: hourly("2026-08"), Expected: 744})
	w.fail(TimedOut, power("2026-06"), power("2026-07"))
	w.fail(Unauthorised, power("2026-08"))
}

func exportOf(t *testing.T, l *Ledger, cups ...sdk.CUPS) string {
	t.Helper()
	var text bytes.Buffer
	must(t, l.Export(t.Context(), &text, cups...))
	return text.String()
}

func exportAndImport(t *testing.T, w *world) {
	w.fill()
	text := exportOf(t, w.Ledger)
	elsewhere := newWorld(t, newMemory())
	n, err := elsewhere.Import(t.Context(), strings.NewReader(text))
	if want := strings.Count(text, "\n"); err != nil || n != want {
		t.Fatalf("imported %d lines of %d: %v", n, want, err)
	}
	if again := exportOf(t, elsewhere.Ledger); again != text {
		t.Errorf("it came back as\n%swant\n%s", again, text)
	}
	// Importing again changes nothing.
	_, err = w.Import(t.Context(), strings.NewReader(text))
	must(t, err)
	if again := exportOf(t, w.Ledger, testCUPS); again != text {
		t.Errorf("imported over itself it is\n%swant\n%s", again, text)
	}
}

func TestExportIsReadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory())
	w.fill()
	golden(t, "export.ndjson", []byte(exportOf(t, w.Ledger)))
}

func TestImportReplacesOnlyWhatItNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemory())
	w.fill()
	before := w.cell(hourly("2026-06"))
	const line = `{"cups":"` + string(testCUPS) + `","series":"EnergyConsumptionGridElectricity_PT1H","month":"2026-07",` +
		`"state":"failed","covered":0,"expected":744,"tries_left":3}`
	n, err := w.Import(t.Context(), strings.NewReader("\n"+line+"\n\n"))
	if err != nil || n != 1 {
		t.Fatalf("imported %d lines: %v", n, err)
	}
	if c := w.cell(hourly("2026-07")); c.State != Failed || c.Tries != 3 || c.Covered != 0 {
		t.Errorf("the chunk is %+v", c)
	}
	if after := w.cell(hourly("2026-06")); after.Hash != before.Hash || after.Tries != before.Tries {
		t.Errorf("its neighbour is %+v, was %+v", after, before)
	}
	if len(w.book().QueryViews()) == 0 {
		t.Error("what was asked today is forgotten")
	}
}

func TestImportSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const good = `{"cups":"ES0021000000000001RK","series":"Power_P1M","month":"2026-07","state":"none","covered":0,"expected":0,"tries_left":6}`
	chunk := func(replace ...string) string { return strings.NewReplacer(replace...).Replace(good) }
	for name, c := range map[string]struct{ line, want string }{
		"no JSON":           {"hello", "not a line of an export"},
		"no CUPS":           {chunk("ES0021000000000001RK", ""), "empty CUPS"},
		"unknown field":     {chunk("expected", "expekted"), `unknown field "expekted"`},
		"unknown series":    {chunk("Power_P1M", "Water_P1M"), `no series "Water_P1M"`},
		"unknown state":     {chunk("none", "done"), `unknown state "done"`},
		"no month":          {chunk("2026-07", "07/2026"), "no month"},
		"a year too far":    {chunk("2026-07", "1926-07"), "no year 1926"},
		"negative":          {chunk(`"covered":0`, `"covered":-1`), "covered is -1"},
		"too many tries":    {chunk(":6", ":600"), "tries_left is 600"},
		"no content":        {chunk("none", "complete"), "0 covered steps"},
		"no revision":       {chunk("none", "complete", `"covered":0`, `"covered":1`), "needs a revision"},
		"bad hash":          {chunk("{", `{"hash":"xyz",`), `hash "xyz"`},
		"bad source":        {chunk("{", `{"revision":1,"sources":{"North":1},`), `"North" is no name`},
		"source too new":    {chunk("{", `{"revision":1,"sources":{"north":2},`), "revision 2 of 1"},
		"bad raw copy":      {chunk("{", `{"raw":{"partition":-1,"offset":0},`), "negative"},
		"short query":       {`{"cups":"ES0021000000000001RK","query":"abc","outcome":"answered","at":"2026-09-15T12:00:00Z","count":1}`, "no key of a query"},
		"unknown outcome":   {`{"cups":"ES0021000000000001RK","query":"abcdefgh","outcome":"?","at":"2026-09-15T12:00:00Z"}`, "unknown outcome"},
		"query of no time":  {`{"cups":"ES0021000000000001RK","query":"abcdefgh","outcome":"answered"}`, "needs the time"},
		"query too early":   {`{"cups":"ES0021000000000001RK","query":"abcdefgh","outcome":"answered","at":"1969-01-01T00:00:00Z"}`, "needs the time"},
		"attempt too late":  {chunk("{", `{"last_attempt":"2106-12-01T00:00:00Z",`), "between 1970 and 2106"},
		"unending line":     {strings.Repeat("x", maxLine+1), "too long"},
		"unknown class":     {chunk("{", `{"error":"gremlins",`), `unknown error class "gremlins"`},
		"not a proper CUPS": {chunk("ES0021000000000001RK", "ES 21"), "no CUPS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newMemory())
			other := strings.Replace(good, "ES0021000000000001RK", string(testCUPS), 1)
			_, err := w.Import(t.Context(), strings.NewReader(other+"\n"+good+"\n"+c.line+"\n"))
			if err == nil || !strings.HasPrefix(err.Error(), "line 3: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error of line 3 that says %q", err, c.want)
			}
			if _, known := w.book().Cell(power("2026-07")); !known {
				t.Error("the CUPS before was not imported")
			}
		})
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		series []sdk.Series
		window Window
		want   []Key // that are as if never asked for
	}{
		"all": {nil, Window{}, []Key{hourly("2026-06"), hourly("2026-07"), hourly("2026-08"), power("2026-06"), power("2026-08")}},
		"one series": {
			[]sdk.Series{sdk.PowerMonthly}, Window{}, []Key{power("2026-06"), power("2026-08")},
		},
		"one month": {nil, Window{month("2026-06"), month("2026-06")}, []Key{hourly("2026-06"), power("2026-06")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newMemory())
			w.fill()
			_, err := w.Reset(t.Context(), testCUPS, c.series, c.window)
			must(t, err)
			for _, key := range []Key{hourly("2026-06"), hourly("2026-07"), hourly("2026-08"), power("2026-06"), power("2026-08")} {
				cell := w.cell(key)
				if reset := cell.State == None && cell.Tries == 6; reset != slices.Contains(c.want, key) {
					t.Errorf("%s is %+v", key, cell)
				}
			}
			if len(w.book().QueryViews()) == 0 {
				t.Error("what was asked today is forgotten")
			}
		})
	}
}

func TestResetGoesOnCountingRevisions(t *testing.T) {
	t.Parallel()
	w, key := newWorld(t, newMemory()), hourly("2026-06")
	w.answer(key, 1, "north")
	n, err := w.Reset(t.Context(), testCUPS, nil, Window{})
	must(t, err)
	if n != 1 || len(Undelivered(w.book(), []string{"west"})) != 0 {
		t.Errorf("%d chunks reset, %v can be delivered", n, Undelivered(w.book(), []string{"west"}))
	}
	w.answer(key, 1, "north")
	if b := w.book(); b.Delivered(key, "north") != 2 {
		t.Errorf("published again as revision %d: readers would drop it", b.Delivered(key, "north"))
	}
}

func TestEntriesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]struct{ field, value string }{
		"a chunk of a newer engine": {"h2607", "\xf0\x00\x00"},
		"a broken chunk":            {"h2607", "x"},
		"a broken query":            {"?abcdefgh", "\x1f"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newMemory())
			w.fill()
			other, err := w.Open(t.Context(), "ES0021000000000001RK")
			must(t, err)
			must(t, other.Intend(t.Context(), "abcdefgh"))
			must(t, w.store.Put(t.Context(), keyPrefix+string(testCUPS.Key()), map[string][]byte{entry.field: []byte(entry.value)}))

			_, err = w.Open(t.Context(), testCUPS)
			if err == nil || !strings.Contains(err.Error(), testCUPS.Masked()) || strings.Contains(err.Error(), string(testCUPS.Key())) {
				t.Errorf("got %v, want an error that names the CUPS masked", err)
			}
			var visited []sdk.CUPS
			err = w.Each(t.Context(), func(b *Book) error {
				visited = append(visited, b.CUPS())
				return nil
			})
			if !errors.Is(err, ErrUnreadable) || !slices.Equal(visited, []sdk.CUPS{"ES0021000000000001RK"}) {
				t.Errorf("visited %v with %v, want the other CUPS, and the error", visited, err)
			}
			_, err = w.Reset(t.Context(), testCUPS, nil, Window{month("2026-07"), month("2026-07")})
			must(t, err)
			if c := w.cell(hourly("2026-06")); c.State != Complete {
				t.Errorf("mended, another chunk is %+v", c)
			}
		})
	}
}

// TestFieldsOfLaterEnginesStay: a rollout has two versions at work.
func TestFieldsOfLaterEnginesStay(t *testing.T) {
	t.Parallel()
	m := newMemory()
	w := newWorld(t, m)
	key := keyPrefix + string(testCUPS.Key())
	must(t, m.Put(t.Context(), key, map[string][]byte{"x2607": []byte("later"), "note": []byte("later")}))
	w.answer(hourly("2026-07"), 1)
	fields, err := m.Get(t.Context(), key)
	must(t, err)
	if string(fields["x2607"]) != "later" || string(fields["note"]) != "later" {
		t.Errorf("they are %q and %q", fields["x2607"], fields["note"])
	}
}

func FuzzImport(f *testing.F) {
	f.Add(`{"cups":"ES0021000000000001RK","series":"Power_P1M","month":"2026-07","state":"partial","covered":1,"expected":1,"tries_left":6,"revision":1}`)
	f.Add(`{"cups":"ES0021000000000001RK","query":"abcdefgh","outcome":"answered","at":"2026-09-15T12:00:00Z","count":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		l := New(newMemory(), Config{})
		if _, err := l.Import(t.Context(), strings.NewReader(text)); err != nil {
			return
		}
		var out bytes.Buffer
		must(t, l.Export(t.Context(), &out))
		if _, err := l.Import(t.Context(), &out); err != nil {
			t.Errorf("what was taken is exported as what is not: %v", err)
		}
	})
}
