package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
)

func (w *world) reader() *kafka.Reader {
	w.Helper()
	r, err := kafka.NewReader(w.ctx, w.config, w.log)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := r.Close(); err != nil {
			w.Error(err)
		}
	})
	return r
}

func TestReadAt(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p, r := w.create("t"), w.publisher(), w.reader()
		messages := numbered(topic, 20)
		locations := w.publish(p, messages...)
		var readers sync.WaitGroup
		for i, l := range locations {
			readers.Go(func() {
				got, err := r.ReadAt(w.ctx, l.Topic, l.Partition, l.Offset)
				if err != nil || !reflect.DeepEqual(got, messages[i]) {
					w.Errorf("message %d: got %+v, %v", i, got, err)
				}
			})
		}
		readers.Wait()
	})
}

func TestReadAtGone(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p, r := w.create("t"), w.publisher(), w.reader()
		l := w.publish(p, numbered(topic, 1)...)[0]
		empty := (l.Partition + 1) % 3
		for name, at := range map[string]kafka.Location{
			"behind the end":    {Topic: topic, Partition: l.Partition, Offset: l.Offset + 1},
			"far behind it":     {Topic: topic, Partition: l.Partition, Offset: l.Offset + 1000},
			"empty partition":   {Topic: topic, Partition: empty, Offset: 0},
			"negative":          {Topic: topic, Partition: empty, Offset: -2},
			"unknown partition": {Topic: topic, Partition: 99, Offset: 0},
			"unknown topic":     {Topic: w.topic("unknown"), Partition: 0, Offset: 0},
		} {
			if _, err := r.ReadAt(w.ctx, at.Topic, at.Partition, at.Offset); !errors.Is(err, kafka.ErrGone) {
				w.Errorf("%s: %v", name, err)
			}
		}
		if _, err := r.ReadAt(w.ctx, l.Topic, l.Partition, l.Offset); err != nil {
			w.Errorf("afterwards: %v", err)
		}
	})
}

func TestReadAtGivesUp(t *testing.T) {
	t.Parallel()
	c := kafka.Default()
	c.Connection = map[string]any{"bootstrap.servers": "127.0.0.1:1"}
	r, err := kafka.NewReader(t.Context(), c, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cancel(reason)
	if _, err := r.ReadAt(ctx, "t", 0, 0); !errors.Is(err, reason) {
		t.Errorf("cancelled: %v", err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadAt(t.Context(), "t", 0, 0); !errors.Is(err, kafka.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestReadAll(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p, r := w.create("t"), w.publisher(), w.reader()
		read := func() (keys map[string]bool) {
			keys = map[string]bool{}
			err := r.ReadAll(w.ctx, topic, func(m kafka.Record) error {
				keys[string(m.Key)] = true
				return nil
			})
			if err != nil {
				w.Fatal(err)
			}
			return keys
		}
		if got := read(); len(got) != 0 {
			w.Errorf("empty topic: %v", got)
		}
		w.publish(p, numbered(topic, 300)...)
		for range 2 { // from the beginning each time
			if got := read(); len(got) != 300 {
				w.Errorf("%d of 300 messages", len(got))
			}
		}
		stop := errors.New("stop")
		if err := r.ReadAll(w.ctx, topic, func(kafka.Record) error { return stop }); !errors.Is(err, stop) {
			w.Errorf("error of visit: %v", err)
		}
		if err := r.ReadAll(w.ctx, w.topic("unknown"), nil); err == nil {
			w.Error("read a topic that does not exist")
		}
	})
}

// What a control topic says is read in the order in which it was said.
func TestReadAllKeepsOrder(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p, r := w.topic("runs"), w.publisher(), w.reader()
		if err := w.admin().EnsureTopics(w.ctx, []kafka.TopicSpec{w.config.ControlTopic(topic)}); err != nil {
			w.Fatal(err)
		}
		for i := range 5 {
			w.publish(p, envelope.Message{Topic: topic, Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)})
		}
		var got []string
		err := r.ReadAll(w.ctx, topic, func(m kafka.Record) error {
			got = append(got, string(m.Value))
			return nil
		})
		if want := []string{"0", "1", "2", "3", "4"}; err != nil || !reflect.DeepEqual(got, want) {
			w.Errorf("got %v, %v", got, err)
		}
	})
}
