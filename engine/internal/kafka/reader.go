package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
)

// ErrGone says that the broker no longer has the message: it was compacted
// away, outlived its retention, or its topic was deleted.
var ErrGone = errors.New("kafka: the message is gone")

// pollTime is how long librdkafka is waited for at a time. It takes no context;
// between two waits ours is looked at.
const pollTime = 100 // ms

// readerGroup is a name that librdkafka insists on. The group never exists.
const readerGroup = "datadis-engine-reader"

// Reader reads messages by where they lie, outside any group. It is for
// concurrent use; one read takes place at a time.
type Reader struct {
	config Config
	log    *slog.Logger
	turn   chan struct{} // holds one token while nobody reads
	single *consumer     // for ReadAt; whoever has the token may use it
}

// consumer is librdkafka's consumer and the logs that belong to it.
type consumer struct {
	*kafka.Consumer
	logs *logs
}

func newConsumer(ctx context.Context, c Config, defaults, forced kafka.ConfigMap, log *slog.Logger) (*consumer, error) {
	settings, err := c.settings(defaults)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	settings["enable.auto.commit"] = "false"
	settings["enable.auto.offset.store"] = "false"
	for name, value := range forced {
		settings[name] = value
	}
	l := startLogs(context.WithoutCancel(ctx), log)
	l.attach(settings)
	client, err := kafka.NewConsumer(&settings)
	if err != nil {
		l.stop()
		return nil, fmt.Errorf("kafka: set up a consumer: %w", err)
	}
	return &consumer{client, l}, nil
}

func (c *consumer) close() error {
	err := c.Close()
	c.logs.stop()
	if err != nil {
		return fmt.Errorf("kafka: close a consumer: %w", err)
	}
	return nil
}

// NewReader connects in the background. Close it.
func NewReader(ctx context.Context, c Config, log *slog.Logger) (*Reader, error) {
	single, err := newConsumer(ctx, c,
		kafka.ConfigMap{
			// One message is wanted, not those behind it.
			"queued.min.messages": "1", "queued.max.messages.kbytes": "1024", "fetch.wait.max.ms": "50",
		},
		kafka.ConfigMap{
			"group.id": readerGroup, "enable.partition.eof": "true", "auto.offset.reset": "error",
		}, log)
	if err != nil {
		return nil, err
	}
	r := &Reader{config: c, log: log, turn: make(chan struct{}, 1), single: single}
	r.turn <- struct{}{}
	return r, nil
}

// Close waits for the read in progress and disconnects.
func (r *Reader) Close() error {
	if _, ok := <-r.turn; !ok {
		return nil
	}
	close(r.turn)
	return r.single.close()
}

// ReadAt reads the message at an offset. [ErrGone] says that there is none any
// more.
func (r *Reader) ReadAt(ctx context.Context, topic string, partition int32, offset int64) (envelope.Message, error) {
	fail := func(err error) (envelope.Message, error) {
		return envelope.Message{}, fmt.Errorf("read %s/%d at %d: %w", topic, partition, offset, err)
	}
	if offset < 0 {
		return fail(ErrGone) // negative offsets mean other things to librdkafka
	}
	select {
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	case _, ok := <-r.turn:
		if !ok {
			return fail(ErrClosed)
		}
	}
	defer func() { r.turn <- struct{}{} }()
	at := kafka.TopicPartition{Topic: &topic, Partition: partition, Offset: kafka.Offset(offset)}
	if err := r.single.Assign([]kafka.TopicPartition{at}); err != nil {
		return fail(err)
	}
	m, err := r.await(ctx, at)
	if e := r.single.Unassign(); err == nil {
		err = e
	}
	if err != nil {
		return fail(err)
	}
	return m, nil
}

// await waits for the message of the one partition that is assigned.
func (r *Reader) await(ctx context.Context, at kafka.TopicPartition) (envelope.Message, error) {
	for polls := 1; ; polls++ {
		if ctx.Err() != nil {
			return envelope.Message{}, context.Cause(ctx)
		}
		switch e := r.single.Poll(pollTime).(type) {
		case nil:
			if polls%10 == 0 && r.single.lacks(at) {
				return envelope.Message{}, ErrGone
			}
		case *kafka.Message:
			if *e.TopicPartition.Topic != *at.Topic || e.TopicPartition.Partition != at.Partition {
				continue // left over from an earlier read
			}
			if e.TopicPartition.Offset != at.Offset {
				return envelope.Message{}, ErrGone
			}
			return record(e).Message, nil
		case kafka.PartitionEOF:
			return envelope.Message{}, ErrGone
		case kafka.Error:
			if gone(e) {
				return envelope.Message{}, ErrGone
			}
			if e.IsFatal() {
				return envelope.Message{}, fmt.Errorf("%w: %w", ErrFatal, e)
			}
			r.log.LogAttrs(ctx, slog.LevelWarn, "kafka: "+e.Error(), slog.String("code", e.Code().String()))
		}
	}
}

// lacks tells whether the broker says that it has no such partition: for that
// librdkafka waits, without a word.
func (c *consumer) lacks(at kafka.TopicPartition) bool {
	answer, err := c.GetMetadata(at.Topic, false, 1000)
	if err != nil {
		return false
	}
	topic := answer.Topics[*at.Topic]
	return topic.Error.Code() == kafka.ErrUnknownTopicOrPart || topic.Error.Code() == kafka.ErrNoError &&
		!slices.ContainsFunc(topic.Partitions, func(p kafka.PartitionMetadata) bool { return p.ID == at.Partition })
}

// gone tells whether an error means that there is nothing at an offset.
func gone(e kafka.Error) bool {
	switch e.Code() {
	case kafka.ErrAutoOffsetReset, kafka.ErrOffsetOutOfRange,
		kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic, kafka.ErrUnknownPartition:
		return true
	default:
		return false
	}
}

// ReadAll reads a topic from its beginning to where it ends now, and calls
// visit for each message: in order within a partition. It stops at the first
// error of visit, and returns it.
func (r *Reader) ReadAll(ctx context.Context, topic string, visit func(Record) error) (err error) {
	fail := func(err error) error { return fmt.Errorf("read all of %s: %w", topic, err) }
	c, err := newConsumer(ctx, r.config,
		kafka.ConfigMap{"queued.max.messages.kbytes": "16384"},
		kafka.ConfigMap{
			"group.id": readerGroup, "enable.partition.eof": "true", "auto.offset.reset": "earliest",
		}, r.log)
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	ends, err := c.assignAll(ctx, topic)
	if err != nil {
		return fail(err)
	}
	for len(ends) > 0 {
		if ctx.Err() != nil {
			return fail(context.Cause(ctx))
		}
		switch e := c.Poll(pollTime).(type) {
		case *kafka.Message:
			at := e.TopicPartition
			end, ok := ends[at.Partition]
			if ok && int64(at.Offset) < end {
				if err := visit(record(e)); err != nil {
					return fail(err)
				}
			}
			if int64(at.Offset)+1 >= end {
				delete(ends, at.Partition)
			}
		case kafka.PartitionEOF: // the last messages may have been compacted away
			delete(ends, e.Partition)
		case kafka.Error:
			if gone(e) || e.IsFatal() {
				return fail(e)
			}
			r.log.LogAttrs(ctx, slog.LevelWarn, "kafka: "+e.Error(), slog.String("code", e.Code().String()))
		}
	}
	return nil
}

// assignAll assigns all partitions of a topic that are not empty, and returns
// where they end.
func (c *consumer) assignAll(ctx context.Context, topic string) (map[int32]int64, error) {
	found, err := partitions(ctx, []string{topic}, c.GetMetadata)
	if err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	var assigned []kafka.TopicPartition
	for _, p := range found {
		timeout := int(metadataTimeout / time.Millisecond)
		low, high, err := c.QueryWatermarkOffsets(topic, p.Partition, timeout)
		if err != nil {
			return nil, fmt.Errorf("ask for the end of partition %d: %w", p.Partition, err)
		}
		if low < high {
			ends[p.Partition] = high
			p.Offset = kafka.Offset(low)
			assigned = append(assigned, p)
		}
	}
	if len(assigned) == 0 {
		return nil, nil
	}
	if err := c.Assign(assigned); err != nil {
		return nil, fmt.Errorf("assign: %w", err)
	}
	return ends, nil
}
