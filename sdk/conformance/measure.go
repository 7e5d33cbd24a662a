package conformance

import (
	"context"
	"fmt"
	"slices"
	"time"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
)

const (
	batches      = 100
	batchChunks  = 10
	growthLimit  = 128 << 20
	warmedUp     = batches / 5
	listsToAdd   = 5
	suppliesUsed = 20 // so that a store is written over and over, and does not grow
)

// measures fills in the performance card, and looks whether the process grows.
func measures(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	chunks := make([]*pb.Chunk, suppliesUsed)
	for i := range chunks {
		chunks[i] = month(sdk.CUPS(fmt.Sprintf("ES0031%014dJN0F", i)), sdk.EnergyHourly, 1)
	}
	var times []time.Duration
	var total time.Duration
	readings, warm := 0, int64(0)
	for i := range batches {
		part := chunks[i*batchChunks%suppliesUsed:][:batchChunks]
		for _, chunk := range part {
			chunk.Revision = uint32(i + 1)
			readings += len(chunk.GetStarts())
		}
		began := time.Now()
		if err := s.plain(ctx, fmt.Sprint("measure-", i), part...); err != nil {
			return err
		}
		times = append(times, time.Since(began))
		total += times[i]
		clear(s.world.records)
		if i == warmedUp {
			warm = residentSize(s.pid)
		}
		if total > c.timing.Measure && i > warmedUp {
			break
		}
	}
	size := residentSize(s.pid)
	if warm > 0 && size-warm > growthLimit {
		c.find("memory.grows", "from %d to %d MiB over %d batches", warm>>20, size>>20, len(times)-warmedUp)
	}
	c.card(times, float64(readings)/total.Seconds(), size)
	return nil
}

// measuresSource does so with lists of grants, for a binary that is no
// harmonizer.
func measuresSource(ctx context.Context, c *check) error {
	if c.report.Card != nil {
		return &skipError{"measured as a harmonizer"}
	}
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	var times []time.Duration
	var total time.Duration
	grants := 0
	for len(times) < listsToAdd && total < c.timing.Measure {
		began := time.Now()
		list, err := s.list(ctx)
		if err != nil {
			return err
		}
		times = append(times, time.Since(began))
		total += time.Since(began)
		grants += len(list)
	}
	c.card(times, float64(grants)/total.Seconds(), residentSize(s.pid))
	return nil
}

func (c *check) card(times []time.Duration, perSecond float64, size int64) {
	slices.Sort(times)
	slices.Sort(c.starts)
	c.report.Card = &Card{
		Start: c.starts[len(c.starts)/2], Batches: len(times), P50: times[len(times)/2], P99: times[len(times)*99/100],
		PerSecond: perSecond, RSS: size,
	}
}
