package conformance

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/fixture"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

var harmonizerTrials = []trial{
	{"harmonizer.months", takesMonths},
	{"harmonizer.supplies", takesSupplies},
	{"harmonizer.again", repeatsBatch},
	{"harmonizer.revision", takesRevision},
	{"harmonizer.split", splitsBatch},
	{"harmonizer.poison", survivesPoison},
	{"harmonizer.limit", takesLargeRequests},
	{"harmonizer.deadline", survivesDeadline},
	{"harmonizer.kill", survivesKill},
}

// takesMonths hands over every kind of month, one by one and together, and no
// month at all.
func takesMonths(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	for i, chunk := range months() {
		if err := s.plain(ctx, fmt.Sprint("month-", i), chunk); err != nil {
			return err
		}
	}
	if err := s.plain(ctx, "all", months()...); err != nil {
		return err
	}
	return s.plain(ctx, "none")
}

func takesSupplies(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	if !s.has(wire.FeatureSupplies) {
		return &skipError{"it does not ask for supplies"}
	}
	var first state
	for i := range 2 {
		if err := s.mustTake(s.harmonizeSupplies(ctx, "supplies", supplies()...)); err != nil {
			return err
		}
		now, err := s.state(ctx)
		if err != nil {
			return err
		}
		if i == 0 {
			first = now
		} else if d := first.difference(now); d != "" {
			c.find("batch.repeat-differs", "the same supplies again: %s", d)
		}
	}
	return s.mustTake(s.harmonizeSupplies(ctx, "none"))
}

func repeatsBatch(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	var first state
	for i, id := range []string{"batch", "batch", "other"} {
		if err := s.plain(ctx, id, months()...); err != nil {
			return err
		}
		now, err := s.state(ctx)
		if err != nil {
			return err
		}
		if i == 0 {
			first = now
		} else if d := first.difference(now); d != "" {
			c.find("batch.repeat-differs", "%s", d)
		}
	}
	return nil
}

// outcome is the state that some batches come to in a world of their own.
func (c *check) outcome(ctx context.Context, batches ...[]*pb.Chunk) (state, error) {
	s, err := c.fresh(ctx)
	if err != nil {
		return nil, err
	}
	for i, chunks := range batches {
		if err := s.plain(ctx, fmt.Sprint("batch-", i), chunks...); err != nil {
			return nil, err
		}
	}
	return s.state(ctx)
}

// takesRevision compares the newest revision alone with all of them in turn.
func takesRevision(ctx context.Context, c *check) error {
	var batches [3][]*pb.Chunk
	for i := range batches {
		for _, series := range []sdk.Series{sdk.EnergyHourly, sdk.PowerMonthly} {
			batches[i] = append(batches[i], month(fixture.CUPS, series, uint32(i+1)))
		}
	}
	// The newest has fewer readings: nothing of the others may shine through.
	short := fixture.Gaps()
	short.Revision = 3
	whole := fixture.Chunk(short.CUPS, short.Series, short.Month, 2)
	batches[1] = append(batches[1], wire.EncodeChunk(&whole))
	batches[2] = append(batches[2], wire.EncodeChunk(&short))
	all, err := c.outcome(ctx, batches[:]...)
	if err != nil {
		return err
	}
	only, err := c.outcome(ctx, batches[2])
	if err != nil {
		return err
	}
	if d := only.difference(all); d != "" {
		c.find("batch.revision", "%s", d)
	}
	return nil
}

func splitsBatch(ctx context.Context, c *check) error {
	together, err := c.outcome(ctx, months())
	if err != nil {
		return err
	}
	var single [][]*pb.Chunk
	for _, chunk := range months() {
		single = append(single, []*pb.Chunk{chunk})
	}
	apart, err := c.outcome(ctx, single...)
	if err != nil {
		return err
	}
	if d := together.difference(apart); d != "" {
		c.find("batch.split-differs", "one by one: %s", d)
	}
	return nil
}

// survivesPoison has an item that cannot be read among 100. As the engine does,
// it halves a batch that fails as a whole until the item stands alone.
func survivesPoison(ctx context.Context, c *check) error {
	const at = 57
	items := many(100)
	clean, err := c.lost(ctx, items)
	if err != nil {
		return err
	}
	items[at] = poison()
	lost, err := c.lost(ctx, items)
	if err != nil {
		return err
	}
	for i, why := range lost {
		switch {
		case i != at && clean[i] == "":
			c.find("poison.spreads", "item %d: %s", i, why)
		case i == at && why == askedAgain:
			c.find("poison.repeats", "it asks for the item again")
		}
	}
	return nil
}

// askedAgain is why an item is not done that is to come again.
const askedAgain = "retry"

// lost hands items over in a world of their own. It returns why those that are
// not done are not, by their index.
func (c *check) lost(ctx context.Context, items []*pb.Chunk) (map[int]string, error) {
	s, err := c.fresh(ctx)
	if err != nil {
		return nil, err
	}
	lost := map[int]string{}
	return lost, s.halve(ctx, items, 0, lost)
}

// halve hands items over, and notes those that are not done by their index.
func (s *stage) halve(ctx context.Context, items []*pb.Chunk, first int, lost map[int]string) error {
	result, err := s.harmonize(ctx, fmt.Sprintf("poison-%d-%d", first, len(items)), items...)
	e, failed := refused(err)
	switch {
	case failed && len(items) == 1:
		lost[first] = e.text()
		return nil
	case failed:
		middle := len(items) / 2
		if err := s.halve(ctx, items[:middle], first, lost); err != nil {
			return err
		}
		return s.halve(ctx, items[middle:], first+middle, lost)
	case err != nil:
		return err
	}
	for _, i := range result.GetItems() {
		switch i.GetVerdict() {
		case pb.Verdict_VERDICT_REJECTED:
			lost[first+int(i.GetItem())] = i.GetReason() + " " + i.GetMessage()
		case pb.Verdict_VERDICT_RETRY:
			lost[first+int(i.GetItem())] = askedAgain
		}
	}
	return nil
}

// takesLargeRequests sends what is nearly 16 MiB, and more than that, which the
// plugin may refuse but must survive. What makes them large is a field that the
// plugin does not know.
func takesLargeRequests(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	for _, size := range []int{5 << 20, wire.MaxMessageSize - 1<<20, wire.MaxMessageSize + 1<<20} {
		chunk := month(fixture.CUPS, sdk.PowerMonthly, 1)
		addUnknown(chunk, size)
		_, err := s.harmonize(ctx, fmt.Sprint("large-", size), chunk)
		if f, ok := asFinding(err, "answer.too-large"); ok && size < wire.MaxMessageSize {
			c.find("limit.refused", "a request of %d MiB: %s", size>>20, f.Message)
			continue
		}
		e, no := refused(err)
		if no && size < wire.MaxMessageSize && e.status.Code() == codes.ResourceExhausted {
			c.find("limit.refused", "a request of %d MiB: %s", size>>20, e.text())
		}
		if _, tooLarge := asFinding(err, "answer.too-large"); err != nil && !no && !tooLarge {
			return err
		}
	}
	return s.plain(ctx, "small", month(fixture.CUPS, sdk.PowerMonthly, 1))
}

func asFinding(err error, code string) (*Finding, bool) {
	f, ok := err.(*Finding) //nolint:errorlint // findings are never wrapped
	return f, ok && f.Code == code
}

// survivesDeadline gives up a call early, and then makes another.
func survivesDeadline(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	_, _ = s.harmonizer.HarmonizeTimeSeries(short, &pb.HarmonizeTimeSeriesRequest{Run: fixture.Run, Batch: "short", Chunks: months()})
	cancel()
	err = s.plain(ctx, "short", months()...)
	if f, ok := asFinding(err, "call.no-answer"); ok {
		return finding("cancel.stuck", "%s", f.Message)
	}
	return err
}

// survivesKill ends the process in a batch, at several moments, and hands the
// batch over again to another one.
func survivesKill(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := s.plain(ctx, "batch", months()...); err != nil {
		return err
	}
	took := time.Since(began)
	whole, err := s.state(ctx)
	if err != nil {
		return err
	}
	for _, after := range []time.Duration{took / 8, took / 3, took * 2 / 3} {
		now, err := c.killed(ctx, after)
		if err != nil {
			return err
		}
		if d := whole.difference(now); d != "" {
			return finding("kill.differs", "killed after %v: %s", after.Round(time.Microsecond), d)
		}
	}
	return nil
}

// killed is the state after a batch that was cut short by SIGKILL, and the same
// batch again.
func (c *check) killed(ctx context.Context, after time.Duration) (state, error) {
	s, err := c.fresh(ctx)
	if err != nil {
		return nil, err
	}
	timer := time.AfterFunc(after, func() { signalGroup(s.pid, syscall.SIGKILL) })
	_, _ = s.harmonizer.HarmonizeTimeSeries(ctx, &pb.HarmonizeTimeSeriesRequest{Run: fixture.Run, Batch: "batch", Chunks: months()})
	timer.Stop()
	c.end(s.process)
	again, err := c.open(ctx, s.world)
	if err != nil {
		return nil, finding("kill.restart", "%v", err)
	}
	if err := again.plain(ctx, "batch", months()...); err != nil {
		return nil, err
	}
	return again.state(ctx)
}
