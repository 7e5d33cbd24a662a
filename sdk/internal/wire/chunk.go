package wire

import (
	"fmt"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
)

func EncodeChunk(c *sdk.Chunk) *pb.Chunk {
	return &pb.Chunk{
		Id: Text(c.ID), Revision: c.Revision, Hash: c.Hash, Run: Text(c.Run), Source: Text(c.Source),
		Cups: Text(string(c.CUPS)), Series: EncodeSeries(c.Series), Month: c.Month.String(),
		FetchedAt: stamp(c.FetchedAt),
		Starts:    distances(c.Starts), Spans: c.Spans,
		Flags:       Each(c.Flags, func(f sdk.Flags) uint32 { return uint32(f) }),
		Consumption: encodeColumn(&c.Consumption), Surplus: encodeColumn(&c.Surplus),
		Generation: encodeColumn(&c.Generation), SelfConsumption: encodeColumn(&c.SelfConsumption),
		Peak: encodeColumn(&c.Peak), Reactive: encodeColumn(&c.Reactive), Periods: c.Periods,
		Methods: texts[string](c.Methods), MethodIndex: c.MethodIndex,
	}
}

// DecodeChunk fails on a chunk whose columns do not fit together.
func DecodeChunk(m *pb.Chunk) (sdk.Chunk, error) {
	month, err := sdk.ParseMonth(m.GetMonth())
	if err != nil {
		return sdk.Chunk{}, fmt.Errorf("chunk %s: %w", m.GetId(), err)
	}
	c := sdk.Chunk{
		ID: m.GetId(), Revision: m.GetRevision(), Hash: m.GetHash(), Run: m.GetRun(), Source: m.GetSource(),
		CUPS: sdk.CUPS(m.GetCups()), Series: DecodeSeries(m.GetSeries()), Month: month,
		FetchedAt: unstamp(m.GetFetchedAt()),
		Starts:    sums(m.GetStarts()), Spans: orNil(m.GetSpans()),
		Flags:       Each(m.GetFlags(), func(f uint32) sdk.Flags { return sdk.Flags(f) }),
		Consumption: decodeColumn(m.GetConsumption()), Surplus: decodeColumn(m.GetSurplus()),
		Generation: decodeColumn(m.GetGeneration()), SelfConsumption: decodeColumn(m.GetSelfConsumption()),
		Peak: decodeColumn(m.GetPeak()), Reactive: decodeColumn(m.GetReactive()), Periods: orNil(m.GetPeriods()),
		Methods: m.GetMethods(), MethodIndex: orNil(m.GetMethodIndex()),
	}
	if err := checkChunk(&c); err != nil {
		return sdk.Chunk{}, fmt.Errorf("chunk %s: %w", c.ID, err)
	}
	return c, nil
}

// checkChunk makes sure that the accessors of sdk.Chunk stay within bounds.
func checkChunk(c *sdk.Chunk) error {
	n := c.Len()
	lengths := []struct {
		name string
		have int
	}{
		{"spans", len(c.Spans)}, {"flags", len(c.Flags)}, {"periods", len(c.Periods)},
		{"method_index", len(c.MethodIndex)}, {"consumption", len(c.Consumption.Units)},
		{"surplus", len(c.Surplus.Units)}, {"generation", len(c.Generation.Units)},
		{"self_consumption", len(c.SelfConsumption.Units)}, {"peak", len(c.Peak.Units)},
		{"reactive", len(c.Reactive.Units)},
	}
	for _, l := range lengths {
		if l.have != 0 && l.have != n {
			return fmt.Errorf("%s has %d entries for %d readings", l.name, l.have, n)
		}
	}
	for _, column := range []*sdk.Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive} {
		if column.Scale < 0 || column.Scale > sdk.MaxScale {
			return fmt.Errorf("a scale of %d is outside 0 to %d", column.Scale, sdk.MaxScale)
		}
	}
	for _, m := range c.MethodIndex {
		if len(c.Methods) > 0 && int(m) >= len(c.Methods) {
			return fmt.Errorf("method %d of %d", m, len(c.Methods))
		}
	}
	return nil
}

func encodeColumn(c *sdk.Column) *pb.Column {
	if c.Empty() {
		return nil
	}
	return &pb.Column{Scale: c.Scale, Units: c.Units, Missing: c.Missing}
}

func decodeColumn(m *pb.Column) sdk.Column {
	return sdk.Column{Scale: m.GetScale(), Units: orNil(m.GetUnits()), Missing: orNil(m.GetMissing())}
}

// distances keeps the first value and turns the others into their distance to
// the one before: two bytes each instead of five.
func distances(values []int64) []int64 {
	if len(values) == 0 {
		return nil
	}
	out := make([]int64, len(values))
	before := int64(0)
	for i, v := range values {
		out[i] = v - before
		before = v
	}
	return out
}

// sums undoes distances.
func sums(values []int64) []int64 {
	if len(values) == 0 {
		return nil
	}
	out := make([]int64, len(values))
	sum := int64(0)
	for i, v := range values {
		sum += v
		out[i] = sum
	}
	return out
}

// orNil makes an empty list nil, which means "plain" to sdk.Chunk.
func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
