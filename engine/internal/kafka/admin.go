package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
)

// metadataTimeout bounds the one call that takes no context.
const metadataTimeout = 20 * time.Second

// Admin creates topics and asks for offsets. It is for concurrent use.
type Admin struct {
	client *kafka.AdminClient
	logs   *logs
}

// NewAdmin connects in the background. Close it.
func NewAdmin(ctx context.Context, c Config, log *slog.Logger) (*Admin, error) {
	settings, err := c.settings(nil)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	l := startLogs(context.WithoutCancel(ctx), log)
	l.attach(settings)
	client, err := kafka.NewAdminClient(&settings)
	if err != nil {
		l.stop()
		return nil, fmt.Errorf("kafka: set up the admin client: %w", err)
	}
	return &Admin{client, l}, nil
}

// Close disconnects.
func (a *Admin) Close() {
	a.client.Close()
	a.logs.stop()
}

// TopicSpec is what a topic must be like. Partitions, replication and config
// count for a topic that is yet to be created, and so may differ from those of
// one that exists; only the cleanup policy may not.
type TopicSpec struct {
	Name        string
	Partitions  int
	Replication int
	Config      map[string]string
}

// topicName is what Kafka takes for a name.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

const cleanupPolicy = "cleanup.policy"

// DataTopic is a topic of time series or static data: messages of one key are
// no versions of each other, so it is never compacted.
func (c Config) DataTopic(name string) TopicSpec {
	config := map[string]string{cleanupPolicy: "delete"}
	if c.Retention != 0 {
		config["retention.ms"] = fmt.Sprint(max(-1, c.Retention.Milliseconds()))
	}
	return TopicSpec{name, c.Partitions, c.Replication, config}
}

// RawTopic is the topic of the raw copies: one message per key is kept for
// good.
func (c Config) RawTopic(name string) TopicSpec {
	return TopicSpec{name, c.Partitions, c.Replication, map[string]string{cleanupPolicy: "compact"}}
}

// ControlTopic is the topic of runs. Its one partition keeps them in order.
func (c Config) ControlTopic(name string) TopicSpec {
	return TopicSpec{name, 1, c.Replication, map[string]string{cleanupPolicy: "compact"}}
}

// EnsureTopics creates the topics that do not exist. Of those that do it checks
// that none is compacted that must not be, or the other way round: either loses
// data.
func (a *Admin) EnsureTopics(ctx context.Context, specs []TopicSpec) error {
	wanted := make([]kafka.TopicSpecification, len(specs))
	for i, s := range specs {
		if !topicName.MatchString(s.Name) { // not every broker refuses it
			return fmt.Errorf("kafka: create topics: %q is no name of a topic: up to 249 letters, digits, dots, dashes and underscores", s.Name)
		}
		wanted[i] = kafka.TopicSpecification{
			Topic: s.Name, NumPartitions: s.Partitions, ReplicationFactor: s.Replication, Config: s.Config,
		}
	}
	if len(specs) == 0 {
		return nil
	}
	results, err := a.client.CreateTopics(ctx, wanted, kafka.SetAdminOperationTimeout(metadataTimeout))
	if err != nil {
		return fmt.Errorf("kafka: create topics: %w", err)
	}
	var problems []error
	var existing []TopicSpec
	for _, result := range results {
		switch result.Error.Code() {
		case kafka.ErrNoError:
		case kafka.ErrTopicAlreadyExists:
			i := slices.IndexFunc(specs, func(s TopicSpec) bool { return s.Name == result.Topic })
			existing = append(existing, specs[i])
		default:
			problems = append(problems, fmt.Errorf("kafka: create topic %s: %w", result.Topic, result.Error))
		}
	}
	if err := a.checkPolicies(ctx, existing); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// checkPolicies compares the cleanup policies of topics with those they should
// have.
func (a *Admin) checkPolicies(ctx context.Context, specs []TopicSpec) error {
	var problems []error
	for _, s := range specs {
		want, ok := s.Config[cleanupPolicy]
		if !ok {
			continue
		}
		// One by one: brokers answer for one resource per request at least.
		results, err := a.client.DescribeConfigs(ctx, []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: s.Name}})
		if err != nil {
			return fmt.Errorf("kafka: look at topic %s: %w", s.Name, err)
		}
		for _, result := range results {
			got := result.Config[cleanupPolicy].Value
			if result.Error.Code() != kafka.ErrNoError {
				problems = append(problems, fmt.Errorf("kafka: look at topic %s: %w", s.Name, result.Error))
			} else if strings.Contains(got, "compact") != strings.Contains(want, "compact") {
				problems = append(problems, fmt.Errorf("kafka: topic %s has %s=%s, which would lose data; "+
					"set it to %s, or name another topic", s.Name, cleanupPolicy, got, want))
			}
		}
	}
	return errors.Join(problems...)
}

// EndOffsets is, per topic and partition, the offset that the next message will
// get. A topic that does not exist is an error.
func (a *Admin) EndOffsets(ctx context.Context, topics []string) (envelope.EndOffsets, error) {
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
		return nil, fmt.Errorf("kafka: ask for end offsets: %w", err)
	}
	ends := envelope.EndOffsets{}
	for p, info := range result.ResultInfos {
		if info.Error.Code() != kafka.ErrNoError {
			return nil, fmt.Errorf("kafka: ask for the end of %s/%d: %w", *p.Topic, p.Partition, info.Error)
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
		return nil, fmt.Errorf("kafka: ask for the offsets of group %s: %w", group, err)
	}
	for _, g := range result.ConsumerGroupsTopicPartitions {
		for _, p := range g.Partitions {
			if p.Error != nil {
				return nil, fmt.Errorf("kafka: ask for the offset of group %s in %s/%d: %w", group, *p.Topic, p.Partition, p.Error)
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
			return nil, fmt.Errorf("kafka: look at topic %s: %w", topic, err)
		}
		answer, err := metadata(&topic, false, int(metadataTimeout.Milliseconds()))
		if err != nil {
			return nil, fmt.Errorf("kafka: look at topic %s: %w", topic, err)
		}
		info := answer.Topics[topic]
		if info.Error.Code() != kafka.ErrNoError {
			return nil, fmt.Errorf("kafka: look at topic %s: %w", topic, info.Error)
		}
		for _, p := range info.Partitions {
			found = append(found, kafka.TopicPartition{Topic: &topic, Partition: p.ID})
		}
	}
	return found, nil
}
