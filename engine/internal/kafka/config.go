package kafka

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Config says which broker, and what its topics are like.
type Config struct {
	// Connection is handed to librdkafka as it is: bootstrap.servers, TLS, SASL
	// and whatever else it knows. What the engine relies on cannot be set.
	Connection map[string]any
	// Partitions of new topics of time series and static data. Default 10. One
	// more partition moves keys, so existing topics are left as they are.
	Partitions int
	// Replication factor of new topics. Default 1; 3 in production.
	Replication int
	// Retention of new topics of time series, static data and dead letters. 0
	// leaves it to the broker; negative keeps everything.
	Retention time.Duration
}

// Default is a Config without a connection.
func Default() Config { return Config{Partitions: 10, Replication: 1} }

// Validate lists what is wrong. It never shows values of the connection, which
// holds passwords.
func (c Config) Validate() error {
	var problems []error
	if c.Partitions < 1 {
		problems = append(problems, fmt.Errorf("partitions: %d is not positive", c.Partitions))
	}
	if c.Replication < 1 {
		problems = append(problems, fmt.Errorf("replication: %d is not positive", c.Replication))
	}
	if _, err := c.settings(nil); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// owned are the settings that the engine decides on. What is here must not be
// in a connection, except with the value that the engine gives it.
var owned = map[string]string{
	"acks":                     "all",
	"request.required.acks":    "all",
	"enable.idempotence":       "true",
	"enable.auto.commit":       "false",
	"enable.auto.offset.store": "false",
	"enable.partition.eof":     "",
	"auto.offset.reset":        "",
	"group.id":                 "",
	"allow.auto.create.topics": "false",
	"log.queue":                "",
	"group.protocol":           "classic",
	"transactional.id":         "",
}

// settings is a configuration for librdkafka: the connection, over defaults,
// which the connection may change. What the engine relies on comes on top; the
// caller adds it.
func (c Config) settings(defaults kafka.ConfigMap) (kafka.ConfigMap, error) {
	settings := kafka.ConfigMap{
		"client.id":                "datadis-engine",
		"allow.auto.create.topics": "false",
		"enable.metrics.push":      "false", // no telemetry
	}
	for name, value := range defaults {
		settings[name] = value
	}
	var problems []error
	reachable := false
	for name, value := range c.Connection {
		text, err := settingText(value)
		want, ours := owned[name]
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("connection.%s: %w", name, err))
		case strings.HasPrefix(name, "go.") || ours && !slices.Contains([]string{want, alias[want]}, text):
			problems = append(problems, fmt.Errorf("connection.%s: the engine decides on this setting; leave it out", name))
		case !ours:
			settings[name] = text
		}
		reachable = reachable || text != "" && (name == "bootstrap.servers" || name == "metadata.broker.list")
	}
	if !reachable {
		problems = append(problems, errors.New("connection.bootstrap.servers: missing; give it as host:port,host:port"))
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return settings, errors.Join(problems...)
}

// alias are other spellings of the values in owned.
var alias = map[string]string{"all": "-1"}

// settingText is a value of a JSON configuration as librdkafka takes it.
func settingText(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case json.Number:
		return v.String(), nil
	default:
		return "", errors.New("neither text, number nor true or false")
	}
}
