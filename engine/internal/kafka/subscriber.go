package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
)

// TopicPartition is a partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Handlers are told which partitions come and go. They are called within Poll
// and Close, and must not commit: what is done is committed before the next
// Poll.
type Handlers struct {
	// Assigned partitions are read from now on, from the committed offset.
	Assigned func([]TopicPartition)
	// Revoked partitions go to another member when the handler returns. Lost ones
	// are gone already.
	Revoked func(partitions []TopicPartition, lost bool)
}

// Subscriber reads topics as a member of a group. Nothing is committed but by
// Commit. Poll is for one goroutine; the other methods are for concurrent use.
type Subscriber struct {
	consumer *consumer
	handlers Handlers
	log      *slog.Logger
	polling  sync.Mutex   // held while librdkafka is polled or closed
	using    sync.RWMutex // read-held by commits, which may outlive their caller
	closed   bool         // guarded by using
}

// NewSubscriber is a member of the given group, as yet without topics. Close
// it.
func NewSubscriber(ctx context.Context, c Config, group string, h Handlers, log *slog.Logger) (*Subscriber, error) {
	consumer, err := newConsumer(ctx, c,
		kafka.ConfigMap{
			// A member that does not poll for so long is taken for stuck. While
			// a plugin works, the caller pauses and goes on polling.
			"max.poll.interval.ms":       "600000",
			"queued.max.messages.kbytes": "16384", // per partition
			"queued.min.messages":        "1000",
			// How soon the others take over from a member that was killed. It
			// is heard of while a plugin works, too.
			"session.timeout.ms":    "15000",
			"heartbeat.interval.ms": "3000",
			// How soon a topic that is created later is noticed.
			"topic.metadata.refresh.interval.ms": "30000",
		},
		kafka.ConfigMap{
			"group.id":                      group,
			"auto.offset.reset":             "earliest",
			"partition.assignment.strategy": "cooperative-sticky",
		}, log)
	if err != nil {
		return nil, err
	}
	return &Subscriber{consumer: consumer, handlers: h, log: log}, nil
}

// Subscribe replaces the topics that are read. Partitions of topics that stay
// stay assigned.
func (s *Subscriber) Subscribe(topics []string) error {
	var err error
	if len(topics) == 0 {
		err = s.consumer.Unsubscribe()
	} else {
		err = s.consumer.SubscribeTopics(topics, s.rebalance)
	}
	if err != nil {
		return fmt.Errorf("kafka: subscribe: %w", err)
	}
	return nil
}

// rebalance hands a change of the assignment on, and then applies it.
func (s *Subscriber) rebalance(c *kafka.Consumer, event kafka.Event) error {
	var err error
	switch e := event.(type) {
	case kafka.AssignedPartitions:
		if s.handlers.Assigned != nil && len(e.Partitions) > 0 {
			s.handlers.Assigned(ours(e.Partitions))
		}
		err = c.IncrementalAssign(e.Partitions)
	case kafka.RevokedPartitions:
		if s.handlers.Revoked != nil && len(e.Partitions) > 0 {
			s.handlers.Revoked(ours(e.Partitions), c.AssignmentLost())
		}
		s.awaitCommits()
		err = c.IncrementalUnassign(e.Partitions)
	}
	if err != nil {
		// The client ignores what a callback returns.
		s.log.Error("kafka: change the assignment: " + err.Error())
	}
	return err
}

// awaitCommits waits for commits that their caller gave up on.
func (s *Subscriber) awaitCommits() {
	s.using.Lock()
	defer s.using.Unlock()
}

func ours(theirs []kafka.TopicPartition) []TopicPartition {
	partitions := make([]TopicPartition, len(theirs))
	for i, p := range theirs {
		partitions[i] = TopicPartition{*p.Topic, p.Partition}
	}
	return partitions
}

// Poll waits for the next message. It must be called again within minutes, or
// the group takes the partitions away; see Pause.
func (s *Subscriber) Poll(ctx context.Context) (Record, error) {
	for {
		if ctx.Err() != nil {
			return Record{}, context.Cause(ctx)
		}
		event, err := s.poll()
		if err != nil {
			return Record{}, err
		}
		switch e := event.(type) {
		case *kafka.Message:
			if e.TopicPartition.Error == nil {
				return record(e), nil
			}
			s.log.LogAttrs(ctx, slog.LevelWarn, "kafka: "+e.TopicPartition.Error.Error())
		case kafka.Error:
			if e.IsFatal() {
				return Record{}, fmt.Errorf("%w: %w", ErrFatal, e)
			}
			s.log.LogAttrs(ctx, slog.LevelWarn, "kafka: "+news(e), slog.String("code", e.Code().String()))
		}
	}
}

// poll polls once, unless the subscriber is closed.
func (s *Subscriber) poll() (kafka.Event, error) {
	s.polling.Lock()
	defer s.polling.Unlock()
	if s.consumer.IsClosed() {
		return nil, ErrClosed
	}
	return s.consumer.Poll(pollTime), nil
}

// Commit says that the group has done all messages before the given offsets. It
// fails for partitions that are not this member's any more.
func (s *Subscriber) Commit(ctx context.Context, offsets map[TopicPartition]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("kafka: commit: %w", context.Cause(ctx))
	}
	theirs := make([]kafka.TopicPartition, 0, len(offsets))
	for p, offset := range offsets {
		theirs = append(theirs, kafka.TopicPartition{
			Topic: &p.Topic, Partition: p.Partition, Offset: kafka.Offset(offset),
		})
	}
	done := make(chan error, 1)
	s.using.RLock()
	go func() { // the call takes no context; the lock keeps Close waiting for it
		defer s.using.RUnlock()
		done <- s.commit(theirs)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("kafka: commit: %w", context.Cause(ctx))
	}
}

// commit commits; the caller holds s.using.
func (s *Subscriber) commit(offsets []kafka.TopicPartition) error {
	if s.closed {
		return ErrClosed
	}
	results, err := s.consumer.CommitOffsets(offsets)
	if err != nil {
		return fmt.Errorf("kafka: commit: %w", err)
	}
	var problems []error
	for _, p := range results {
		if p.Error != nil {
			problems = append(problems, fmt.Errorf("kafka: commit %s/%d: %w", *p.Topic, p.Partition, p.Error))
		}
	}
	return errors.Join(problems...)
}

// Committed is, per topic and partition, the offset that the group has
// committed. Partitions without a commit are left out.
func (s *Subscriber) Committed(ctx context.Context, topics []string) (envelope.EndOffsets, error) {
	s.using.RLock()
	defer s.using.RUnlock()
	offsets := envelope.EndOffsets{}
	if s.closed {
		return nil, ErrClosed
	}
	found, err := partitions(ctx, topics, s.consumer.GetMetadata)
	if err != nil || len(found) == 0 {
		return offsets, err
	}
	found, err = s.consumer.Committed(found, int(metadataTimeout.Milliseconds()))
	if err != nil {
		return nil, fmt.Errorf("kafka: ask for committed offsets: %w", err)
	}
	for _, p := range found {
		if p.Offset >= 0 {
			setOffset(offsets, p, int64(p.Offset))
		}
	}
	return offsets, nil
}

// Pause stops the reading of partitions, which stay assigned. Poll must still
// be called; it returns messages of the others only.
func (s *Subscriber) Pause(partitions []TopicPartition) error {
	s.using.RLock()
	defer s.using.RUnlock()
	if err := s.consumer.Pause(theirs(partitions)); err != nil {
		return fmt.Errorf("kafka: pause: %w", err)
	}
	return nil
}

// Resume goes on reading after the last message that Poll returned.
func (s *Subscriber) Resume(partitions []TopicPartition) error {
	s.using.RLock()
	defer s.using.RUnlock()
	if err := s.consumer.Resume(theirs(partitions)); err != nil {
		return fmt.Errorf("kafka: resume: %w", err)
	}
	return nil
}

func theirs(ours []TopicPartition) []kafka.TopicPartition {
	partitions := make([]kafka.TopicPartition, len(ours))
	for i, p := range ours {
		partitions[i] = kafka.TopicPartition{Topic: &p.Topic, Partition: p.Partition}
	}
	return partitions
}

// Close leaves the group, so that others take over at once. The handlers are
// told of what is revoked.
func (s *Subscriber) Close() error {
	s.polling.Lock()
	defer s.polling.Unlock()
	if s.consumer.IsClosed() {
		return nil
	}
	s.awaitCommits()
	err := s.consumer.close()
	s.using.Lock()
	s.closed = true
	s.using.Unlock()
	return err
}
