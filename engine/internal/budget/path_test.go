package budget

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/embedded"
	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
	"github.com/datadis-engine/datadis/sdk"
)

// household is an hourly month of a real home, as Datadis sent it.
const household = "../datadis/testdata/household/consumption-2022-05.json"

// atOnce is how many answers are worked on at the same time for each CPU.
const atOnce = 16

// path is what the downloader does with an answer, without the ledger.
type path struct {
	body      []byte
	shape     datadis.Shape
	route     sdk.Route
	raw       string // topic
	archive   *envelope.Archive
	publisher *kafka.Publisher
}

// newPath is a path to topics of its own.
func newPath(b *testing.B, connection map[string]any) *path {
	b.Helper()
	body, err := os.ReadFile(household)
	if err != nil {
		b.Fatal(err)
	}
	name := fmt.Sprintf("budget-%d", time.Now().UnixNano())
	p := &path{
		body: body, raw: name + ".raw",
		shape: datadis.Query{
			CUPS: "ES0031408123456001FN0F", Distributor: "2", Series: sdk.EnergyHourly,
			From: sdk.NewMonth(2022, time.May), To: sdk.NewMonth(2022, time.May),
		}.Shape(),
		route: sdk.Route{
			Topic: name + ".north", Tables: []string{"datadis:raw_datadis_ts_{prop}_{freq}"}, RowKeys: [][]string{{"cups", "timestamp"}},
		},
	}
	if p.archive, err = envelope.NewArchive(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.archive.Close() })
	config := kafka.Default()
	config.Connection = connection
	p.connect(b, config)
	return p
}

// connect makes the topics and the publisher.
func (p *path) connect(b *testing.B, config kafka.Config) {
	b.Helper()
	ctx, log := context.WithoutCancel(b.Context()), slog.New(slog.DiscardHandler)
	admin, err := kafka.NewAdmin(ctx, config, log)
	if err != nil {
		b.Fatal(err)
	}
	defer admin.Close()
	if err := admin.EnsureTopics(ctx, []kafka.TopicSpec{config.DataTopic(p.raw), config.DataTopic(p.route.Topic)}); err != nil {
		b.Fatal(err)
	}
	if p.publisher, err = kafka.NewPublisher(ctx, config, log); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.publisher.Close(ctx); err != nil {
			b.Error(err)
		}
	})
}

// copy is the raw copy of the answer.
func (p *path) copy() (envelope.Message, error) {
	return p.archive.Raw(envelope.Facts{
		Run: "r", Chunk: "c", Endpoint: p.shape.Series.String(), API: datadis.V2, CUPS: p.shape.CUPS,
		Distributor: p.shape.Distributor, From: "2022-05", To: "2022-05", ReceivedAt: time.Now(), Status: 200,
	}, p.body, p.raw)
}

// parts decodes the answer, and encodes what it holds for the source.
func (p *path) parts() ([]envelope.Message, error) {
	chunks, _, err := datadis.Decode(p.body, p.shape)
	if err != nil {
		return nil, err
	}
	chunk := chunks[0]
	chunk.Run, chunk.Source, chunk.Revision, chunk.FetchedAt = "r", "north", 1, time.Now()
	return envelope.Chunk(chunk, p.route)
}

// answer deals with one answer: keep it, be told so, decode, encode, publish,
// be told so.
func (p *path) answer(ctx context.Context) error {
	raw, err := p.copy()
	if err != nil {
		return err
	}
	if _, err := p.publisher.Publish(ctx, []envelope.Message{raw}); err != nil {
		return err
	}
	parts, err := p.parts()
	if err != nil {
		return err
	}
	_, err = p.publisher.Publish(ctx, parts)
	return err
}

// floor is what nobody could leave out: read the same body into columns, and
// produce the same bytes, made before.
func (p *path) floor(ctx context.Context, ready []envelope.Message) error {
	if _, err := decodeFastest(p.body); err != nil {
		return err
	}
	_, err := p.publisher.Publish(ctx, ready)
	return err
}

// ready is all messages of the answer.
func (p *path) ready(b *testing.B) []envelope.Message {
	b.Helper()
	raw, err := p.copy()
	if err != nil {
		b.Fatal(err)
	}
	parts, err := p.parts()
	if err != nil {
		b.Fatal(err)
	}
	return append(parts, raw)
}

// BenchmarkAnswer is the way of an hourly month from the body to messages that
// the broker has acknowledged. Compare way=floor with way=engine in cpu-ms/op,
// which is the time of this process: brokers are others.
func BenchmarkAnswer(b *testing.B) {
	for name, broker := range map[string]func(testing.TB) map[string]any{"embedded": brokerProcess, "real": kafkatest.Real} {
		b.Run("broker="+name, func(b *testing.B) {
			p := newPath(b, broker(b))
			ready := p.ready(b)
			b.Run("way=floor", func(b *testing.B) {
				atTheSameTime(b, func(ctx context.Context) error { return p.floor(ctx, ready) })
			})
			b.Run("way=engine", func(b *testing.B) { atTheSameTime(b, p.answer) })
		})
	}
}

// atTheSameTime measures work that many goroutines do.
func atTheSameTime(b *testing.B, do func(context.Context) error) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(atOnce)
	began := ownCPU()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(b.Context()); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric((ownCPU()-began).Seconds()*1e3/float64(b.N), "cpu-ms/op")
}

// BenchmarkStage is each stage of the way alone.
func BenchmarkStage(b *testing.B) {
	p := &path{}
	stages := map[string]func() error{
		"fastest-decoder": func() error { _, err := decodeFastest(p.body); return err },
		"decode":          func() error { _, _, err := datadis.Decode(p.body, p.shape); return err },
		"decode-encode":   func() error { _, err := p.parts(); return err },
		"raw":             func() error { _, err := p.copy(); return err },
	}
	p = newPath(b, kafkatest.Broker(b))
	for name, do := range stages {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(p.body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// brokerVariable makes the test binary an embedded broker in the folder that it
// names.
const brokerVariable = "BUDGET_BROKER"

// serveBroker is a broker until its input ends.
func serveBroker(dir string) error {
	k, err := embedded.StartKafka(context.Background(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(k.Connection()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// brokerProcess starts an embedded broker whose time does not count as the
// engine's.
func brokerProcess(t testing.TB) map[string]any {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), brokerVariable+"="+filepath.Join(t.TempDir(), "broker"))
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if errIn != nil || errOut != nil {
		t.Fatal(errIn, errOut)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var connection map[string]any
	if err := json.Unmarshal(line, &connection); err != nil {
		t.Fatal(err)
	}
	return connection
}
