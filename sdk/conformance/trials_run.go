package conformance

import (
	"context"
	"maps"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/fixture"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

var endTrials = []trial{
	{"harmonizer.end-run", endsRun},
	{"harmonizer.end-run-unseen", endsUnseenRun},
	{"harmonizer.end-run-partial", endsPartially},
	{"harmonizer.performance", measures},
	{"source.performance", measuresSource},
}

var errNoEndRun = &skipError{"it does not ask for the end of a run"}

// laterRun is so much later than the others that whoever was seen before it, and
// not in it, has been gone for long.
const laterRun = "run-2"

// startOf is when a run started.
func startOf(run string) time.Time {
	start := time.Date(2025, 4, 3, 0, 0, 0, 0, time.UTC)
	if run == laterRun {
		return start.AddDate(1, 0, 0)
	}
	return start
}

// ending is a run's end.
func ending(run string, outcome sdk.Outcome) *pb.EndRunRequest {
	e := sdk.RunEnd{
		Run:     sdk.Run{ID: run, Policy: "last", Started: startOf(run), Sources: []string{fixture.SourceName}},
		Outcome: outcome, Finished: startOf(run).Add(4 * time.Hour),
	}
	if outcome != sdk.Complete {
		e.FailedGrants = []sdk.FailedGrant{{Source: fixture.SourceName, Username: "B00000000", Reason: "rejected"}}
	}
	return wire.EncodeRunEnd(e)
}

func (s *stage) beginRun(ctx context.Context, run string) error {
	if !s.has(wire.FeatureBeginRun) {
		return nil
	}
	err := s.call(ctx, "BeginRun", func(ctx context.Context) error {
		_, err := s.harmonizer.BeginRun(ctx, &pb.BeginRunRequest{Run: ending(run, sdk.Complete).GetRun()})
		return err
	})
	if e, ok := refused(err); ok {
		return finding("batch.fails", "%s", e.text())
	}
	return err
}

func (s *stage) endRun(ctx context.Context, code, run string, outcome sdk.Outcome) (*pb.BatchResult, error) {
	result, err := s.deliver(ctx, "EndRun", -1, func(ctx context.Context) (*pb.BatchResult, error) {
		m, err := s.harmonizer.EndRun(ctx, ending(run, outcome))
		return m.GetResult(), err
	})
	if e, ok := refused(err); ok {
		return nil, finding(code, "%s: %s", outcome, e.text())
	}
	return result, err
}

// endsRun tells of the end twice, after everything that the engine may repeat.
func endsRun(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	if !s.has(wire.FeatureEndRun) {
		return errNoEndRun
	}
	for range 2 {
		if err := s.beginRun(ctx, fixture.Run); err != nil {
			return err
		}
	}
	if err := s.plain(ctx, "batch", months()...); err != nil {
		return err
	}
	for _, outcome := range []sdk.Outcome{sdk.Partial, sdk.Complete} {
		var first state
		for i := range 2 {
			if _, err := s.endRun(ctx, "end-run.fails", fixture.Run, outcome); err != nil {
				return err
			}
			now, err := s.state(ctx)
			if err != nil {
				return err
			}
			if i == 0 {
				first = now
			} else if d := first.difference(now); d != "" {
				c.find("end-run.repeat-differs", "%s: %s", outcome, d)
			}
		}
	}
	return nil
}

// endsUnseenRun ends a run of which another process had the batches.
func endsUnseenRun(ctx context.Context, c *check) error {
	for _, outcome := range []sdk.Outcome{sdk.Complete, sdk.Partial, sdk.Aborted} {
		s, err := c.fresh(ctx)
		if err != nil {
			return err
		}
		if !s.has(wire.FeatureEndRun) {
			return errNoEndRun
		}
		if _, err := s.endRun(ctx, "end-run.unseen", "run-of-others", outcome); err != nil {
			return err
		}
	}
	return nil
}

// endsPartially has two supplies in a first, complete run, and one in a second
// that is not complete. Nothing of the one that did not come may change.
func endsPartially(ctx context.Context, c *check) error {
	for _, outcome := range []sdk.Outcome{sdk.Partial, sdk.Aborted} {
		s, err := c.fresh(ctx)
		if err != nil {
			return err
		}
		if !s.has(wire.FeatureEndRun) {
			return errNoEndRun
		}
		theirs, err := s.firstRun(ctx)
		if err != nil {
			return err
		}
		if err := s.beginRun(ctx, laterRun); err != nil {
			return err
		}
		if err := s.handOver(ctx, laterRun, fixture.CUPS, 0); err != nil {
			return err
		}
		if err := s.mustSpare(ctx, outcome, theirs); err != nil {
			return err
		}
	}
	return nil
}

// firstRun hands over both supplies, and returns the names of what the second
// one brought about.
func (s *stage) firstRun(ctx context.Context) (map[string]bool, error) {
	if err := s.beginRun(ctx, fixture.Run); err != nil {
		return nil, err
	}
	if err := s.handOver(ctx, fixture.Run, fixture.CUPS, 0); err != nil {
		return nil, err
	}
	before, err := s.state(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.handOver(ctx, fixture.Run, otherCUPS, 1); err != nil {
		return nil, err
	}
	after, err := s.state(ctx)
	if err != nil {
		return nil, err
	}
	theirs := map[string]bool{}
	for name := range after {
		// What was there before, such as a table of all supplies, is not theirs.
		if _, known := before[name]; !known {
			theirs[name] = true
		}
	}
	_, err = s.endRun(ctx, "end-run.fails", fixture.Run, sdk.Complete)
	return theirs, err
}

// handOver hands over one supply and a chunk of it, in batches of their own.
func (s *stage) handOver(ctx context.Context, run string, cups sdk.CUPS, which int) error {
	if s.has(wire.FeatureSupplies) {
		supply := supplies()[which]
		supply.Run, supply.Cups = run, string(cups)
		supply.FetchedAt = timestamppb.New(startOf(run).Add(2 * time.Hour))
		supply.ValidTo = nil // one whose contract is over may be cancelled in a first run
		if err := s.mustTake(s.harmonizeSupplies(ctx, run+"-supply-"+string(cups), supply)); err != nil {
			return err
		}
	}
	chunk := month(cups, sdk.EnergyHourly, 1)
	chunk.Run = run
	result, err := s.deliver(ctx, "HarmonizeTimeSeries", 1, func(ctx context.Context) (*pb.BatchResult, error) {
		m, err := s.harmonizer.HarmonizeTimeSeries(ctx, &pb.HarmonizeTimeSeriesRequest{Run: run, Batch: run + "-" + string(cups), Chunks: []*pb.Chunk{chunk}})
		return m.GetResult(), err
	})
	return s.mustTake(result, err)
}

// mustSpare ends the second run, and compares what belongs to the supply that
// did not come.
func (s *stage) mustSpare(ctx context.Context, outcome sdk.Outcome, theirs map[string]bool) error {
	before, err := s.state(ctx)
	if err != nil {
		return err
	}
	result, err := s.endRun(ctx, "end-run.fails", laterRun, outcome)
	if err != nil {
		return err
	}
	after, err := s.state(ctx)
	if err != nil {
		return err
	}
	other := func(name, _ string) bool { return !theirs[name] }
	maps.DeleteFunc(before, other)
	maps.DeleteFunc(after, other)
	if d := before.difference(after); d != "" {
		s.find("end-run.partial-cancels", "%s: %s", outcome, d)
	}
	for _, r := range result.GetRecords() {
		if text := strings.ToUpper(string(r.GetKey()) + " " + string(r.GetValue())); strings.Contains(text, string(otherCUPS.Key())) {
			s.find("end-run.partial-cancels", "%s: a record for %s of the supply that did not come, key %q", outcome, r.GetTopic(), cut(string(r.GetKey())))
		}
	}
	return nil
}
