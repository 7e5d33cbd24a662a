package kafka

import (
	"context"
	"log/slog"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// logs carries what librdkafka logs to a logger.
type logs struct {
	events chan kafka.LogEvent
	done   chan struct{}
}

// startLogs starts the carrying; stop ends it, once the client is closed.
func startLogs(ctx context.Context, log *slog.Logger) *logs {
	l := &logs{events: make(chan kafka.LogEvent, 64), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for e := range l.events {
			log.LogAttrs(ctx, level(e.Level), "librdkafka: "+e.Message, slog.String("tag", e.Tag), slog.String("client", e.Name))
		}
	}()
	return l
}

// attach makes a client that is yet to be made log here.
func (l *logs) attach(settings kafka.ConfigMap) {
	settings["go.logs.channel.enable"] = true
	settings["go.logs.channel"] = l.events
}

func (l *logs) stop() {
	close(l.events)
	<-l.done
}

// level is a syslog level as one of slog. librdkafka reports, and mends, lost
// connections by itself: those are no errors of ours.
func level(syslog int) slog.Level {
	switch {
	case syslog <= 2:
		return slog.LevelError
	case syslog <= 4:
		return slog.LevelWarn
	default:
		return slog.LevelDebug
	}
}
