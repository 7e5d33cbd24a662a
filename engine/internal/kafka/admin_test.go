package kafka_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
)

func TestEnsureTopics(t *testing.T) {
	onEach(t, func(w *world) {
		a, c := w.admin(), w.config
		c.Retention = -1
		specs := []kafka.TopicSpec{
			c.DataTopic(w.topic("data")), c.RawTopic(w.topic("raw")), c.ControlTopic(w.topic("runs")),
		}
		for range 2 { // those that exist are accepted
			if err := a.EnsureTopics(w.ctx, specs); err != nil {
				w.Fatal(err)
			}
		}
		if err := a.EnsureTopics(w.ctx, nil); err != nil {
			w.Errorf("none: %v", err)
		}
		ends, err := a.EndOffsets(w.ctx, []string{specs[0].Name, specs[2].Name})
		want := envelope.EndOffsets{specs[0].Name: {0: 0, 1: 0, 2: 0}, specs[2].Name: {0: 0}}
		if err != nil || !reflect.DeepEqual(ends, want) {
			w.Errorf("got %v, %v, want %v", ends, err, want)
		}
	})
}

func TestEnsureTopicsChecksPolicy(t *testing.T) {
	onEach(t, func(w *world) {
		a, name := w.admin(), w.topic("t")
		if err := a.EnsureTopics(w.ctx, []kafka.TopicSpec{w.config.DataTopic(name)}); err != nil {
			w.Fatal(err)
		}
		err := a.EnsureTopics(w.ctx, []kafka.TopicSpec{w.config.RawTopic(name)})
		if err == nil || !strings.Contains(err.Error(), "cleanup.policy=delete") {
			w.Errorf("a raw topic that is deleted from: %v", err)
		}
	})
}

func TestEnsureTopicsNamesTheRefused(t *testing.T) {
	onEach(t, func(w *world) {
		refused := strings.Repeat("x", 300)
		specs := []kafka.TopicSpec{w.config.DataTopic(refused), w.config.DataTopic(w.topic("good"))}
		err := w.admin().EnsureTopics(w.ctx, specs)
		if err == nil || !strings.Contains(err.Error(), refused) || strings.Contains(err.Error(), "good") {
			w.Errorf("got %v", err)
		}
	})
}
