package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// advice is what to do about what librdkafka and brokers answer.
var advice = map[kafka.ErrorCode]string{
	kafka.ErrAuthentication: "Kafka refuses the user or the password; correct sasl.username, sasl.password and sasl.mechanism",
	kafka.ErrSsl:            "Kafka's certificate is not trusted, or no TLS is spoken there; correct ssl.ca.location and security.protocol",
	kafka.ErrResolve:        "the name of the Kafka server is not known; correct bootstrap.servers",
	kafka.ErrAllBrokersDown: unreachable,
	kafka.ErrTransport:      unreachable,
	kafka.ErrTimedOut:       unreachable,

	kafka.ErrSaslAuthenticationFailed:   "Kafka refuses the user or the password; correct sasl.username, sasl.password and sasl.mechanism",
	kafka.ErrTopicAuthorizationFailed:   notAllowed,
	kafka.ErrGroupAuthorizationFailed:   notAllowed,
	kafka.ErrClusterAuthorizationFailed: notAllowed,
}

const (
	unreachable = "Kafka does not answer; start it, or correct bootstrap.servers and security.protocol"
	notAllowed  = "the Kafka user may not do that; give it the rights that docs/servers.md lists"
)

// explained is an error with what to do about it.
type explained struct {
	says  string
	cause error
}

func (e *explained) Error() string { return e.says + " (" + e.cause.Error() + ")" }
func (e *explained) Unwrap() error { return e.cause }

// explain puts what to do before an error of Kafka. What it does not know it
// gives back as it is.
func explain(err error) error {
	var done *explained
	var e kafka.Error
	if errors.As(err, &done) || !errors.As(err, &e) || advice[e.Code()] == "" {
		return err
	}
	return &explained{advice[e.Code()], err}
}

// settled are the codes that no waiting will change.
func settled(code kafka.ErrorCode) bool {
	return code == kafka.ErrAuthentication || code == kafka.ErrSsl || code == kafka.ErrSaslAuthenticationFailed
}

// news is an error for the log. Lost connections are mended without anybody's
// help, so no advice is given on them.
func news(e kafka.Error) string {
	if settled(e.Code()) {
		return explain(e).Error()
	}
	return e.Error()
}

// Check connects to the broker, to find out at once what clients would only log
// and try again: that it is there, trusted, and takes the password. Its error
// says what to do, and shows nothing secret.
func Check(ctx context.Context, c Config, log *slog.Logger) error {
	settings, err := c.settings(nil)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	l := startLogs(context.WithoutCancel(ctx), log)
	defer l.stop()
	l.attach(settings)
	client, err := kafka.NewProducer(&settings)
	if err != nil {
		return fmt.Errorf("kafka: set up a client: %w", err)
	}
	defer client.Close()
	if err := connect(ctx, client); err != nil {
		return fmt.Errorf("kafka: %w", explain(err))
	}
	return nil
}

// connect asks until a broker answers, or an error settles it. Others may pass;
// the last one counts when time is up.
func connect(ctx context.Context, client *kafka.Producer) error {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	poll := time.NewTicker(metadataPoll)
	defer poll.Stop()
	for {
		_, err := client.GetMetadata(nil, false, askTime)
		if err == nil {
			return nil
		}
		if said := lastError(client.Events()); said != nil {
			err = said // which says why
		}
		var e kafka.Error
		if errors.As(err, &e) && settled(e.Code()) {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return err
		}
	}
}

// askTime is how long one try may take.
const askTime = 500 // ms

// lastError is the last of the errors that a client has reported so far; one
// that settles it comes before all others.
func lastError(events <-chan kafka.Event) error {
	var last error
	for {
		select {
		case event := <-events:
			if e, ok := event.(kafka.Error); ok {
				last = e
				if settled(e.Code()) {
					return e
				}
			}
		default:
			return last
		}
	}
}
