package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
)

const (
	// metadataTimeout bounds the one call that takes no context.
	metadataTimeout = 20 * time.Second
	// metadataPoll is how often partitions are asked for again that are not ready.
	metadataPoll = 20 * time.Millisecond
)

// EndOffsets is, per topic and partition, the offset that the next message will
// get. A topic that does not exist is an error. It waits while partitions move
// from one broker to another.
func (a *Admin) EndOffsets(ctx context.Context, topics []string) (envelope.EndOffsets, error) {
	var ends envelope.EndOffsets
	err := patiently(ctx, moving, func(ctx context.Context) (err error) {
		ends, err = a.endOffsets(ctx, topics)
		return err
	})
	return ends, err
}

// awaitTopics waits until the broker that answers knows the topics and where
// their partitions are. Brokers learn that a moment after the creation of a
// topic, by whoever, was confirmed.
func (a *Admin) awaitTopics(ctx context.Context, specs []TopicSpec) error {
	for _, s := range specs {
		err := patiently(ctx, appearing, func(ctx context.Context) error {
			_, err := a.endOffsets(ctx, []string{s.Name})
			return err
		})
		if err != nil {
			return fmt.Errorf("topic %s was created, but is not ready: %w", s.Name, err)
		}
	}
	return nil
}

// What brokers answer about partitions that have no leader at the moment, and
// about topics that they do not know yet.
var (
	moving = []kafka.ErrorCode{
		kafka.ErrNotLeaderForPartition, kafka.ErrLeaderNotAvailable, kafka.ErrUnknownLeaderEpoch, kafka.ErrFencedLeaderEpoch,
	}
	appearing = append([]kafka.ErrorCode{kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic}, moving...)
)

// patiently asks again while the answer is one of the given, for some time.
func patiently(ctx context.Context, passing []kafka.ErrorCode, ask func(context.Context) error) error {
	patience, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	poll := time.NewTicker(metadataPoll)
	defer poll.Stop()
	for {
		err := ask(ctx)
		var answer kafka.Error
		if !errors.As(err, &answer) || !slices.Contains(passing, answer.Code()) {
			return err
		}
		select {
		case <-poll.C:
		case <-patience.Done():
			return err
		}
	}
}

func (a *Admin) endOffsets(ctx context.Context, topics []string) (envelope.EndOffsets, error) {
	partitions, err := a.partitions(ctx, topics)
	if err != nil || len(partitions) == 0 {
		return envelope.EndOffsets{}, err
	}
	ask := map[kafka.TopicPartition]kafka.OffsetSpec{}
	for _, p := range partitions {
		ask[p] = kafka.LatestOffsetSpec
	}
	result, err := a.client.ListOffsets(ctx, ask, kafka.SetAdminIsolationLevel(kafka.IsolationLevelReadUncommitted))
	if err != nil {
		return nil, fmt.Errorf("kafka: ask for end offsets: %w", explain(err))
	}
	ends := envelope.EndOffsets{}
	for p, info := range result.ResultInfos {
		if info.Error.Code() != kafka.ErrNoError {
			return nil, fmt.Errorf("kafka: ask for the end of %s/%d: %w", *p.Topic, p.Partition, explain(info.Error))
		}
		setOffset(ends, p, int64(info.Offset))
	}
	return ends, nil
}

// GroupOffsets is, per topic and partition, the offset that a group has
// committed: that of the next message it will read. Partitions without a commit
// are left out.
func (a *Admin) GroupOffsets(ctx context.Context, group string, topics []string) (envelope.EndOffsets, error) {
	offsets := envelope.EndOffsets{}
	partitions, err := a.partitions(ctx, topics)
	if err != nil || len(partitions) == 0 {
		return offsets, err
	}
	result, err := a.client.ListConsumerGroupOffsets(ctx,
		[]kafka.ConsumerGroupTopicPartitions{{Group: group, Partitions: partitions}})
	if err != nil {
		return nil, fmt.Errorf("kafka: ask for the offsets of group %s: %w", group, explain(err))
	}
	for _, g := range result.ConsumerGroupsTopicPartitions {
		for _, p := range g.Partitions {
			if p.Error != nil {
				return nil, fmt.Errorf("kafka: ask for the offset of group %s in %s/%d: %w", group, *p.Topic, p.Partition, explain(p.Error))
			}
			if p.Offset >= 0 {
				setOffset(offsets, p, int64(p.Offset))
			}
		}
	}
	return offsets, nil
}

func setOffset(offsets envelope.EndOffsets, p kafka.TopicPartition, offset int64) {
	if offsets[*p.Topic] == nil {
		offsets[*p.Topic] = map[int32]int64{}
	}
	offsets[*p.Topic][p.Partition] = offset
}

// partitions lists the partitions of the topics.
func (a *Admin) partitions(ctx context.Context, topics []string) ([]kafka.TopicPartition, error) {
	return partitions(ctx, topics, a.client.GetMetadata)
}

// partitions lists the partitions of the topics as the given client sees them.
func partitions(
	ctx context.Context, topics []string, metadata func(*string, bool, int) (*kafka.Metadata, error),
) ([]kafka.TopicPartition, error) {
	var found []kafka.TopicPartition
	for _, topic := range topics {
		if err := context.Cause(ctx); err != nil {
			return nil, fmt.Errorf("kafka: look at topic %s: %w", topic, explain(err))
		}
		answer, err := metadata(&topic, false, int(metadataTimeout.Milliseconds()))
		if err != nil {
			return nil, fmt.Errorf("kafka: look at topic %s: %w", topic, explain(err))
		}
		info := answer.Topics[topic]
		if info.Error.Code() != kafka.ErrNoError {
			return nil, fmt.Errorf("kafka: look at topic %s: %w", topic, explain(info.Error))
		}
		for _, p := range info.Partitions {
			found = append(found, kafka.TopicPartition{Topic: &topic, Partition: p.ID})
		}
	}
	return found, nil
}
