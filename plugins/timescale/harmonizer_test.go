package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/postgrestest"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

var march = sdk.NewMonth(2026, time.March)

// decimal reads a number of a test.
func decimal(t testing.TB, text string) sdk.Decimal {
	t.Helper()
	d, err := sdk.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// small is a chunk of a few hours of March, with these values; "" is null, and a
// text that starts with 2h: a reading of two hours.
func small(t testing.TB, revision uint32, values ...string) sdk.Chunk {
	t.Helper()
	c := sdk.Chunk{
		ID: sdk.ChunkID(sdktest.CUPS, sdk.EnergyHourly, march), Revision: revision, Run: "run", Source: "north",
		CUPS: sdktest.CUPS, Series: sdk.EnergyHourly, Month: march, FetchedAt: time.Date(2026, 4, int(revision), 0, 0, 0, 0, time.UTC),
		Methods: []string{"Real"}, Flags: make([]sdk.Flags, len(values)),
	}
	at := march.Start().Unix()
	for i, value := range values {
		value, merged := strings.CutPrefix(value, "2h:")
		c.Starts, c.Spans, c.MethodIndex = append(c.Starts, at), append(c.Spans, 3600), append(c.MethodIndex, 0)
		if merged {
			c.Spans[i], c.Flags[i] = 7200, sdk.Merged
		}
		if value != "" {
			c.Consumption.Set(i, decimal(t, value))
		}
		at += int64(c.Spans[i])
	}
	c.Consumption.Close(len(values))
	return sdktest.Sealed(c)
}

// values are the readings' consumption in time order.
func (w *world) values() []string {
	return w.rows("SELECT consumption_kwh FROM datadis.readings ORDER BY start_time")
}

// TestRowsOfEverySeries has what the tables hold in golden files.
func TestRowsOfEverySeries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	energy := small(t, 3, "0.312", "", "0", "-0.012", "123456789012345.678", "2h:1.5")
	energy.Surplus.Set(0, decimal(t, "0.000000000000000001"))
	energy.Surplus.Close(energy.Len())
	energy.Methods = []string{"Real", "tab\there \\N"}
	energy.MethodIndex[1] = 1
	energy.Flags[0] = sdk.Assumed | sdk.Midnight
	quarters := sdktest.Chunk(sdktest.CUPS, sdk.EnergyQuarterHour, march, 1)
	w.write([]sdk.Chunk{
		sdktest.Sealed(energy), quarters,
		sdktest.Chunk(sdktest.CUPS, sdk.PowerMonthly, march, 1), sdktest.Chunk(sdktest.CUPS, sdk.ReactiveMonthly, march, 2),
	})
	w.writeSupplies(sdktest.Supplies())
	all := w.contents()
	lines := slices.DeleteFunc(all["readings"], func(line string) bool {
		return strings.Contains(line, "PT15M") && !strings.Contains(line, "2026-03-29 00:") && !strings.Contains(line, "2026-03-29 01:")
	})
	w.golden("readings.txt", lines)
	w.golden("chunks.txt", all["chunks"])
	w.golden("supplies.txt", all["supplies"])
	if got := w.one("SELECT count(*) FROM datadis.readings WHERE resolution = 'PT15M'"); got != "2972" {
		t.Errorf("March has %s quarter hours", got)
	}
}

// TestRevisions leaves exactly one version of a month, the newest, and writes
// only what changed.
func TestRevisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write([]sdk.Chunk{small(t, 1, "1", "2", "3", "4")})
	before := w.rows("SELECT r.xmin FROM datadis.reading r ORDER BY start_time")
	w.write([]sdk.Chunk{small(t, 2, "1", "2.5", "2h:3")})
	if got := w.values(); !slices.Equal(got, []string{"(1)", "(2.5)", "(3)"}) {
		t.Errorf("after the revision: %q", got)
	}
	if got := w.one("SELECT end_time - start_time FROM datadis.reading ORDER BY start_time DESC LIMIT 1"); got != "02:00:00" {
		t.Errorf("the merged reading lasts %s", got)
	}
	after := w.rows("SELECT r.xmin FROM datadis.reading r ORDER BY start_time")
	if after[0] != before[0] || after[1] == before[1] {
		t.Errorf("written by the transactions %v, then %v: the first row did not change, the second did", before, after)
	}
	w.write([]sdk.Chunk{small(t, 1, "1", "2", "3", "4")}, "0 older_revision")
	w.write([]sdk.Chunk{small(t, 2, "1", "2.5", "2h:3")}) // again: done, not older
	w.write([]sdk.Chunk{small(t, 1, "9"), small(t, 4, "7"), small(t, 3, "8")}, "2 older_revision")
	if got := w.values(); !slices.Equal(got, []string{"(7)"}) {
		t.Errorf("at last: %q", got)
	}
	w.write([]sdk.Chunk{small(t, 5)})
	if got := w.values(); len(got) != 0 {
		t.Errorf("after an empty revision: %q", got)
	}
	reset := small(t, 5, "5")
	reset.FetchedAt = reset.FetchedAt.Add(time.Hour)
	w.write([]sdk.Chunk{reset})
	if got := w.values(); !slices.Equal(got, []string{"(5)"}) {
		t.Errorf("the same revision of a later answer: %q", got)
	}
}

// TestNeighbours leaves alone what is not the chunk's: other months, supplies,
// series and sources.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var others []sdk.Chunk
	for _, change := range []func(*sdk.Chunk){
		func(c *sdk.Chunk) { c.Source = "south" },
		func(c *sdk.Chunk) { c.CUPS = "ES0031000000000002JN0F" },
		func(c *sdk.Chunk) { *c = sdktest.Chunk(c.CUPS, c.Series, march-1, 1) },
		func(c *sdk.Chunk) { *c = sdktest.Chunk(c.CUPS, c.Series, march+1, 1) },
		func(c *sdk.Chunk) { *c = sdktest.Chunk(c.CUPS, sdk.EnergyQuarterHour, march, 1) },
	} {
		c := small(t, 1, "1", "2")
		change(&c)
		others = append(others, c)
	}
	w.write(others)
	before := w.contents()["readings"]
	w.write([]sdk.Chunk{small(t, 1, "1", "2", "3")})
	w.write([]sdk.Chunk{small(t, 2)})
	if after := w.contents()["readings"]; !slices.Equal(before, after) {
		t.Errorf("%d rows before, %d after", len(before), len(after))
	}
}

// TestRefused writes the rest of a batch of which some cannot be written.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Sources = []string{"north", "south"} })
	bad := func(change func(*sdk.Chunk)) sdk.Chunk {
		c := small(t, 1, "1", "2")
		change(&c)
		return c
	}
	w.write([]sdk.Chunk{
		bad(func(c *sdk.Chunk) { c.Source = "west" }),
		bad(func(c *sdk.Chunk) { c.Series.Resolution = "P1D" }),
		bad(func(c *sdk.Chunk) { c.CUPS = "ES\x00" }),
		bad(func(c *sdk.Chunk) { c.Methods = []string{"\xff"} }),
		bad(func(c *sdk.Chunk) { c.Spans = c.Spans[:1] }),
		bad(func(c *sdk.Chunk) { c.Starts[1] = march.End().Unix() }),
		bad(func(c *sdk.Chunk) { c.Month = 0 }),
		small(t, 1, "1", "2"),
	}, "0 other_source", "1 unknown_series", "2 bad_text", "3 bad_text", "4 bad_chunk", "5 bad_chunk", "6 bad_month")
	if got := w.values(); !slices.Equal(got, []string{"(1)", "(2)"}) {
		t.Errorf("got %q", got)
	}
	supplies := sdktest.Supplies()
	supplies[0].Sources, supplies[1].Raw = []string{"west"}, []byte("{")
	third := sdktest.Supplies()[0]
	third.Sources = []string{"west", "south"}
	w.writeSupplies(append(supplies, third), "0 other_source", "1 bad_text")
	if got := w.rows("SELECT sources FROM datadis.supply"); !slices.Equal(got, []string{"({south})"}) {
		t.Errorf("got %q", got)
	}
}

// TestDuplicates keeps one reading of an interval: the first that is not
// doubtful, in whatever order they come.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := small(t, 1, "1", "2", "3", "4")
	c.Starts[3], c.Starts[0] = c.Starts[1], c.Starts[2] // 2 and 4 share one hour, 3 and 1 the next
	c.Flags[0] = sdk.Padding
	w.write([]sdk.Chunk{c})
	want := []string{"(2,duplicate)", "(3,duplicate)"}
	if got := w.rows("SELECT consumption_kwh, flags FROM datadis.readings ORDER BY start_time"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSupplies replaces an account's view of a supply by a later one only.
func TestSupplies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	supply := sdktest.Supplies()[0]
	later, other := supply, supply
	later.FetchedAt, later.Address = supply.FetchedAt.Add(time.Hour), "C/ NOVA, 1"
	other.AuthorizedNIF = ""
	w.writeSupplies([]sdk.Supply{supply, later, other})
	w.writeSupplies([]sdk.Supply{supply})
	want := []string{`("","C/ DE L'ALBEREDA, 5, 2º 1ª")`, `(12345678Z,"C/ NOVA, 1")`}
	if got := w.rows("SELECT authorized_nif, address FROM datadis.supply ORDER BY 1"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := w.one("SELECT raw->'somethingNew'->>'a' FROM datadis.supply WHERE authorized_nif = ''"); got != "1" {
		t.Errorf("a field that nobody knows became %s", got)
	}
}

// TestTwoProcesses write the same chunks in random orders at the same time.
// Whoever comes last, the newest revision stays.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const supplies, revisions, newest = 12, 5, "5"
	var chunks []sdk.Chunk
	for i := range supplies {
		for revision := range uint32(revisions) {
			c := small(t, revision+1, fmt.Sprint(revision+1), fmt.Sprint(revision+1))
			c.CUPS = sdk.CUPS(fmt.Sprintf("ES%016dJN", i))
			chunks = append(chunks, c)
		}
	}
	var all sync.WaitGroup
	for process := range uint64(3) {
		h, order := w.another(), slices.Clone(chunks)
		rand.New(rand.NewPCG(process, 0)).Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		all.Go(func() {
			for batch := range slices.Chunk(order, 7) {
				if _, err := h.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Items: batch}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := w.one("SELECT count(*) FROM datadis.readings WHERE consumption_kwh = " + newest); got != fmt.Sprint(2*supplies) {
		t.Errorf("%s readings are of the newest revision, want %d", got, 2*supplies)
	}
	if got := w.one("SELECT count(*) FROM datadis.readings"); got != fmt.Sprint(2*supplies) {
		t.Errorf("there are %s readings, want %d", got, 2*supplies)
	}
}

// TestOutage stops the server, cutting connections, and starts it again: the
// engine is told to try later, and the repeated batch leaves one version.
func TestOutage(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	w := worldAt(t, s.Database(t))
	s.Stop()
	chunks := []sdk.Chunk{small(t, 1, "1", "2")}
	try := func() error {
		_, err := w.h.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Run: "run", ID: "b", Items: chunks})
		return err
	}
	down := func(when string) {
		t.Helper()
		err := try()
		if kindOf(err) != sdk.Unavailable || strings.Contains(err.Error(), postgrestest.Password) {
			t.Errorf("%s: kind %q: %v", when, kindOf(err), err)
		}
		if err := w.h.CheckHealth(t.Context()); err == nil {
			t.Errorf("%s: it is called healthy", when)
		}
	}
	down("before the first call")
	if problems := check(t.Context(), sdk.Instance{Name: "timescale"}, w.config); len(problems) > 0 {
		t.Errorf("a server that is down is called a mistake: %v", problems)
	}
	s.Restart(t)
	for _, end := range []func(){s.Stop, s.Kill} {
		if err := try(); err != nil {
			// The pool may hold a connection that the server has cut.
			if kindOf(err) != sdk.Unavailable {
				t.Fatal(err)
			}
			if err := try(); err != nil {
				t.Fatal(err)
			}
		}
		end()
		down("after it was stopped")
		s.Restart(t)
	}
	if err := try(); err != nil && try() != nil {
		t.Fatal(err)
	}
	w.db = postgrestest.Connect(t, w.url)
	if got := w.values(); !slices.Equal(got, []string{"(1)", "(2)"}) {
		t.Errorf("got %q", got)
	}
}
