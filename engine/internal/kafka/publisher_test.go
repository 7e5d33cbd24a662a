package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
)

func TestPublishTellsWhereMessagesLie(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p := w.create("t"), w.publisher()
		messages := numbered(topic, 50)
		two := int32(2)
		messages[7].Partition = &two
		locations := w.publish(p, messages...)
		if locations[7].Partition != 2 {
			w.Errorf("sent to partition 2, lies in %d", locations[7].Partition)
		}
		ends, err := w.admin().EndOffsets(w.ctx, []string{topic})
		if err != nil {
			w.Fatal(err)
		}
		seen := map[kafka.Location]bool{}
		for _, l := range locations {
			if l.Topic != topic || l.Offset >= ends[topic][l.Partition] || seen[l] {
				w.Errorf("%v: beyond the end, twice, or elsewhere", l)
			}
			seen[l] = true
		}
		if got := w.publish(p); got != nil {
			w.Errorf("nothing published lies in %v", got)
		}
	})
}

// The queue is much smaller than what many goroutines publish at once.
func TestPublishWaitsForRoom(t *testing.T) {
	onEach(t, func(w *world) {
		topic := w.create("t")
		w.config.Connection = with(w.config.Connection, "queue.buffering.max.messages", 5)
		w.config.Connection = with(w.config.Connection, "linger.ms", 0)
		p := w.publisher()
		var publishers sync.WaitGroup
		for range 8 {
			publishers.Go(func() {
				if _, err := p.Publish(w.ctx, numbered(topic, 40)); err != nil {
					w.Error(err)
				}
			})
		}
		publishers.Wait()
		ends, err := w.admin().EndOffsets(w.ctx, []string{topic})
		if err != nil {
			w.Fatal(err)
		}
		total := int64(0)
		for _, end := range ends[topic] {
			total += end
		}
		if total != 8*40 {
			w.Errorf("%d messages arrived", total)
		}
	})
}

func TestPublishRefuses(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p := w.create("t"), w.publisher()
		large := envelope.Message{Topic: topic, Key: []byte("k"), Value: make([]byte, 2<<20)}
		if _, err := p.Publish(w.ctx, []envelope.Message{large}); !errors.Is(err, kafka.ErrTooLarge) {
			w.Errorf("2 MiB: %v", err)
		}
		w.publish(p, numbered(topic, 1)...) // it goes on
	})
}

func TestPublishCreatesNoTopic(t *testing.T) {
	onEach(t, func(w *world) {
		w.config.Connection = with(w.config.Connection, "topic.metadata.propagation.max.ms", 100)
		w.config.Connection = with(w.config.Connection, "delivery.timeout.ms", 2000)
		w.config.Connection = with(w.config.Connection, "linger.ms", 0)
		p := w.publisher()
		if _, err := p.Publish(w.ctx, numbered(w.topic("unknown"), 1)); err == nil {
			w.Error("published to a topic that does not exist")
		}
		if _, err := w.admin().EndOffsets(w.ctx, []string{w.topic("unknown")}); err == nil {
			w.Error("the topic was created")
		}
	})
}

func TestPublishWithoutBroker(t *testing.T) {
	t.Parallel()
	c := kafka.Default()
	c.Connection = map[string]any{"bootstrap.servers": "127.0.0.1:1"}
	p, err := kafka.NewPublisher(t.Context(), c, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := p.Publish(ctx, numbered("t", 3)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Publish: %v", err)
	}
	if err := p.Close(ctx); err == nil || !strings.Contains(err.Error(), "3 messages") {
		t.Errorf("Close: %v", err)
	}
	if _, err := p.Publish(t.Context(), numbered("t", 1)); !errors.Is(err, kafka.ErrClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	if err := p.Close(ctx); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		connection map[string]any
		want       []string // none: valid
	}{
		"plain":           {map[string]any{"bootstrap.servers": "h:1", "linger.ms": 5.0, "ssl.key.password": "p"}, nil},
		"as we set it":    {map[string]any{"bootstrap.servers": "h:1", "acks": -1, "enable.idempotence": true}, nil},
		"no address":      {map[string]any{}, []string{"connection.bootstrap.servers"}},
		"weaker":          {map[string]any{"bootstrap.servers": "h:1", "acks": 1.0}, []string{"connection.acks"}},
		"go setting":      {map[string]any{"bootstrap.servers": "h:1", "go.x": "y"}, []string{"connection.go.x"}},
		"no scalar":       {map[string]any{"bootstrap.servers": []any{"hidden"}}, []string{"connection.bootstrap.servers: neither"}},
		"several at once": {map[string]any{"group.id": "hidden", "acks": "0"}, []string{"group.id", "acks", "bootstrap"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := kafka.Default()
			c.Connection = tc.connection
			err := c.Validate()
			if (err == nil) != (tc.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tc.want {
				if text := fmt.Sprint(err); !strings.Contains(text, want) || strings.Contains(text, "hidden") {
					t.Errorf("%q: want %q, and no values", text, want)
				}
			}
		})
	}
	c := kafka.Config{Connection: map[string]any{"bootstrap.servers": "h:1"}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "partitions: 0") {
		t.Errorf("no partitions: %v", err)
	}
}

// What is published is told of, and what waits adds up to nothing at the end.
func TestPublishingIsWatched(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p := w.create("t"), w.publisher()
		var mu sync.Mutex
		var delivered, failed, bytes, most int
		p.Watch(kafka.Watch{
			Delivered: func(messages int, took time.Duration, err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed += messages
				} else if took > 0 {
					delivered += messages
				}
			},
			Queued: func(n int) {
				mu.Lock()
				defer mu.Unlock()
				bytes += n
				most = max(most, bytes)
			},
		})
		w.publish(p, numbered(topic, 3)...)
		ended, cancel := context.WithCancel(w.ctx)
		cancel()
		if _, err := p.Publish(ended, numbered(topic, 2)); err == nil {
			w.Error("published although the context had ended")
		}
		mu.Lock()
		defer mu.Unlock()
		if delivered != 3 || failed != 2 || bytes != 0 || most != 3*len("key-0value 0") {
			w.Errorf("delivered %d, failed %d, %d bytes wait, %d at most", delivered, failed, bytes, most)
		}
	})
}

func TestPing(t *testing.T) {
	onEach(t, func(w *world) {
		if err := w.admin().Ping(10 * time.Second); err != nil {
			w.Errorf("a broker that is there: %v", err)
		}
	})
	gone := kafka.Default()
	gone.Connection = map[string]any{"bootstrap.servers": "127.0.0.1:1"}
	admin, err := kafka.NewAdmin(t.Context(), gone, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.Ping(100 * time.Millisecond); err == nil {
		t.Error("a broker that is not there answers")
	}
}
