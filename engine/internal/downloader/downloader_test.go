package downloader

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/login"
	"github.com/datadis-engine/datadis/sdk"
)

type counts = map[string]int64

// Invariants 1 to 4: intent, question, raw copy, where it lies, publishing,
// ledger, for each query in turn; static data comes last.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	got := w.done(access("u1", "north", "south"))
	const one = "intended, asked u1 hour %s, raw, kept, published north/%[1]s/1 south/%[1]s/1, answered, "
	want := fmt.Sprintf(one, "2026-07") + fmt.Sprintf(one, "2026-08") + fmt.Sprintf(one, "2026-09") + "asked u1 contract, static north+south"
	w.want("it went", w.take(), want)
	w.counted(got, counts{job.Asked: 3, "chunks:north": 3, "chunks:south": 3, "readings:north": 31*24 + 31*24 + 14*24, "static:north": 1})
	if cell := w.cell(hourly("2026-07")); cell.State != ledger.Complete || cell.Raw == nil || cell.Revision != 1 {
		t.Errorf("July is %+v", cell)
	}
	if cell := w.cell(hourly("2026-09")); cell.State != ledger.Partial || cell.Tries != ledger.DefaultTries {
		t.Errorf("September, which goes on, is %+v", cell)
	}
	c := w.chunks[0]
	if c.Run != "run1" || !c.FetchedAt.Equal(start) || c.CUPS != testCUPS {
		t.Errorf("the chunk is of run %s, fetched at %s, of %s", c.Run, c.FetchedAt, c.CUPS)
	}
}

// A step whose predecessor failed is not taken; what is asked again after that
// is what the ledger does not know.
func TestNothingFollowsAFailure(t *testing.T) {
	t.Parallel()
	cases := []struct{ broken, want, again string }{
		{"intended", "intended", "asked u1 hour 2026-07"},
		{"raw", "intended, asked u1 hour 2026-07, raw", "asked u1 hour 2026-07"},
		{"kept", "intended, asked u1 hour 2026-07, raw, kept", "opened, asked u1 hour 2026-08"},
		{"published north/2026-07/1", "intended, asked u1 hour 2026-07, raw, kept, published north/2026-07/1", "opened, asked u1 hour 2026-08"},
	}
	for _, c := range cases {
		t.Run(c.broken, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.full()
			w.broken[c.broken] = errors.New("down")
			verdict := w.handle(1, access("u1", "north"))
			if verdict.Action != job.Retry || verdict.Delay != retryDelays[0] || verdict.Failure.Class != "engine_error" {
				t.Errorf("the verdict is %+v", verdict)
			}
			w.want("it went", w.take(), c.want)
			delete(w.broken, c.broken)
			w.handle(2, access("u1", "north"))
			if got := w.take("asked", "opened"); !strings.HasPrefix(got, c.again) {
				t.Errorf("then it went %s\nwant %s first", got, c.again)
			}
			if got := w.cell(hourly("2026-07")); got.State != ledger.Complete || got.Revision != 1 {
				t.Errorf("July is %+v", got)
			}
		})
	}
}

// When the engine's own servers fail to the last, the supply is a dead letter;
// an item that cannot be read is one at once.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.broken["raw"] = errors.New("no broker")
	verdict := w.handle(len(retryDelays)+1, access("u1", "north", "south"))
	if verdict.Action != job.Bury || verdict.Failure.Class != "engine_error" || verdict.Counts["dead_letters:north"] != 1 || verdict.Counts["dead_letters:south"] != 1 {
		t.Errorf("the verdict is %+v", verdict)
	}
	verdict = w.Handle(t.Context(), []byte(`{"v":99,"item":{}}`), 1)
	if verdict.Action != job.Bury || verdict.Failure.Class != "schema" {
		t.Errorf("of an unreadable item: %+v", verdict)
	}
}

// What is refused to one account is asked through the next, which is asked for
// the rest too.
func TestSecondAccount(t *testing.T) {
	t.Parallel()
	refusals := map[string]func(w *world){
		"403":            func(w *world) { w.on("u1 hour 2026-07", says(403, `{"message":"no tiene permisos"}`)) },
		"400":            func(w *world) { w.on("u1 hour 2026-07", says(400, "El usuario no se encuentra autorizado")) },
		"wrong password": func(w *world) { w.broken["login u1"] = errors.New("wrong") },
	}
	for name, refuse := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.full()
			refuse(w)
			got := w.done(access("u1", "north"), access("u2", "south"))
			asked := w.take("asked", "published")
			first := "asked u1 hour 2026-07, "
			if name == "wrong password" {
				first = ""
			}
			const one = "asked u2 hour %s, published north/%[1]s/1 south/%[1]s/1"
			w.want("it went", asked, first+fmt.Sprintf(one, "2026-07")+", "+fmt.Sprintf(one, "2026-08")+", "+fmt.Sprintf(one, "2026-09")+", asked u2 contract")
			w.counted(got, counts{job.Asked: 3, job.Failed: 1})
		})
	}
}

// The second account is asked also when the first was refused in an earlier
// attempt, and Datadis would refuse the same again.
func TestSecondAccountAfterARetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	w.on("u1 hour 2026-07", says(403, `{"message":"no tiene permisos"}`))
	w.on("u1 hour 2026-08", says(403, `{"message":"no tiene permisos"}`))
	w.on("u2 hour 2026-07", says(503, "down"), hours("2026-07", 0.5, 0))
	accesses := []job.Access{access("u1", "north"), access("u2", "south")}
	if verdict := w.handle(1, accesses...); verdict.Action != job.Retry {
		t.Fatalf("the verdict is %+v", verdict)
	}
	w.want("asked", w.take("asked"), "asked u1 hour 2026-07, asked u2 hour 2026-07, asked u2 hour 2026-08, asked u2 hour 2026-09")
	verdict := w.handle(2, accesses...)
	if verdict.Action != job.Done {
		t.Fatalf("the verdict is %+v", verdict)
	}
	w.want("asked", w.take("asked"), "asked u2 hour 2026-07, asked u1 contract, asked u2 contract")
	w.counted(verdict.Counts, counts{job.Asked: 1})
	if cell := w.cell(hourly("2026-07")); cell.State != ledger.Complete {
		t.Errorf("July is %+v", cell)
	}
}

// A supply that no account may ask for is a dead letter in the end, however few
// chunks of it are due; Datadis is not asked the same twice for that.
func TestUnauthorised(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Window = ledger.Window{From: month("2026-09"), To: month("2026-09")}
	w.on("hour 2026-09", says(403, `{"message":"no tiene permisos"}`))
	for attempt := 1; attempt <= len(retryDelays); attempt++ {
		verdict := w.handle(attempt, access("u1", "north"))
		if verdict.Action != job.Retry || verdict.Failure.Class != "unauthorised" || verdict.Delay != retryDelays[attempt-1] {
			t.Fatalf("attempt %d: %+v", attempt, verdict)
		}
	}
	verdict := w.handle(len(retryDelays)+1, access("u1", "north"))
	if verdict.Action != job.Bury || verdict.Failure.Class != "unauthorised" || strings.Contains(verdict.Failure.Reason, string(testCUPS)) {
		t.Errorf("at last: %+v", verdict)
	}
	w.want("asked", w.take("asked"), "asked u1 hour 2026-09, asked u1 contract")
	if cell := w.cell(hourly("2026-09")); cell.State != ledger.Refused {
		t.Errorf("September is %+v", cell)
	}
}

// A dead letter that somebody wants to be tried again is asked for although it
// was refused within a day, but only if that was for want of authorisation.
func TestAgain(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		refusal http.HandlerFunc
		again   bool
		asked   bool
	}{
		{"authorised since", says(403, `{"message":"no tiene permisos"}`), true, true},
		{"nobody wants it", says(403, `{"message":"no tiene permisos"}`), false, false},
		{"asked before", says(429, "Consulta ya realizada en las últimas 24 horas"), true, false},
		{"not accepted", says(400, "Parámetros incorrectos"), true, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Window = ledger.Window{From: month("2026-07"), To: month("2026-07")}
			w.on("hour 2026-07", c.refusal, hours("2026-07", 0.5, 0))
			w.handle(len(retryDelays)+1, access("u1", "north"))
			w.take()
			verdict := w.device(1, job.Device{Accesses: []job.Access{access("u1", "north")}, Again: c.again})
			if got := w.take("asked"); strings.Contains(got, "hour") != c.asked {
				t.Errorf("asked %q; the verdict is %+v", got, verdict)
			}
			if published := len(w.chunks) > 0; published != c.asked {
				t.Errorf("published: %t", published)
			}
		})
	}
}

// Again asks also for what has no tries left.
func TestAgainIgnoresTries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Window = ledger.Window{From: month("2026-07"), To: month("2026-07")}
	w.on("hour 2026-07", says(503, "down"))
	for range ledger.DefaultTries {
		w.handle(len(retryDelays)+1, access("u1", "north"))
		w.forward(25 * time.Hour)
	}
	if cell := w.cell(hourly("2026-07")); cell.Tries != 0 || cell.State != ledger.Failed {
		t.Fatalf("July is %+v", cell)
	}
	w.take()
	w.done(access("u1", "north"))
	w.want("asked", w.take("asked"), "asked u1 contract")
	w.on("hour 2026-07", hours("2026-07", 0.5, 0))
	w.device(1, job.Device{Accesses: []job.Access{access("u1", "north")}, Again: true})
	if cell := w.cell(hourly("2026-07")); cell.State != ledger.Complete {
		t.Errorf("July is %+v", cell)
	}
}

// What Datadis refuses, or fails to answer, costs that query what it should,
// and the others nothing.
func TestFailures(t *testing.T) {
	t.Parallel()
	type want struct {
		verdict job.Verdict
		asked   string // hours
		counts  counts
		tries   int
		class   ledger.Class
	}
	const all = "asked u1 hour 2026-07, asked u1 hour 2026-08, asked u1 hour 2026-09"
	retry := job.Verdict{Action: job.Retry, Delay: retryDelays[0], Failure: job.Failure{Class: "datadis_unavailable"}}
	cool := func(d time.Duration) job.Verdict { return job.Verdict{Action: job.Release, Delay: d, Cool: d} }
	tries := ledger.DefaultTries
	cases := []struct {
		name   string
		answer http.HandlerFunc // of July
		first  want
		last   want // in the last attempt
	}{
		{
			"asked before", says(429, "Consulta ya realizada en las últimas 24 horas"),
			want{job.Verdict{}, all, counts{job.Asked: 2, job.Failed: 1, job.Refused: 1, job.Left: 1}, tries, ledger.Repeated},
			want{job.Verdict{}, all, counts{job.Asked: 2, job.Failed: 1, job.Refused: 1, job.Left: 1}, tries, ledger.Repeated},
		},
		{
			"too many requests", says(429, "Too many requests"),
			want{cool(time.Minute), "asked u1 hour 2026-07", counts{job.Failed: 1}, tries, ledger.Limited},
			want{cool(time.Minute), "asked u1 hour 2026-07", counts{job.Failed: 1}, tries, ledger.Limited},
		},
		{
			"asked before, it says, and when to come back", says(429, "Consulta ya realizada", "Retry-After", "90"),
			want{cool(90 * time.Second), "asked u1 hour 2026-07", counts{job.Failed: 1}, tries, ledger.Limited},
			want{cool(90 * time.Second), "asked u1 hour 2026-07", counts{job.Failed: 1}, tries, ledger.Limited},
		},
		{
			"down", says(503, "down"),
			want{retry, all, counts{job.Asked: 2, job.Failed: 1}, tries, ledger.Interrupted},
			want{job.Verdict{Action: job.Defer, Failure: retry.Failure}, all, counts{job.Asked: 2, job.Failed: 1}, tries - 1, ledger.Unavailable},
		},
		{
			"a web page", says(200, "<html>mantenimiento</html>"),
			want{retry, all, counts{job.Asked: 2, job.Failed: 1}, tries, ledger.Interrupted},
			want{job.Verdict{Action: job.Defer, Failure: retry.Failure}, all, counts{job.Asked: 2, job.Failed: 1}, tries - 1, ledger.TimedOut},
		},
		{
			"cut", cut,
			want{retry, all, counts{job.Asked: 2, job.Failed: 1}, tries, ledger.Interrupted},
			want{job.Verdict{Action: job.Defer, Failure: retry.Failure}, all, counts{job.Asked: 2, job.Failed: 1}, tries - 1, ledger.TimedOut},
		},
		{
			"not accepted", says(400, "Parámetros incorrectos"),
			want{job.Verdict{}, all, counts{job.Asked: 2, job.Failed: 1, job.Left: 1}, tries - 1, ledger.Rejected},
			want{job.Verdict{}, all, counts{job.Asked: 2, job.Failed: 1, job.Left: 1}, tries - 1, ledger.Rejected},
		},
		{
			"no data", says(404, "Data not found"),
			want{job.Verdict{}, all, counts{job.Asked: 3}, tries - 1, ledger.NoError},
			want{job.Verdict{}, all, counts{job.Asked: 3}, tries - 1, ledger.NoError},
		},
		{
			"an empty list", says(200, `{"timeCurve":[],"distributorError":[]}`),
			want{job.Verdict{}, all, counts{job.Asked: 3}, tries - 1, ledger.NoError},
			want{job.Verdict{}, all, counts{job.Asked: 3}, tries - 1, ledger.NoError},
		},
		{
			"the distributor failed", says(200, `{"timeCurve":[],"distributorError":[{"distributorCode":"2","errorCode":"10","errorDescription":"Error interno distribuidora"}]}`),
			want{job.Verdict{}, all, counts{job.Asked: 3, job.Failed: 1, job.Left: 1}, tries - 1, ledger.Unreadable},
			want{job.Verdict{}, all, counts{job.Asked: 3, job.Failed: 1, job.Left: 1}, tries - 1, ledger.Unreadable},
		},
		{
			"not what is documented", says(200, `{"something":"else"}`),
			want{job.Verdict{}, all, counts{job.Asked: 3, job.Failed: 1, job.Left: 1}, tries - 1, ledger.Unreadable},
			want{job.Verdict{}, all, counts{job.Asked: 3, job.Failed: 1, job.Left: 1}, tries - 1, ledger.Unreadable},
		},
	}
	for _, c := range cases {
		for attempt, want := range map[int]want{1: c.first, len(retryDelays) + 1: c.last} {
			t.Run(fmt.Sprintf("%s/%d", c.name, attempt), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.full()
				w.on("hour 2026-07", c.answer)
				got := w.handle(attempt, access("u1", "north"))
				w.counted(got.Counts, want.counts)
				got.Counts, got.Failure.Reason = nil, ""
				if fmt.Sprint(got) != fmt.Sprint(want.verdict) {
					t.Errorf("the verdict is %+v\nwant %+v", got, want.verdict)
				}
				asked := w.take("asked")
				w.want("asked", strings.TrimSuffix(asked, ", asked u1 contract"), want.asked)
				if cell := w.cell(hourly("2026-07")); cell.Tries != want.tries || cell.Class != want.class || cell.HasContent() {
					t.Errorf("July is %+v, want %d tries, class %q", cell, want.tries, want.class)
				}
			})
		}
	}
}

// A query that Datadis refused to repeat waits for a day; the next run then has
// its answer.
func TestRepeatedAfterADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	w.on("hour 2026-07", says(429, "Consulta ya realizada en las últimas 24 horas"), hours("2026-07", 0.5, 0))
	w.done(access("u1", "north"))
	w.take()
	w.forward(time.Hour)
	w.counted(w.done(access("u1", "north")), counts{job.Left: 1})
	w.want("an hour later, asked", w.take("asked"), "")
	w.forward(24 * time.Hour)
	w.done(access("u1", "north"))
	w.want("published", w.take("published"), "published north/2026-07/1")
}

// In a simulation a day may be seconds: then the supply comes back in the run.
func TestRepeatedSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	w.Ledger = ledger.New(w.memory, ledger.Config{Now: w.clock, RepeatAfter: 5 * time.Second})
	w.on("hour 2026-07", says(429, "Consulta ya realizada en las últimas 24 horas"), hours("2026-07", 0.5, 0))
	if got := w.handle(1, access("u1", "north")); got.Action != job.Release || got.Delay != 5*time.Second || got.Cool != 0 || got.Counts[job.Left] != 0 {
		t.Errorf("the verdict is %+v", got)
	}
}

// A distributor that is left alone is not asked, and that costs no try, not
// even in the last attempt.
func TestRestingDistributor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Window = ledger.Window{From: month("2025-11"), To: month("2026-09")}
	for m := w.Window.From; m <= w.Window.To; m++ {
		w.on("hour "+m.String(), says(503, "down"))
	}
	for range 2 { // of eleven months each: the breaker opens at twenty calls
		w.handle(1, access("u1", "north"))
	}
	asked := strings.Count(w.take("asked"), "hour")
	verdict := w.handle(len(retryDelays)+1, access("u1", "north"))
	if verdict.Action != job.Defer || verdict.Failure.Class != "datadis_unavailable" {
		t.Errorf("the verdict is %+v", verdict)
	}
	if got := w.take("asked"); asked < 20 || strings.Contains(got, "hour") {
		t.Errorf("asked %d times, and then %q", asked, got)
	}
	if cell := w.cell(hourly("2026-07")); cell.Tries != ledger.DefaultTries || cell.Class != ledger.Interrupted {
		t.Errorf("July is %+v", cell)
	}
}

// Calls stop between two queries when the process is about to, and the rest is
// handed back without penalty.
func TestStopping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	stopping := make(chan struct{})
	w.Stopping = stopping
	july := hours("2026-07", 0.5, 0)
	w.on("hour 2026-07", func(rw http.ResponseWriter, r *http.Request) {
		close(stopping)
		july(rw, r)
	})
	verdict := w.handle(1, access("u1", "north"))
	if verdict.Action != job.Release || verdict.Delay != 0 || verdict.Counts["chunks:north"] != 1 {
		t.Errorf("the verdict is %+v", verdict)
	}
	w.want("it went", w.take(), "intended, asked u1 hour 2026-07, raw, kept, published north/2026-07/1, answered")
	w.Stopping = nil
	w.done(access("u1", "north"))
	w.want("then", w.take("asked"), "asked u1 hour 2026-08, asked u1 hour 2026-09, asked u1 contract")
}

// Whatever this process cannot do now is handed back.
func TestHandedBack(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		broken string
		err    error
		want   job.Verdict
	}{
		{"another run works on it", "hold", ErrBusy, job.Verdict{Action: job.Release, Delay: busyDelay}},
		{"no hold can be had", "hold", errors.New("down"), job.Verdict{Action: job.Retry, Delay: busyDelay, Failure: job.Failure{Class: "engine_error"}}},
		{"unknown key", "session u1", fmt.Errorf("%w: 7", login.ErrKeyUnknown), job.Verdict{Action: job.Release, Delay: keyDelay}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.broken[c.broken] = c.err
			got := w.handle(len(retryDelays)+1, access("u1", "north"))
			got.Failure.Reason, got.Counts = "", nil
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("the verdict is %+v\nwant %+v", got, c.want)
			}
			w.want("it went", w.take(), "")
		})
	}
}

// A call that is interrupted costs no attempt; the intent stays, and the query
// may be made again.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	ctx, cancel := context.WithCancel(t.Context())
	july := hours("2026-07", 0.5, 0)
	w.on("hour 2026-07", func(http.ResponseWriter, *http.Request) {
		cancel()
		panic(http.ErrAbortHandler)
	}, july)
	body, err := job.Device{Accesses: []job.Access{access("u1", "north")}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Handle(ctx, body, len(retryDelays)+1); got.Action != job.Release || got.Counts[job.Failed] != 0 {
		t.Errorf("the verdict is %+v", got)
	}
	w.take()
	w.done(access("u1", "north"))
	if got := w.take("asked"); !strings.HasPrefix(got, "asked u1 hour 2026-07") {
		t.Errorf("then asked %s", got)
	}
}

// Every result is told of, in chunks.
func TestObserved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full()
	seen := make(map[Result]int)
	w.Observe = func(_ sdk.Series, result Result, n int) { seen[result] += n }
	w.on("hour 2026-08", says(404, "Data not found"))
	w.on("hour 2026-09", says(503, "down"), says(429, "Consulta ya realizada"))
	w.handle(1, access("u1", "north", "south"))
	w.handle(2, access("u1", "north", "south"))
	want := map[Result]int{Published: 2, Empty: 1, Failed: 1, Repeated: 1}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("told of %v, want %v", seen, want)
	}
}
