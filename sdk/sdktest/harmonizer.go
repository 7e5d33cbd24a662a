package sdktest

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Fresh is a harmonizer with nothing in its store.
type Fresh struct {
	Harmonizer sdk.Harmonizer
	// Snapshot is what the store holds, for comparison with [reflect.DeepEqual];
	// nil for a harmonizer that only returns records.
	Snapshot func(t *testing.T) any
}

// Harmonizer checks a harmonizer. Each call of open makes one with a store of
// its own.
func Harmonizer(t *testing.T, open func(t *testing.T) Fresh) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, *stage){
		"takes an empty batch":                emptyBatch,
		"takes every kind of month":           everyMonth,
		"repeats a batch without a trace":     repeatedBatch,
		"takes a revision":                    revisedChunk,
		"takes items one by one":              oneByOne,
		"recovers from a cancelled call":      cancelledCall,
		"takes supplies":                      supplies,
		"takes the end of a run twice":        endOfRun,
		"takes the end of a run it never saw": unknownRun,
	} {
		t.Run(name, func(t *testing.T) { check(t, &stage{open: open, plugin: open(t), records: map[string]string{}}) })
	}
}

// stage is a harmonizer on trial, and what its records have made of the world.
type stage struct {
	open    func(t *testing.T) Fresh
	plugin  Fresh
	records map[string]string // by topic and key, the last wins
}

// state is all that the harmonizer has brought about.
func (s *stage) state(t *testing.T) any {
	t.Helper()
	var store any
	if s.plugin.Snapshot != nil {
		store = s.plugin.Snapshot(t)
	}
	records := make(map[string]string, len(s.records))
	for key, value := range s.records {
		records[key] = value
	}
	return []any{store, records}
}

// other is a stage with a store of its own.
func (s *stage) other(t *testing.T) *stage {
	t.Helper()
	return &stage{open: s.open, plugin: s.open(t), records: map[string]string{}}
}

func (s *stage) harmonize(t *testing.T, id string, chunks ...sdk.Chunk) {
	t.Helper()
	result, err := s.plugin.Harmonizer.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Run: Run, ID: id, Items: chunks})
	if err != nil {
		t.Fatal(err)
	}
	s.take(t, result, len(chunks))
}

// take checks a result, and does what it says. Topics stand for themselves:
// records of the same topic and key replace each other.
func (s *stage) take(t *testing.T, result sdk.Result, items int) {
	t.Helper()
	for _, r := range result.Records {
		if r.Item < 0 || r.Item >= items || r.Topic == "" {
			t.Errorf("a record of item %d of %d for topic %q", r.Item, items, r.Topic)
		}
		s.records[r.Topic+"\x00"+string(r.Key)] = string(r.Value)
	}
	for _, i := range result.Items {
		switch {
		case i.Item < 0 || i.Item >= items:
			t.Errorf("a verdict on item %d of %d", i.Item, items)
		case i.Verdict == sdk.Rejected:
			t.Errorf("item %d is rejected: %s %s", i.Item, i.Reason, i.Message)
		case i.Verdict == sdk.Retry:
			t.Errorf("item %d is to come again: %s %s", i.Item, i.Reason, i.Message)
		}
	}
}

// same fails the test if two states differ.
func same(t *testing.T, what string, have, want any) {
	t.Helper()
	if !reflect.DeepEqual(have, want) {
		t.Errorf("%s: the state is\n%.2000v\nnot\n%.2000v", what, have, want)
	}
}

func emptyBatch(t *testing.T, s *stage) {
	before := s.state(t)
	s.harmonize(t, "empty")
	same(t, "after nothing", s.state(t), before)
}

func everyMonth(t *testing.T, s *stage) {
	for i, chunk := range Months() {
		s.harmonize(t, fmt.Sprint("month-", i), chunk)
	}
	s.harmonize(t, "all", Months()...)
}

func repeatedBatch(t *testing.T, s *stage) {
	s.harmonize(t, "batch", Months()...)
	first := s.state(t)
	s.harmonize(t, "batch", Months()...)
	same(t, "the same batch again", s.state(t), first)
	s.harmonize(t, "other", Months()...)
	same(t, "the same chunks in another batch", s.state(t), first)
}

func revisedChunk(t *testing.T, s *stage) {
	month := sdk.NewMonth(2025, time.March)
	for _, series := range []sdk.Series{sdk.EnergyHourly, sdk.PowerMonthly} {
		s.harmonize(t, "first", Chunk(CUPS, series, month, 1))
		s.harmonize(t, "second", Chunk(CUPS, series, month, 2))
	}
	only := s.other(t)
	for _, series := range []sdk.Series{sdk.EnergyHourly, sdk.PowerMonthly} {
		only.harmonize(t, "second", Chunk(CUPS, series, month, 2))
	}
	same(t, "the first revision, then the second", s.state(t), only.state(t))
}

func oneByOne(t *testing.T, s *stage) {
	s.harmonize(t, "all", Months()...)
	other := s.other(t)
	for i, chunk := range Months() {
		other.harmonize(t, fmt.Sprint("one-", i), chunk)
	}
	same(t, "one by one", other.state(t), s.state(t))
}

// cancelledCall ends a call before it begins; what the plugin answers then is
// its own affair, but it must answer, and lose nothing.
func cancelledCall(t *testing.T, s *stage) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = inTime(t, func() error {
		_, err := s.plugin.Harmonizer.HarmonizeTimeSeries(ctx, sdk.Batch[sdk.Chunk]{Run: Run, ID: "b", Items: Months()})
		return err
	})
	s.harmonize(t, "b", Months()...)
	other := s.other(t)
	other.harmonize(t, "b", Months()...)
	same(t, "cancelled, then repeated", s.state(t), other.state(t))
}

func supplies(t *testing.T, s *stage) {
	h, ok := s.plugin.Harmonizer.(sdk.SupplyHarmonizer)
	if !ok {
		t.Skip("it takes no supplies")
	}
	batch := sdk.Batch[sdk.Supply]{Run: Run, ID: "supplies", Items: Supplies()}
	var first any
	for i := range 2 {
		result, err := h.HarmonizeSupplies(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		s.take(t, result, len(batch.Items))
		if i == 0 {
			first = s.state(t)
		}
	}
	same(t, "the same supplies again", s.state(t), first)
	if _, err := h.HarmonizeSupplies(t.Context(), sdk.Batch[sdk.Supply]{Run: Run, ID: "none"}); err != nil {
		t.Error(err)
	}
	same(t, "after no supplies", s.state(t), first)
}

func end(outcome sdk.Outcome) sdk.RunEnd {
	e := sdk.RunEnd{
		Run:     sdk.Run{ID: Run, Policy: "last", Started: time.Date(2025, 4, 3, 0, 0, 0, 0, time.UTC), Sources: []string{SourceName}},
		Outcome: outcome, Finished: time.Date(2025, 4, 3, 4, 0, 0, 0, time.UTC),
	}
	if outcome != sdk.Complete {
		e.FailedGrants = []sdk.FailedGrant{{Source: SourceName, Username: "B00000000", Reason: "rejected"}}
	}
	return e
}

// finish ends the run; a plugin that does not want to know is skipped.
func (s *stage) finish(t *testing.T, outcome sdk.Outcome) {
	t.Helper()
	ender, ok := s.plugin.Harmonizer.(sdk.RunEnder)
	if !ok {
		t.Skip("it does not ask for the end of a run")
	}
	result, err := ender.EndRun(t.Context(), end(outcome))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range result.Records {
		s.records[r.Topic+"\x00"+string(r.Key)] = string(r.Value)
	}
}

func endOfRun(t *testing.T, s *stage) {
	if beginner, ok := s.plugin.Harmonizer.(sdk.RunBeginner); ok {
		for range 2 {
			if err := beginner.BeginRun(t.Context(), end(sdk.Complete).Run); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.harmonize(t, "batch", Months()...)
	for _, outcome := range []sdk.Outcome{sdk.Partial, sdk.Complete} {
		s.finish(t, outcome)
		first := s.state(t)
		s.finish(t, outcome)
		same(t, "the same end again", s.state(t), first)
	}
}

// unknownRun ends a run of which this process saw nothing: another one did.
func unknownRun(t *testing.T, s *stage) {
	for _, outcome := range []sdk.Outcome{sdk.Complete, sdk.Partial, sdk.Aborted} {
		s.finish(t, outcome)
	}
}
