package downloader

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/sdk"
)

// september lets a world ask for the current month alone, which it may do every
// day.
func september(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Window = ledger.Window{From: month("2026-09"), To: month("2026-09")}
	w.on("hour 2026-09", hours("2026-09", 0.5, 14))
	return w
}

// Content that comes again is published only if it changed, with a higher
// revision and to everybody; fewer hours than known are kept, and not published.
func TestContentOverDays(t *testing.T) {
	t.Parallel()
	w := september(t)
	w.done(access("u1", "north"))
	w.take()
	day := func(upTo int, kwh float64, published string, want counts, sources ...string) {
		t.Helper()
		w.forward(25 * time.Hour)
		w.on("hour 2026-09", hours("2026-09", kwh, upTo))
		got := w.done(access("u1", sources...))
		want[job.Asked] = 1
		w.counted(got, want)
		w.want("published", w.take("published"), published)
	}
	day(14, 0.5, "", counts{job.Unchanged: 1}, "north")
	day(15, 0.5, "published north/2026-09/2", counts{}, "north")
	day(10, 0.5, "", counts{job.Shrunk: 1}, "north")
	if cell := w.cell(hourly("2026-09")); cell.Covered != 15*24 || cell.Revision != 2 || w.raw[*cell.Raw].Answer.ReceivedAt.Day() != 17 {
		t.Errorf("September is %+v", cell)
	}
	if len(w.raw) != 4 {
		t.Errorf("%d raw copies are kept, want all four", len(w.raw))
	}
	day(15, 0.7, "published north/2026-09/3", counts{}, "north")
	// A source that comes with a change gets what is known, and the change as
	// everybody does.
	day(16, 0.7, "published south/2026-09/3, published north/2026-09/4 south/2026-09/4", counts{job.FromRaw: 1}, "north", "south")
	day(16, 0.7, "", counts{job.Unchanged: 1}, "north", "south")
}

// A source that comes late gets everything from the raw copies; Datadis is not
// asked, and nobody else gets anything.
func TestLateSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	w.done(access("u1", "north"))
	w.take()
	got := w.done(access("u1", "north", "south"))
	w.want("it went", w.take(),
		"opened, published south/2026-07/1, delivered, opened, published south/2026-08/1, delivered, opened, published south/2026-09/1, delivered, asked u1 contract, static north+south")
	w.counted(got, counts{job.FromRaw: 3, "chunks:south": 3, "chunks:north": 0})
	w.done(access("u1", "north", "south"))
	w.want("then", w.take(), "")
}

// Where the raw copy cannot be had, Datadis is asked again, when it answers the
// same again; until then the chunks are left, and said to be.
func TestLateSourceWithoutCopies(t *testing.T) {
	t.Parallel()
	cases := map[string]func(w *world){
		"gone":          func(w *world) { clear(w.raw) },
		"never kept":    func(w *world) { w.Copies = nil },
		"unreadable":    func(w *world) { w.spoil([]byte(`{"timeCurve":`)) },
		"other content": func(w *world) { w.spoil([]byte(`{"timeCurve":[],"distributorError":[]}`)) },
	}
	for name, lose := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Window = ledger.Window{From: month("2026-07"), To: month("2026-08")}
			w.full()
			w.done(access("u1", "north"))
			lose(w)
			w.take()
			w.counted(w.done(access("u1", "north", "south")), counts{job.Left: 2})
			w.want("on the same day", w.take("asked", "published"), "asked u1 contract")
			w.forward(25 * time.Hour)
			got := w.done(access("u1", "north", "south"))
			asked := w.take("asked", "published")
			for _, m := range []string{"2026-07", "2026-08"} {
				if want := fmt.Sprintf("asked u1 hour %s, published south/%[1]s/1", m); !strings.Contains(asked, want) {
					t.Errorf("it went %s, want %s in it", asked, want)
				}
			}
			w.counted(got, counts{job.Asked: 2, job.Unchanged: 2, "chunks:south": 2, "chunks:north": 0})
		})
	}
}

// spoil replaces the raw copies' bodies.
func (w *world) spoil(body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, c := range w.raw {
		c.Answer.Body = body
		w.raw[at] = c
	}
}

// An answer that was kept but not recorded is gone on with, through whatever
// account asked; if its copy is gone it is asked again after a day.
func TestResume(t *testing.T) {
	t.Parallel()
	w := september(t)
	w.broken["published north/2026-09/1"] = errors.New("killed")
	w.handle(1, access("u1", "north"))
	delete(w.broken, "published north/2026-09/1")
	w.take()
	got := w.done(access("u2", "north")) // the account that asked is not there any more
	w.want("it went", w.take(), "opened, published north/2026-09/1, answered, asked u2 contract, static north")
	w.counted(got, counts{job.FromRaw: 1, "chunks:north": 1})

	w = september(t)
	w.broken["published north/2026-09/1"] = errors.New("killed")
	w.handle(1, access("u1", "north"))
	delete(w.broken, "published north/2026-09/1")
	clear(w.raw)
	w.take()
	w.counted(w.done(access("u1", "north")), counts{job.Left: 1})
	w.want("without the copy", w.take("asked", "published"), "asked u1 contract")
	w.forward(25 * time.Hour)
	w.done(access("u1", "north"))
	w.want("a day later", w.take("published"), "published north/2026-09/1")
}

// Maximum power is asked over up to twelve months in one call; where that
// fails, month by month, without the wide call being repeated.
func TestPowerWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Series = []sdk.Series{sdk.PowerMonthly}
	w.Window = ledger.Window{From: month("2025-08"), To: month("2026-09")}
	w.on("power 2025-08..2026-07", says(500, "error"))
	w.on("power 2026-08..2026-09", peaks("2026-08", "2026-09"))
	for m := month("2025-08"); m <= month("2026-07"); m++ {
		w.on("power "+m.String(), peaks(m.String()))
	}
	verdict := w.handle(1, access("u1", "north"))
	if verdict.Action != job.Retry {
		t.Fatalf("the verdict is %+v", verdict)
	}
	w.want("it went", w.take("asked", "published"),
		"asked u1 power 2025-08..2026-07, asked u1 power 2026-08..2026-09, published north/2026-08/1 north/2026-09/1")
	if verdict := w.handle(2, access("u1", "north")); verdict.Action != job.Done {
		t.Fatalf("the verdict is %+v", verdict)
	}
	asked := strings.Split(w.take("asked"), ", ")
	if len(asked) != 13 || asked[0] != "asked u1 power 2025-08" || asked[11] != "asked u1 power 2026-07" {
		t.Errorf("then asked %v", asked)
	}
	for m := month("2025-08"); m <= month("2026-09"); m++ {
		if cell := w.cell(power(m.String())); !cell.HasContent() || cell.Alone {
			t.Errorf("%s is %+v", m, cell)
		}
	}
	if cell := w.cell(power("2025-08")); cell.State != ledger.Complete || cell.Tries != ledger.DefaultTries-1 {
		t.Errorf("August 2025 is %+v", cell)
	}
}

// Months of a window in which nothing came are empty; those in which something
// did are published.
func TestPowerWithEmptyMonths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Series = []sdk.Series{sdk.PowerMonthly}
	w.on("power 2026-07..2026-09", peaks("2026-08"))
	w.counted(w.done(access("u1", "north")), counts{job.Asked: 1, "chunks:north": 1})
	w.want("published", w.take("published"), "published north/2026-08/1")
	for text, want := range map[string]ledger.State{"2026-07": ledger.Empty, "2026-08": ledger.Partial, "2026-09": ledger.Empty} {
		if cell := w.cell(power(text)); cell.State != want && (text != "2026-08" || cell.State != ledger.Complete) {
			t.Errorf("%s is %+v, want %s", text, cell, want)
		}
	}
}

const contracts = `{"contract":[
	{"cups":"ES0031000000000001BJ0F","distributor":"from the contract","marketer":"OLD","contractedPowerkW":[3.3,3.3],"startDate":"2020/01/01","endDate":"2023/06/30","codeFare":"2T"},
	{"cups":"ES0031000000000001BJ0F","distributor":"from the contract","marketer":"NEW","contractedPowerkW":[4.6,4.6],"startDate":"2023/07/01","endDate":"","codeFare":"2T"},
	{"cups":"ES0031000000000001BJ0F","distributor":"from the contract","marketer":"LATE","contractedPowerkW":[4.6,4.6],"startDate":"2024/07/01","endDate":"2024/08/01","codeFare":"2T"}
	],"distributorError":[]}`

// Static data is published once a day for each account, says what was gathered,
// and holds Datadis's own fields: those of the listing, and of the contract that
// is open.
func TestStatic(t *testing.T) {
	t.Parallel()
	w := september(t)
	w.on("contract", says(200, contracts))
	second := access("u2", "south")
	second.NIF = "X1234567L"
	w.done(access("u1", "north"), second)
	w.want("it went", w.take("static"), "static north, static south")
	s := w.statics[1]
	if s.Run != "run1" || s.Username != "u2" || s.AuthorizedNIF != "X1234567L" || !s.FetchedAt.Equal(start) || len(s.Contracts) != 3 ||
		!slices.Equal(s.Measurements, []sdk.Series{sdk.EnergyHourly}) {
		t.Errorf("published %+v", s)
	}
	for _, want := range []string{`"marketer":"NEW"`, `"address":"CALLE EJEMPLO 1"`, `"new":1`, `"contracts":[{`, `"LATE"`} {
		if !strings.Contains(string(s.Raw), want) {
			t.Errorf("published %s, want %s in it", s.Raw, want)
		}
	}
	w.forward(time.Hour)
	w.done(access("u1", "north"), second)
	w.want("an hour later", w.take("static"), "")
	w.done(access("u1", "north", "west"), second)
	w.want("for another source", w.take("static"), "static north+west")
	w.forward(25 * time.Hour)
	w.done(access("u1", "north"), second)
	w.want("a day later", w.take("static"), "static north, static south")
}

// A contract that cannot be had does not hold the supply back, and is asked for
// again by the next run; a login that asks too much rests before that.
func TestStaticWithoutContract(t *testing.T) {
	t.Parallel()
	w := september(t)
	w.on("contract", says(403, `{"message":"no tiene permisos"}`), says(200, contracts))
	w.done(access("u1", "north"))
	if len(w.statics) != 1 || len(w.statics[0].Contracts) != 0 || !strings.Contains(string(w.statics[0].Raw), `"contracts":[]`) {
		t.Errorf("published %+v", w.statics)
	}
	w.done(access("u1", "north"))
	if len(w.statics) != 2 || len(w.statics[1].Contracts) != 3 {
		t.Errorf("then published %+v", w.statics)
	}

	w = september(t)
	w.on("contract", says(429, "Too many requests", "Retry-After", "90"), says(200, contracts))
	got := w.handle(1, access("u1", "north"))
	if got.Action != job.Release || got.Cool != 90*time.Second || got.Delay != 90*time.Second || len(w.statics) != 0 || got.Counts["chunks:north"] != 1 {
		t.Errorf("the verdict is %+v, published %v", got, w.statics)
	}
	w.done(access("u1", "north"))
	if len(w.statics) != 1 || len(w.statics[0].Contracts) != 3 {
		t.Errorf("after the rest published %+v", w.statics)
	}
}

// Static data comes with the last attempt, when it is known what was gathered.
func TestStaticComesLast(t *testing.T) {
	t.Parallel()
	w := september(t)
	w.on("hour 2026-09", says(503, "down"))
	w.handle(1, access("u1", "north"))
	w.want("first", w.take("static"), "")
	w.handle(len(retryDelays)+1, access("u1", "north"))
	w.want("at last", w.take("static"), "static north")
	if got := w.statics[0].Measurements; len(got) != 0 {
		t.Errorf("gathered %v, which is not so", got)
	}
}

// A replay publishes what is known once more, under the revisions that it has,
// without asking Datadis.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	w.done(access("u1", "north"))
	w.take()
	got := w.replay("2026-08", "south", "north")
	w.want("it went", w.take(), "opened, published north/2026-08/1 south/2026-08/1, delivered, delivered, opened, published north/2026-09/1 south/2026-09/1, delivered, delivered")
	if want := (Replayed{Chunks: 4, Readings: 2 * (31 + 14) * 24}); got != want {
		t.Errorf("replayed %+v, want %+v", got, want)
	}
	if w.book().Delivered(hourly("2026-08"), "south") != 1 || w.book().Delivered(hourly("2026-07"), "south") != 0 {
		t.Error("the ledger does not know who has what")
	}
}

func (w *world) replay(from string, sources ...string) Replayed {
	w.t.Helper()
	got, err := w.Replay(w.t.Context(), testCUPS, sources, month(from))
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// What a corrected decoder reads otherwise is published with a higher revision;
// what it would read less of, and what is not kept, is not.
func TestReplayOfOtherContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	w.done(access("u1", "north"))
	w.take()
	w.reread(hourly("2026-07"), -1) // as if it had been read otherwise
	w.reread(hourly("2026-08"), 2)  // as if more had been read
	delete(w.raw, *w.cell(hourly("2026-09")).Raw)
	got := w.replay("2000-01", "north")
	w.want("published", w.take("published"), "published north/2026-07/2")
	if want := (Replayed{Chunks: 1, Readings: 31 * 24, Corrected: 1, Gone: 1, Shrunk: 1}); got != want {
		t.Errorf("replayed %+v, want %+v", got, want)
	}
	if cell := w.cell(hourly("2026-07")); cell.Revision != 2 || cell.State != ledger.Complete || cell.Covered != 31*24 {
		t.Errorf("July is %+v", cell)
	}
	again := w.replay("2026-07", "north")
	if again.Corrected != 0 || again.Chunks != 1 {
		t.Errorf("replayed again: %+v, want it corrected for good", again)
	}
}

// reread makes the ledger know other content of a chunk than its raw copy has:
// so many hours more or fewer.
func (w *world) reread(key ledger.Key, more int) {
	w.t.Helper()
	var export, changed strings.Builder
	l := ledger.New(w.memory, ledger.Config{Now: w.clock})
	if err := l.Export(w.t.Context(), &export, testCUPS); err != nil {
		w.t.Fatal(err)
	}
	cell := w.cell(key)
	for line := range strings.Lines(export.String()) {
		if strings.Contains(line, `"month":"`+key.Month.String()+`"`) {
			line = strings.Replace(line, fmt.Sprintf(`"covered":%d`, cell.Covered), fmt.Sprintf(`"covered":%d`, cell.Covered+more), 1)
			line = strings.Replace(line, fmt.Sprintf("%016x", cell.Hash), fmt.Sprintf("%016x", cell.Hash+1), 1)
			changed.WriteString(line)
		}
	}
	if n, err := l.Import(w.t.Context(), strings.NewReader(changed.String())); err != nil || n != 1 {
		w.t.Fatalf("imported %d lines, %v", n, err)
	}
}

// A supply that a run works on is not replayed meanwhile, and a copy that
// cannot be read just now is no reason to call it gone.
func TestReplayFails(t *testing.T) {
	t.Parallel()
	w := september(t)
	w.done(access("u1", "north"))
	w.broken["opened"] = errors.New("no broker")
	if _, err := w.Replay(t.Context(), testCUPS, []string{"north"}, 0); err == nil || !strings.Contains(err.Error(), "no broker") {
		t.Errorf("got %v", err)
	}
	w.broken["hold"] = ErrBusy
	if _, err := w.Replay(t.Context(), testCUPS, []string{"north"}, 0); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	var sum Replayed
	sum.Add(Replayed{1, 2, 3, 4, 5})
	sum.Add(Replayed{1, 1, 1, 1, 1})
	if sum != (Replayed{2, 3, 4, 5, 6}) {
		t.Errorf("added up to %+v", sum)
	}
}
