package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/harmonizer"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
)

// input is a harmonizer's consumer group, as this process sees it.
type input struct {
	*kafka.Subscriber

	mu       sync.Mutex
	assigned map[kafka.TopicPartition]bool
}

// newInput joins the group of a harmonizer.
func newInput(ctx context.Context, c kafka.Config, group string, topics []string, log *slog.Logger) (*input, error) {
	in := &input{assigned: make(map[kafka.TopicPartition]bool)}
	handlers := kafka.Handlers{
		Assigned: func(partitions []kafka.TopicPartition) { in.mark(partitions, true) },
		Revoked:  func(partitions []kafka.TopicPartition, _ bool) { in.mark(partitions, false) },
	}
	subscriber, err := kafka.NewSubscriber(ctx, c, group, handlers, log)
	if err != nil {
		return nil, err
	}
	in.Subscriber = subscriber
	if err := subscriber.Subscribe(topics); err != nil {
		return nil, errors.Join(err, subscriber.Close())
	}
	return in, nil
}

func (in *input) mark(partitions []kafka.TopicPartition, mine bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, p := range partitions {
		if mine {
			in.assigned[p] = true
		} else {
			delete(in.assigned, p)
		}
	}
}

// Assigned implements harmonizer.Input.
func (in *input) Assigned(p harmonizer.Partition) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.assigned[kafka.TopicPartition{Topic: p.Topic, Partition: p.ID}]
}

// Poll implements harmonizer.Input.
func (in *input) Poll(ctx context.Context, max int, wait time.Duration) ([]harmonizer.Message, error) {
	soon, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var messages []harmonizer.Message
	for len(messages) < max {
		record, err := in.Subscriber.Poll(soon)
		switch {
		case err != nil && soon.Err() != nil:
			return messages, nil
		case err != nil:
			return messages, err
		}
		at := harmonizer.Position{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset}
		messages = append(messages, harmonizer.Message{Position: at, Message: record.Message})
	}
	return messages, nil
}

// Commit implements harmonizer.Input.
func (in *input) Commit(ctx context.Context, next map[harmonizer.Partition]int64) error {
	offsets := make(map[kafka.TopicPartition]int64, len(next))
	for p, offset := range next {
		if in.Assigned(p) {
			offsets[kafka.TopicPartition{Topic: p.Topic, Partition: p.ID}] = offset
		}
	}
	return in.Subscriber.Commit(ctx, offsets)
}

// Committed implements harmonizer.Input.
func (in *input) Committed(ctx context.Context, partitions []harmonizer.Partition) (map[harmonizer.Partition]int64, error) {
	var topics []string
	known := make(map[string]bool)
	for _, p := range partitions {
		if !known[p.Topic] {
			known[p.Topic] = true
			topics = append(topics, p.Topic)
		}
	}
	offsets, err := in.Subscriber.Committed(ctx, topics)
	if err != nil {
		return nil, err
	}
	committed := make(map[harmonizer.Partition]int64, len(partitions))
	for _, p := range partitions {
		committed[p] = offsets[p.Topic][p.ID]
	}
	return committed, nil
}

// sink is the harmonizers' way to Kafka.
type sink struct{ *kafka.Publisher }

// Publish implements harmonizer.Output.
func (s sink) Publish(ctx context.Context, messages []envelope.Message) error {
	_, err := s.Publisher.Publish(ctx, messages)
	if errors.Is(err, kafka.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", harmonizer.ErrTooLarge, err)
	}
	return err
}
