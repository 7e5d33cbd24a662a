package conformance

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/fixture"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

// otherCUPS is a supply that the trials of runs let disappear.
const otherCUPS sdk.CUPS = "ES0022000000000002AB"

// months are chunks of every kind that occurs, with fields of a later version of
// the protocol.
func months() []*pb.Chunk {
	chunks := fixture.Months()
	leap := fixture.Chunk(fixture.CUPS, sdk.EnergyQuarterHour, sdk.NewMonth(2024, time.February), 1)
	autumn := fixture.Chunk(fixture.CUPS, sdk.EnergyQuarterHour, sdk.NewMonth(2024, time.October), 1)
	period := fixture.Chunk(fixture.CUPS, sdk.PowerMonthly, sdk.NewMonth(2024, time.May), 1)
	period.Periods[2] = 6
	words := fixture.Chunk(otherCUPS, sdk.EnergyHourly, sdk.NewMonth(2024, time.May), 1)
	words.Methods = []string{"Real", "Estimación €ñ·漢"}
	chunks = append(chunks, leap, autumn, fixture.Sealed(period), fixture.Sealed(words))
	all := make([]*pb.Chunk, len(chunks))
	for i := range chunks {
		all[i] = wire.EncodeChunk(&chunks[i])
		addUnknown(all[i], 10)
	}
	return all
}

func month(cups sdk.CUPS, series sdk.Series, revision uint32) *pb.Chunk {
	c := fixture.Chunk(cups, series, sdk.NewMonth(2025, time.March), revision)
	return wire.EncodeChunk(&c)
}

// supplies have a supply without contract, one with letters of all kinds, one
// whose owner changed, and one that two grants see.
func supplies() []*pb.Supply {
	list := fixture.Supplies()
	changed := list[0]
	changed.CUPS = "ES0031000000000003JN0F"
	changed.Contracts = append([]sdk.Contract(nil), changed.Contracts...)
	changed.Contracts[0].Owners = []sdk.OwnerPeriod{
		{Start: time.Date(2019, 5, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2022, 5, 1, 0, 0, 0, 0, time.UTC)},
		{Start: time.Date(2022, 5, 1, 0, 0, 0, 0, time.UTC)},
	}
	changed.Municipality = "Cànoves i Samalús – 漢字 \u202e"
	twice := list[0]
	twice.AuthorizedNIF = "87654321X"
	list = append(list, changed, twice)
	all := make([]*pb.Supply, len(list))
	for i := range list {
		all[i] = wire.EncodeSupply(&list[i])
		addUnknown(all[i], 10)
	}
	return all
}

// addUnknown gives a message a field that this version of the protocol does not
// have, of so many bytes.
func addUnknown(m proto.Message, size int) {
	field := protowire.AppendTag(nil, 1900, protowire.BytesType)
	m.ProtoReflect().SetUnknown(protowire.AppendBytes(field, make([]byte, size)))
}

// poison is a chunk that cannot be read: its columns do not fit together.
func poison() *pb.Chunk {
	m := month(fixture.CUPS, sdk.EnergyHourly, 1)
	m.Id, m.Month = "poison", "2025-13"
	m.Consumption.Units = m.Consumption.Units[:5]
	return m
}

// many are n small chunks of as many supplies.
func many(n int) []*pb.Chunk {
	all := make([]*pb.Chunk, n)
	for i := range all {
		all[i] = month(sdk.CUPS(fmt.Sprintf("ES0031%014dJN0F", i)), sdk.PowerMonthly, 1)
	}
	return all
}

// harmonize hands over a batch of chunks, and does what the result says.
func (s *stage) harmonize(ctx context.Context, id string, chunks ...*pb.Chunk) (*pb.BatchResult, error) {
	return s.deliver(ctx, "HarmonizeTimeSeries", len(chunks), func(ctx context.Context) (*pb.BatchResult, error) {
		m, err := s.harmonizer.HarmonizeTimeSeries(ctx, &pb.HarmonizeTimeSeriesRequest{Run: fixture.Run, Batch: id, Chunks: chunks})
		return m.GetResult(), err
	})
}

// harmonizeSupplies does so with static data.
func (s *stage) harmonizeSupplies(ctx context.Context, id string, supplies ...*pb.Supply) (*pb.BatchResult, error) {
	return s.deliver(ctx, "HarmonizeSupplies", len(supplies), func(ctx context.Context) (*pb.BatchResult, error) {
		m, err := s.harmonizer.HarmonizeSupplies(ctx, &pb.HarmonizeSuppliesRequest{Run: fixture.Run, Batch: id, Supplies: supplies})
		return m.GetResult(), err
	})
}

func (s *stage) deliver(ctx context.Context, doing string, items int, do func(context.Context) (*pb.BatchResult, error)) (*pb.BatchResult, error) {
	var result *pb.BatchResult
	err := s.call(ctx, doing, func(ctx context.Context) (err error) {
		result, err = do(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.lookInto(doing, result)
	s.take(result, items)
	return result, nil
}

// lookInto looks for secrets in a result.
func (s *stage) lookInto(doing string, m *pb.BatchResult) {
	for _, r := range m.GetRecords() {
		s.look("a record of "+doing, string(r.GetKey()), string(r.GetValue()), fmt.Sprint(r.GetHeaders()))
	}
	for _, i := range m.GetItems() {
		s.look("a verdict of "+doing, i.GetReason(), i.GetMessage())
	}
}

// plain hands over data with which nothing is wrong: all of it has to be taken.
func (s *stage) plain(ctx context.Context, id string, chunks ...*pb.Chunk) error {
	result, err := s.harmonize(ctx, id, chunks...)
	return s.mustTake(result, err)
}

func (s *stage) mustTake(result *pb.BatchResult, err error) error {
	if e, ok := refused(err); ok {
		return finding("batch.fails", "%s", e.text())
	}
	for _, i := range result.GetItems() {
		switch i.GetVerdict() {
		case pb.Verdict_VERDICT_REJECTED:
			s.find("batch.rejects", "item %d: %s %s", i.GetItem(), i.GetReason(), cut(i.GetMessage()))
		case pb.Verdict_VERDICT_RETRY:
			s.find("batch.retries", "item %d: %s %s", i.GetItem(), i.GetReason(), cut(i.GetMessage()))
		}
	}
	return err
}
