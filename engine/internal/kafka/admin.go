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
)

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

// Ping asks which brokers there are, and about no topic: it fails if none answers
// in that time.
func (a *Admin) Ping(patience time.Duration) error {
	if _, err := a.client.GetMetadata(nil, false, int(patience.Milliseconds())); err != nil {
		return fmt.Errorf("kafka does not answer: %w", err)
	}
	return nil
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
		return fmt.Errorf("kafka: create topics: %w", explain(err))
	}
	var problems []error
	var there, existing []TopicSpec
	for _, result := range results {
		spec := specs[slices.IndexFunc(specs, func(s TopicSpec) bool { return s.Name == result.Topic })]
		switch result.Error.Code() {
		case kafka.ErrNoError:
			there = append(there, spec)
		case kafka.ErrTopicAlreadyExists:
			there, existing = append(there, spec), append(existing, spec)
		default:
			if a.forbidden(ctx, result) { // to create it, and it need not be
				existing = append(existing, spec)
				continue
			}
			problems = append(problems, fmt.Errorf("kafka: create topic %s: %w", result.Topic, explain(result.Error)))
		}
	}
	if err := a.awaitTopics(ctx, there); err != nil {
		return errors.Join(append(problems, err)...)
	}
	if err := a.checkPolicies(ctx, existing); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// forbidden tells whether this user may not create the topic, but may use it as
// somebody else has created it.
func (a *Admin) forbidden(ctx context.Context, result kafka.TopicResult) bool {
	code := result.Error.Code()
	if code != kafka.ErrTopicAuthorizationFailed && code != kafka.ErrClusterAuthorizationFailed {
		return false
	}
	_, err := a.endOffsets(ctx, []string{result.Topic})
	return err == nil
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
			return fmt.Errorf("kafka: look at topic %s: %w", s.Name, explain(err))
		}
		for _, result := range results {
			got := result.Config[cleanupPolicy].Value
			if result.Error.Code() != kafka.ErrNoError {
				problems = append(problems, fmt.Errorf("kafka: look at topic %s: %w", s.Name, explain(result.Error)))
			} else if strings.Contains(got, "compact") != strings.Contains(want, "compact") {
				problems = append(problems, fmt.Errorf("kafka: topic %s has %s=%s, which would lose data; "+
					"set it to %s, or name another topic", s.Name, cleanupPolicy, got, want))
			}
		}
	}
	return errors.Join(problems...)
}
