package kafka_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
)

// world is what a test works with: a broker, and topics of its own.
type world struct {
	*testing.T
	ctx    context.Context
	config kafka.Config
	log    *slog.Logger
	prefix string
}

// onEach runs a test on the embedded broker and on the real one, if there is
// one.
func onEach(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Parallel()
	kafkatest.OnEach(t, func(t *testing.T, connection map[string]any) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		t.Cleanup(cancel)
		c := kafka.Default()
		c.Connection, c.Partitions = connection, 3
		name := strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())
		test(&world{t, ctx, c, testLog(t), fmt.Sprintf("%s-%x", name, time.Now().UnixNano())})
	})
}

// testLog shows what was logged if the test fails.
func testLog(t *testing.T) *slog.Logger {
	var buffer lockedBuffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(buffer.String())
		}
	})
	return slog.New(slog.NewTextHandler(&buffer, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (w *world) topic(name string) string { return w.prefix + "." + name }

func (w *world) admin() *kafka.Admin {
	w.Helper()
	a, err := kafka.NewAdmin(w.ctx, w.config, w.log)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(a.Close)
	return a
}

// create creates a topic of data.
func (w *world) create(name string) string {
	w.Helper()
	topic := w.topic(name)
	if err := w.admin().EnsureTopics(w.ctx, []kafka.TopicSpec{w.config.DataTopic(topic)}); err != nil {
		w.Fatal(err)
	}
	return topic
}

func (w *world) publisher() *kafka.Publisher {
	w.Helper()
	p, err := kafka.NewPublisher(w.ctx, w.config, w.log)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), 20*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			w.Error(err)
		}
	})
	return p
}

func (w *world) publish(p *kafka.Publisher, messages ...envelope.Message) []kafka.Location {
	w.Helper()
	locations, err := p.Publish(w.ctx, messages)
	if err != nil {
		w.Fatal(err)
	}
	return locations
}

// numbered are n messages with different keys.
func numbered(topic string, n int) []envelope.Message {
	messages := make([]envelope.Message, n)
	for i := range messages {
		messages[i] = envelope.Message{
			Topic: topic, Key: fmt.Appendf(nil, "key-%d", i), Value: fmt.Appendf(nil, "value %d", i),
			Headers: []envelope.Header{{Name: "n", Value: fmt.Sprint(i)}, {Name: "empty"}},
		}
	}
	return messages
}

// with is a connection with one more setting.
func with(connection map[string]any, name string, value any) map[string]any {
	connection = maps.Clone(connection)
	connection[name] = value
	return connection
}
