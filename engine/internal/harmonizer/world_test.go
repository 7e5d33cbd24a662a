package harmonizer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/sdk"
)

// topic is a topic in memory, and what its group has committed: as much of
// Kafka as a harmonizer sees.
type world struct {
	topics    map[string][]envelope.Message // all in partition 0
	read      map[string]int
	committed map[Partition]int64
	lost      map[string]bool // topics that another process has
	output    []envelope.Message
	idle      context.CancelCauseFunc // called when there is nothing to read
}

var errIdle = errors.New("nothing left to read")

func (w *world) Poll(_ context.Context, max int, _ time.Duration) ([]Message, error) {
	var messages []Message
	for _, topic := range []string{"runs", "harm", "north", "south"} {
		for len(messages) < max && w.read[topic] < len(w.topics[topic]) && !w.lost[topic] {
			at := Position{topic, 0, int64(w.read[topic])}
			messages = append(messages, Message{at, w.topics[topic][w.read[topic]]})
			w.read[topic]++
		}
	}
	if len(messages) == 0 {
		w.idle(errIdle)
	}
	return messages, nil
}

func (w *world) Commit(_ context.Context, next map[Partition]int64) error {
	for p, offset := range next {
		if offset < w.committed[p] {
			return errors.New("an offset was committed backwards")
		}
		w.committed[p] = offset
	}
	return nil
}

func (w *world) Committed(_ context.Context, partitions []Partition) (map[Partition]int64, error) {
	committed := make(map[Partition]int64)
	for _, p := range partitions {
		committed[p] = w.committed[p]
	}
	return committed, nil
}

func (w *world) Assigned(p Partition) bool { return !w.lost[p.Topic] }

// largest message that the broker takes.
const largest = 1 << 20

func (w *world) Publish(_ context.Context, messages []envelope.Message) error {
	for _, m := range messages {
		if len(m.Value) > largest {
			return fmt.Errorf("publish: %w", ErrTooLarge)
		}
		w.output = append(w.output, m)
	}
	return nil
}

func newWorld() *world {
	return &world{
		topics: make(map[string][]envelope.Message), read: make(map[string]int),
		committed: make(map[Partition]int64), lost: make(map[string]bool),
	}
}

// restart is the world for a process that takes over from one that died: it
// reads from what was committed.
func (w *world) restart() {
	for topic := range w.topics {
		w.read[topic] = int(w.committed[Partition{topic, 0}])
	}
}

// route of a source of the tests.
func route(source string) sdk.Route {
	return sdk.Route{Topic: source, Tables: []string{"t"}, RowKeys: [][]string{{"cups", "timestamp"}}}
}

// chunk is a month of hourly readings with a value of its own.
func chunk(source string, month sdk.Month, revision uint32, value int64) *sdk.Chunk {
	const cups = sdk.CUPS("ES0031000000000001BJ0F")
	c := &sdk.Chunk{
		ID: sdk.ChunkID(cups, sdk.EnergyHourly, month), Revision: revision, Hash: uint64(value), Run: "r1", Source: source,
		CUPS: cups, Series: sdk.EnergyHourly, Month: month, FetchedAt: time.Unix(1_790_000_000, 0).UTC(),
	}
	for i := range month.Hours() {
		c.Starts = append(c.Starts, month.Start().Unix()+int64(i)*3600)
		c.Consumption.Set(i, sdk.Decimal{Units: value, Scale: 3})
	}
	return c
}

func (w *world) publish(t *testing.T, c *sdk.Chunk) {
	t.Helper()
	messages, err := envelope.Chunk(c, route(c.Source))
	if err != nil {
		t.Fatal(err)
	}
	w.topics[c.Source] = append(w.topics[c.Source], messages...)
}

// finish says that run r1 is over, with all that was published so far.
func (w *world) finish(t *testing.T, outcome sdk.Outcome) {
	t.Helper()
	f := envelope.Finished{
		Run: "r1", Policy: "last", Outcome: outcome, Routes: map[string]sdk.Route{"north": route("north"), "south": route("south")},
		EndOffsets: envelope.EndOffsets{},
	}
	for topic, messages := range w.topics {
		f.EndOffsets[topic] = map[int32]int64{0: int64(len(messages))}
	}
	message, err := f.Message("runs")
	if err != nil {
		t.Fatal(err)
	}
	w.topics["runs"] = append(w.topics["runs"], message)
}

// plugin is a harmonizer that notes what it gets.
type plugin struct {
	chunks []sdk.Chunk
	begun  []string
	ended  []sdk.RunEnd
	answer func(call int, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error)
	calls  int
}

func (p *plugin) HarmonizeTimeSeries(_ context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	p.calls++
	if p.answer != nil {
		result, err := p.answer(p.calls, batch)
		if err != nil {
			return result, err
		}
		p.chunks = append(p.chunks, batch.Items...)
		return result, nil
	}
	p.chunks = append(p.chunks, batch.Items...)
	return sdk.Result{}, nil
}

func (p *plugin) BeginRun(_ context.Context, run sdk.Run) error {
	p.begun = append(p.begun, run.ID)
	return nil
}

func (p *plugin) EndRun(_ context.Context, end sdk.RunEnd) (sdk.Result, error) {
	p.ended = append(p.ended, end)
	return sdk.Result{}, nil
}

// harmonize runs a harmonizer over the world until there is nothing to read.
func harmonize(t *testing.T, w *world, p *plugin, intake sdk.Intake) error {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	w.idle = cancel
	h := New(Config{
		Name: "test", Plugin: p, Intake: intake, Input: w, Output: w,
		StaticTopic: "harm", ControlTopic: "runs", DeadTopic: "dead", Logger: slog.New(slog.DiscardHandler),
	})
	if err := h.Run(ctx); !errors.Is(err, errIdle) {
		return err
	}
	return nil
}
