package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"google.golang.org/grpc"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

// Client is the engine's end: it plays a plugin's roles over a connection to
// its process. It implements [sdk.Source], [sdk.Harmonizer], [sdk.RunBeginner],
// [sdk.SupplyHarmonizer] and [sdk.RunEnder]; the last three do nothing where
// the plugin does not implement them. Errors are *[sdk.Error] unless the
// caller's context ended. It is safe for concurrent use after Configure.
type Client struct {
	plugin     pb.PluginClient
	source     pb.SourceClient
	harmonizer pb.HarmonizerClient

	features []string
	topics   []string // that records may go to
}

// NewClient speaks over a connection whose messages may be as large as
// [MaxMessageSize]; [DialOptions] see to it.
func NewClient(conn grpc.ClientConnInterface) *Client {
	return &Client{
		plugin: pb.NewPluginClient(conn), source: pb.NewSourceClient(conn), harmonizer: pb.NewHarmonizerClient(conn),
	}
}

// DialOptions are those that a Client's connection needs.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(MaxMessageSize), grpc.MaxCallSendMsgSize(MaxMessageSize))}
}

// Setup is what a configured instance wants of the engine.
type Setup struct {
	Route    sdk.Route  // of a source
	Intake   sdk.Intake // of a harmonizer
	Features []string
}

// Describe asks what the binary is.
func (c *Client) Describe(ctx context.Context) (*Description, error) {
	m, err := c.plugin.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		return nil, fromStatus(ctx, "describe", err)
	}
	return descriptionFromWire(m), nil
}

// ValidateConfig asks what is wrong with a configuration.
func (c *Client) ValidateConfig(ctx context.Context, in sdk.Instance, s Settings) ([]sdk.Problem, error) {
	m, err := c.plugin.ValidateConfig(ctx, &pb.ValidateConfigRequest{Instance: wire.EncodeInstance(in), Config: settingsToWire(s)})
	if err != nil {
		return nil, fromStatus(ctx, "validate configuration", err)
	}
	return wire.DecodeProblems(m.GetProblems()), nil
}

// Configure sets the instance up for the given roles; none: for all that it
// has.
func (c *Client) Configure(ctx context.Context, in sdk.Instance, s Settings, kinds ...Kind) (Setup, error) {
	m, err := c.plugin.Configure(ctx, &pb.ConfigureRequest{
		Instance: wire.EncodeInstance(in), Config: settingsToWire(s), Kinds: translate(kinds, kindsToWire),
	})
	if err != nil {
		return Setup{}, fromStatus(ctx, "configure", err)
	}
	setup := Setup{
		Route:    wire.DecodeRoute(m.GetRoute()),
		Intake:   sdk.Intake{Sources: m.GetIntake().GetSources(), OutputTopics: m.GetIntake().GetOutputTopics()},
		Features: m.GetFeatures(),
	}
	c.features, c.topics = setup.Features, setup.Intake.OutputTopics
	return setup, nil
}

// CheckHealth fails if the plugin does not answer. The text is what the plugin
// misses, "" if nothing.
func (c *Client) CheckHealth(ctx context.Context) (string, error) {
	m, err := c.plugin.CheckHealth(ctx, &pb.CheckHealthRequest{})
	if err != nil {
		return "", fromStatus(ctx, "check health", err)
	}
	return m.GetProblem(), nil
}

// Drain lets the plugin finish what it is doing; it takes no more after it.
func (c *Client) Drain(ctx context.Context) error {
	_, err := c.plugin.Drain(ctx, &pb.DrainRequest{})
	return fromStatus(ctx, "drain", err)
}

// ListGrants implements [sdk.Source].
func (c *Client) ListGrants(ctx context.Context, send func(sdk.Grant) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream if send fails
	stream, err := c.source.ListGrants(ctx, &pb.ListGrantsRequest{})
	if err != nil {
		return fromStatus(ctx, "list grants", err)
	}
	received := uint64(0)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return incomplete("the list ended without its summary")
		}
		if err != nil {
			return fromStatus(ctx, "list grants", err)
		}
		if summary := m.GetSummary(); summary != nil {
			if summary.GetTotal() != received {
				return incomplete("%d grants came, the summary says %d", received, summary.GetTotal())
			}
			return nil
		}
		for _, grant := range m.GetBatch().GetGrants() {
			received++
			if err := send(wire.DecodeGrant(grant)); err != nil {
				return err
			}
		}
	}
}

func incomplete(format string, args ...any) error {
	return &sdk.Error{Kind: sdk.Unavailable, Reason: ReasonNoSummary, Origin: sdk.FromPlugin,
		Err: fmt.Errorf("list grants: "+format, args...)}
}

// BeginRun implements [sdk.RunBeginner].
func (c *Client) BeginRun(ctx context.Context, run sdk.Run) error {
	if !slices.Contains(c.features, wire.FeatureBeginRun) {
		return nil
	}
	_, err := c.harmonizer.BeginRun(ctx, &pb.BeginRunRequest{Run: wire.EncodeRun(run)})
	return skipUnsupported(fromStatus(ctx, "begin run", err))
}

// EndRun implements [sdk.RunEnder].
func (c *Client) EndRun(ctx context.Context, end sdk.RunEnd) (sdk.Result, error) {
	if !slices.Contains(c.features, wire.FeatureEndRun) {
		return sdk.Result{}, nil
	}
	m, err := c.harmonizer.EndRun(ctx, wire.EncodeRunEnd(end))
	if err != nil {
		return sdk.Result{}, skipUnsupported(fromStatus(ctx, "end run", err))
	}
	result, err := wire.DecodeResult(m.GetResult(), 0, math.MaxInt32) // there are no items to count
	return result, c.check("end run", result, err)
}

// HarmonizeSupplies implements [sdk.SupplyHarmonizer].
func (c *Client) HarmonizeSupplies(ctx context.Context, batch sdk.Batch[sdk.Supply]) (sdk.Result, error) {
	if !slices.Contains(c.features, wire.FeatureSupplies) {
		return sdk.Result{}, nil
	}
	items := make([]*pb.Supply, len(batch.Items))
	for i := range batch.Items {
		items[i] = wire.EncodeSupply(&batch.Items[i])
	}
	result, err := deliver(batch.ID, items, func(id string, part []*pb.Supply) (*pb.BatchResult, error) {
		m, err := c.harmonizer.HarmonizeSupplies(ctx, &pb.HarmonizeSuppliesRequest{Run: wire.Text(batch.Run), Batch: id, Supplies: part})
		return m.GetResult(), err
	})
	return c.finish(ctx, "harmonize supplies", result, skipUnimplemented(err))
}

// HarmonizeTimeSeries implements [sdk.Harmonizer].
func (c *Client) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	items := make([]*pb.Chunk, len(batch.Items))
	for i := range batch.Items {
		items[i] = wire.EncodeChunk(&batch.Items[i])
	}
	result, err := deliver(batch.ID, items, func(id string, part []*pb.Chunk) (*pb.BatchResult, error) {
		m, err := c.harmonizer.HarmonizeTimeSeries(ctx, &pb.HarmonizeTimeSeriesRequest{Run: wire.Text(batch.Run), Batch: id, Chunks: part})
		return m.GetResult(), err
	})
	return c.finish(ctx, "harmonize time series", result, err)
}

func (c *Client) finish(ctx context.Context, doing string, result sdk.Result, err error) (sdk.Result, error) {
	var bad *badResultError
	switch {
	case errors.As(err, &bad):
		return sdk.Result{}, c.check(doing, result, err)
	case err != nil:
		return sdk.Result{}, fromStatus(ctx, doing, err)
	}
	return result, c.check(doing, result, nil)
}

// check finds what the protocol forbids in a result.
func (c *Client) check(doing string, result sdk.Result, err error) error {
	for _, record := range result.Records {
		if err == nil && !slices.Contains(c.topics, record.Topic) {
			err = fmt.Errorf("a record for topic %q, which the plugin did not declare", record.Topic)
		}
	}
	if err == nil {
		return nil
	}
	return &sdk.Error{Kind: sdk.Invalid, Reason: ReasonBadResult, Origin: sdk.FromPlugin,
		Err: fmt.Errorf("%s: %w", doing, err)}
}

func skipUnsupported(err error) error {
	if errors.Is(err, sdk.ErrUnsupported) {
		return nil
	}
	return err
}
