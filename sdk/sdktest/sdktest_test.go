package sdktest_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// members is a source as small as it can be.
type members []sdk.Grant

func (m members) ListGrants(ctx context.Context, send func(sdk.Grant) error) error {
	for _, grant := range m {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := send(grant); err != nil {
			return err
		}
	}
	return nil
}

func TestASourcePasses(t *testing.T) {
	t.Parallel()
	sdktest.Source(t, func(*testing.T) sdk.Source {
		return members{
			{Key: "a", Username: "A", Password: sdk.NewSecret("pw-a"), OwnSupplies: true},
			{Key: "b", Username: "B", Password: sdk.NewSecret("pw-b"), AuthorizedNIFs: []sdk.NIF{"C"}},
		}
	})
}

// shelf is a harmonizer that keeps the newest revision of each chunk.
type shelf struct{ hashes map[string]uint64 }

func (s *shelf) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	if err := ctx.Err(); err != nil {
		return sdk.Result{}, err
	}
	var result sdk.Result
	for i, chunk := range batch.Items {
		s.hashes[chunk.ID] = chunk.Hash
		result.Records = append(result.Records, sdk.Record{Item: i, Topic: "out", Key: []byte(chunk.ID), Value: []byte{byte(chunk.Revision)}})
	}
	return result, nil
}

func (s *shelf) EndRun(context.Context, sdk.RunEnd) (sdk.Result, error) { return sdk.Result{}, nil }

func TestAHarmonizerPasses(t *testing.T) {
	t.Parallel()
	sdktest.Harmonizer(t, func(*testing.T) sdktest.Fresh {
		s := &shelf{hashes: map[string]uint64{}}
		return sdktest.Fresh{Harmonizer: s, Snapshot: func(*testing.T) any { return maps.Clone(s.hashes) }}
	})
}

func TestFixturesAreWhatTheySay(t *testing.T) {
	t.Parallel()
	hours := func(month time.Month) int {
		c := sdktest.Chunk(sdktest.CUPS, sdk.EnergyHourly, sdk.NewMonth(2025, month), 1)
		return c.Len()
	}
	if march, october := hours(time.March), hours(time.October); march != 743 || october != 745 {
		t.Errorf("March has %d hours, October %d", march, october)
	}
	for _, c := range append(sdktest.Months(), sdktest.Merged()) {
		for i := range c.Len() - 1 {
			if c.Periods == nil && c.End(i).After(c.Start(i+1)) {
				t.Errorf("%s: reading %d reaches into the next", c.ID, i)
			}
		}
		for _, column := range []sdk.Column{c.Consumption, c.Surplus, c.Peak, c.Reactive} {
			if n := len(column.Units); n != 0 && n != c.Len() {
				t.Errorf("%s: a column has %d values for %d readings", c.ID, n, c.Len())
			}
		}
	}
	m := sdktest.Merged()
	total := time.Duration(0)
	for i := range m.Len() {
		total += m.Span(i)
	}
	if m.Len() != 744 || total != 745*time.Hour {
		t.Errorf("the merged month has %d readings over %v", m.Len(), total)
	}
	if sdktest.Chunk(sdktest.CUPS, sdk.EnergyHourly, 24300, 1).Hash == sdktest.Chunk(sdktest.CUPS, sdk.EnergyHourly, 24300, 2).Hash {
		t.Error("two revisions have one hash")
	}
}
