package kafka_test

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/certtest"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
)

// secured is a world on a broker of its own.
func secured(t *testing.T, connection map[string]any) *world {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	c := kafka.Default()
	c.Connection, c.Partitions = connection, 3
	return &world{t, ctx, c, testLog(t), "datadis.secured"}
}

// Producer, consumer, reader and admin reach a broker that wants TLS and a
// password.
func TestSecureBroker(t *testing.T) {
	t.Parallel()
	ours, other := certtest.New(t), certtest.New(t)
	s := kafkatest.Start(t, kafkatest.Secure(ours, kafkatest.Scram))
	for _, mechanism := range []string{kafkatest.Scram, kafkatest.Plain} {
		t.Run(mechanism, func(t *testing.T) {
			w := secured(t, with(s.Connection(), "sasl.mechanism", mechanism))
			w.prefix += "." + mechanism
			w.uses()
		})
	}
	for name, c := range map[string]struct {
		change map[string]any
		want   string
	}{
		"wrong password":  {map[string]any{"sasl.password": "hunter2"}, "correct sasl.username, sasl.password and sasl.mechanism"},
		"unknown user":    {map[string]any{"sasl.username": "nobody"}, "correct sasl.username, sasl.password and sasl.mechanism"},
		"wrong mechanism": {map[string]any{"sasl.mechanism": "SCRAM-SHA-256"}, "correct sasl.username, sasl.password and sasl.mechanism"},
		"wrong CA":        {map[string]any{"ssl.ca.location": other.CA}, "correct ssl.ca.location and security.protocol"},
		"no TLS":          {map[string]any{"security.protocol": "SASL_PLAINTEXT"}, "security.protocol"},
		"no password":     {map[string]any{"security.protocol": "SSL"}, "security.protocol"},
		"nobody there":    {map[string]any{"bootstrap.servers": "127.0.0.1:1"}, "correct bootstrap.servers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := secured(t, s.Connection())
			w.config.Connection = maps.Clone(w.config.Connection)
			maps.Copy(w.config.Connection, c.change)
			var buffer lockedBuffer
			ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
			defer cancel()
			err := kafka.Check(ctx, w.config, slog.New(slog.NewTextHandler(&buffer, nil)))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "\n") > 0 {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			secret, _ := w.config.Connection["sasl.password"].(string)
			if strings.Contains(err.Error()+buffer.String(), secret) {
				t.Errorf("the password shows: %v; %s", err, buffer.String())
			}
			t.Log(err)
		})
	}
}

// uses does with a broker all that the engine does.
func (w *world) uses() {
	w.Helper()
	if err := kafka.Check(w.ctx, w.config, w.log); err != nil {
		w.Fatal(err)
	}
	topic, runs := w.create("data"), w.topic("runs")
	if err := w.admin().EnsureTopics(w.ctx, []kafka.TopicSpec{w.config.ControlTopic(runs), w.config.DataTopic(topic)}); err != nil {
		w.Fatal(err)
	}
	p := w.publisher()
	locations := w.publish(p, numbered(topic, 10)...)
	s := w.subscriber("datadis."+w.Name(), kafka.Handlers{}, topic)
	if err := s.Commit(w.ctx, w.poll(s, 10)); err != nil {
		w.Fatal(err)
	}
	if _, err := w.admin().GroupOffsets(w.ctx, "datadis."+w.Name(), []string{topic}); err != nil {
		w.Fatal(err)
	}
	r, err := kafka.NewReader(w.ctx, w.config, w.log)
	if err != nil {
		w.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			w.Error(err)
		}
	}()
	at := locations[0]
	if _, err := r.ReadAt(w.ctx, at.Topic, at.Partition, at.Offset); err != nil {
		w.Error(err)
	}
}
