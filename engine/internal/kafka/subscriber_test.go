package kafka_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/kafka"
)

func (w *world) subscriber(group string, h kafka.Handlers, topics ...string) *kafka.Subscriber {
	w.Helper()
	s, err := kafka.NewSubscriber(w.ctx, w.config, group, h, w.log)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.Error(err)
		}
	})
	if err := s.Subscribe(topics); err != nil {
		w.Fatal(err)
	}
	return s
}

// poll polls n messages, and returns the offset after the last one of each
// partition.
func (w *world) poll(s *kafka.Subscriber, n int) map[kafka.TopicPartition]int64 {
	w.Helper()
	next := map[kafka.TopicPartition]int64{}
	for range n {
		r, err := s.Poll(w.ctx)
		if err != nil {
			w.Fatal(err)
		}
		next[kafka.TopicPartition{Topic: r.Topic, Partition: r.Partition}] = r.Offset + 1
	}
	return next
}

// quiet fails if a message comes within a moment.
func (w *world) quiet(s *kafka.Subscriber) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 500*time.Millisecond)
	defer cancel()
	if r, err := s.Poll(ctx); !errors.Is(err, context.DeadlineExceeded) {
		w.Errorf("polled %s/%d at %d, %v", r.Topic, r.Partition, r.Offset, err)
	}
}

func TestSubscriberGoesOnAfterCommit(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p := w.create("t"), w.publisher()
		group := w.topic("group")
		w.publish(p, numbered(topic, 10)...)
		first := w.subscriber(group, kafka.Handlers{}, topic)
		next := w.poll(first, 10)
		if err := first.Commit(w.ctx, next); err != nil {
			w.Fatal(err)
		}
		w.publish(p, numbered(topic, 5)...)
		w.poll(first, 5) // not committed
		if err := first.Close(); err != nil {
			w.Fatal(err)
		}
		second := w.subscriber(group, kafka.Handlers{}, topic)
		w.poll(second, 5)
		w.quiet(second)

		ours, err := second.Committed(w.ctx, []string{topic})
		if err != nil {
			w.Fatal(err)
		}
		theirs, err := w.admin().GroupOffsets(w.ctx, group, []string{topic})
		if err != nil || !reflect.DeepEqual(ours, theirs) {
			w.Errorf("committed %v, the group says %v, %v", ours, theirs, err)
		}
		for at, offset := range next {
			if ours[topic][at.Partition] != offset {
				w.Errorf("partition %d is at %d, want %d", at.Partition, ours[topic][at.Partition], offset)
			}
		}
		if err := first.Commit(w.ctx, next); !errors.Is(err, kafka.ErrClosed) {
			w.Errorf("commit after close: %v", err)
		}
		if _, err := first.Poll(w.ctx); !errors.Is(err, kafka.ErrClosed) {
			w.Errorf("poll after close: %v", err)
		}
	})
}

// A second member takes partitions over; the first commits what it did of them
// while it gives them up, so nothing is read twice.
func TestSubscriberHandsOver(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p := w.create("t"), w.publisher()
		group := w.topic("group")
		w.publish(p, numbered(topic, 30)...)
		held := map[kafka.TopicPartition]bool{}
		first := w.subscriber(group, kafka.Handlers{
			Assigned: func(ps []kafka.TopicPartition) {
				for _, at := range ps {
					held[at] = true
				}
			},
			Revoked: func(ps []kafka.TopicPartition, _ bool) {
				for _, at := range ps {
					delete(held, at)
				}
			},
		}, topic)
		next := w.poll(first, 30)
		if len(held) != 3 {
			w.Fatalf("holds %v", held)
		}
		if err := first.Commit(w.ctx, next); err != nil {
			w.Fatal(err)
		}
		taken := 0
		second := w.subscriber(group, kafka.Handlers{
			Assigned: func(ps []kafka.TopicPartition) { taken += len(ps) },
		}, topic)
		for taken == 0 {
			w.quiet(first)
			w.quiet(second)
		}
		if len(held)+taken != 3 || len(held) == 0 {
			w.Errorf("%d partitions stayed, %d were taken", len(held), taken)
		}
		if err := first.Close(); err != nil {
			w.Fatal(err)
		}
		for taken < 3 {
			w.quiet(second)
		}
		w.quiet(second)
	})
}

func TestSubscriberPauses(t *testing.T) {
	onEach(t, func(w *world) {
		topic, p := w.create("t"), w.publisher()
		s := w.subscriber(w.topic("group"), kafka.Handlers{}, topic)
		w.publish(p, numbered(topic, 1)...)
		w.poll(s, 1)
		all := []kafka.TopicPartition{{Topic: topic}, {Topic: topic, Partition: 1}, {Topic: topic, Partition: 2}}
		if err := s.Pause(all); err != nil {
			w.Fatal(err)
		}
		w.publish(p, numbered(topic, 10)...)
		w.quiet(s)
		if err := s.Resume(all); err != nil {
			w.Fatal(err)
		}
		w.poll(s, 10)
	})
}

func TestSubscriberChangesTopics(t *testing.T) {
	onEach(t, func(w *world) {
		one, two, p := w.create("one"), w.create("two"), w.publisher()
		gone := map[string]int{}
		s := w.subscriber(w.topic("group"), kafka.Handlers{
			Revoked: func(ps []kafka.TopicPartition, _ bool) {
				for _, at := range ps {
					gone[at.Topic]++
				}
			},
		}, one)
		w.publish(p, append(numbered(one, 5), numbered(two, 7)...)...)
		if next := w.poll(s, 5); w.foreign(next, one) {
			w.Errorf("polled %v", next)
		}
		if err := s.Subscribe([]string{one, two}); err != nil {
			w.Fatal(err)
		}
		if next := w.poll(s, 7); w.foreign(next, two) {
			w.Errorf("polled %v", next)
		}
		if len(gone) > 0 {
			w.Errorf("revoked %v while a topic was added", gone)
		}
		if err := s.Subscribe([]string{two}); err != nil {
			w.Fatal(err)
		}
		for gone[one] < 3 {
			w.quiet(s)
		}
		if gone[two] > 0 {
			w.Errorf("revoked %v", gone)
		}
	})
}

// foreign tells whether a message is of another topic.
func (w *world) foreign(next map[kafka.TopicPartition]int64, topic string) bool {
	for at := range next {
		if at.Topic != topic {
			return true
		}
	}
	return false
}

func TestSubscriberSeesLaterTopic(t *testing.T) {
	onEach(t, func(w *world) {
		w.config.Connection = with(w.config.Connection, "topic.metadata.refresh.interval.ms", 200)
		topic := w.topic("later")
		s := w.subscriber(w.topic("group"), kafka.Handlers{}, topic)
		w.quiet(s)
		w.create("later")
		w.publish(w.publisher(), numbered(topic, 3)...)
		w.poll(s, 3)
	})
}

func TestCommitGivesUp(t *testing.T) {
	t.Parallel()
	c := kafka.Default()
	c.Connection = map[string]any{"bootstrap.servers": "127.0.0.1:1", "session.timeout.ms": 1000}
	s, err := kafka.NewSubscriber(t.Context(), c, "group", kafka.Handlers{}, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = s.Commit(ctx, map[kafka.TopicPartition]int64{{Topic: "t"}: 1})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Commit(t.Context(), nil); err != nil {
		t.Errorf("nothing to commit: %v", err)
	}
}
