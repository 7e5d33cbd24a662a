package plugin

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

func grpcCode(err error) codes.Code { return status.Code(err) }

// sourceServer answers the calls to a source.
type sourceServer struct {
	pb.UnimplementedSourceServer
	*server
}

const (
	maxGrantsPerMessage = 500
	maxGrantDelay       = 200 * time.Millisecond // that a grant waits for others to travel with
	maxGrantBytes       = 1 << 20
)

// ListGrants implements the protocol.
func (s sourceServer) ListGrants(_ *pb.ListGrantsRequest, stream grpc.ServerStreamingServer[pb.ListGrantsResponse]) error {
	instance, err := s.ready()
	if err != nil {
		return err
	}
	if instance.source == nil {
		return toStatus(sdk.ErrUnsupported)
	}
	sender := &grantSender{stream: stream, sent: time.Now()}
	if err := instance.source.ListGrants(stream.Context(), sender.add); err != nil {
		return toStatus(err)
	}
	if err := sender.flush(); err != nil {
		return err
	}
	return stream.Send(&pb.ListGrantsResponse{Part: &pb.ListGrantsResponse_Summary{
		Summary: &pb.GrantSummary{Total: sender.total},
	}})
}

// grantSender gathers grants into messages.
type grantSender struct {
	stream  grpc.ServerStreamingServer[pb.ListGrantsResponse]
	waiting []*pb.Grant
	bytes   int
	sent    time.Time
	total   uint64
}

func (g *grantSender) add(grant sdk.Grant) error {
	if err := g.stream.Context().Err(); err != nil {
		return err
	}
	m := wire.EncodeGrant(grant)
	g.waiting = append(g.waiting, m)
	g.bytes += proto.Size(m)
	g.total++
	if len(g.waiting) < maxGrantsPerMessage && g.bytes < maxGrantBytes && time.Since(g.sent) < maxGrantDelay {
		return nil
	}
	return g.flush()
}

func (g *grantSender) flush() error {
	if len(g.waiting) == 0 {
		return nil
	}
	err := g.stream.Send(&pb.ListGrantsResponse{Part: &pb.ListGrantsResponse_Batch{Batch: &pb.GrantBatch{Grants: g.waiting}}})
	g.waiting, g.bytes, g.sent = nil, 0, time.Now()
	if ended := g.stream.Context().Err(); err != nil && ended != nil {
		return ended // in words that an author knows
	}
	return err
}

// harmonizerServer answers the calls to a harmonizer, one at a time.
type harmonizerServer struct {
	pb.UnimplementedHarmonizerServer
	*server
	turn chan struct{} // holds one token
}

// act calls do with the harmonizer when its turn has come.
func (s harmonizerServer) act(ctx context.Context, do func(sdk.Harmonizer) error) error {
	instance, err := s.ready()
	if err != nil {
		return err
	}
	if instance.harmonizer == nil {
		return toStatus(sdk.ErrUnsupported)
	}
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return toStatus(ctx.Err())
	}
	return toStatus(do(instance.harmonizer))
}

// BeginRun implements the protocol.
func (s harmonizerServer) BeginRun(ctx context.Context, r *pb.BeginRunRequest) (*pb.BeginRunResponse, error) {
	ctx = s.with(ctx, "run", r.GetRun().GetId())
	err := s.act(ctx, func(h sdk.Harmonizer) error {
		if beginner, ok := h.(sdk.RunBeginner); ok {
			return beginner.BeginRun(ctx, wire.DecodeRun(r.GetRun()))
		}
		return sdk.ErrUnsupported
	})
	return &pb.BeginRunResponse{}, err
}

// HarmonizeSupplies implements the protocol.
func (s harmonizerServer) HarmonizeSupplies(ctx context.Context, r *pb.HarmonizeSuppliesRequest) (*pb.HarmonizeSuppliesResponse, error) {
	ctx = s.with(ctx, "run", r.GetRun(), "batch", r.GetBatch())
	m := &pb.HarmonizeSuppliesResponse{}
	err := s.act(ctx, func(h sdk.Harmonizer) (err error) {
		supplies, ok := h.(sdk.SupplyHarmonizer)
		if !ok {
			return sdk.ErrUnsupported
		}
		batch := sdk.Batch[sdk.Supply]{Run: r.GetRun(), ID: r.GetBatch(), Items: wire.Each(r.GetSupplies(), wire.DecodeSupply)}
		result, err := supplies.HarmonizeSupplies(ctx, batch)
		if err != nil {
			return err
		}
		m.Result, err = wire.EncodeResult(result)
		return err
	})
	return m, err
}

// HarmonizeTimeSeries implements the protocol.
func (s harmonizerServer) HarmonizeTimeSeries(ctx context.Context, r *pb.HarmonizeTimeSeriesRequest) (*pb.HarmonizeTimeSeriesResponse, error) {
	ctx = s.with(ctx, "run", r.GetRun(), "batch", r.GetBatch())
	batch, unreadable := readable(r)
	m := &pb.HarmonizeTimeSeriesResponse{}
	err := s.act(ctx, func(h sdk.Harmonizer) error {
		result, err := h.HarmonizeTimeSeries(ctx, batch)
		if err != nil {
			return err
		}
		m.Result, err = wire.EncodeResult(unreadable.into(result))
		return err
	})
	return m, err
}

// EndRun implements the protocol.
func (s harmonizerServer) EndRun(ctx context.Context, r *pb.EndRunRequest) (*pb.EndRunResponse, error) {
	ctx = s.with(ctx, "run", r.GetRun().GetId())
	m := &pb.EndRunResponse{}
	err := s.act(ctx, func(h sdk.Harmonizer) error {
		ender, ok := h.(sdk.RunEnder)
		if !ok {
			return sdk.ErrUnsupported
		}
		result, err := ender.EndRun(ctx, wire.DecodeRunEnd(r))
		if err != nil {
			return err
		}
		m.Result, err = wire.EncodeResult(result)
		return err
	})
	return m, err
}

// DumpState implements the protocol.
func (s harmonizerServer) DumpState(_ *pb.DumpStateRequest, stream grpc.ServerStreamingServer[pb.DumpStateResponse]) error {
	return s.act(stream.Context(), func(h sdk.Harmonizer) error {
		dumper, ok := h.(sdk.StateDumper)
		if !ok {
			return sdk.ErrUnsupported
		}
		return dumper.DumpState(stream.Context(), func(key, value string) error {
			return stream.Send(&pb.DumpStateResponse{Key: wire.Text(key), Value: wire.Text(value)})
		})
	})
}

// with adds attributes to the logger that authors find in their context.
func (s *server) with(ctx context.Context, attributes ...any) context.Context {
	return withLogger(ctx, Logger(ctx).With(attributes...))
}
