package kafka_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
)

// When the broker is stopped or killed in the middle and comes back, publisher
// and subscriber go on: everything arrives, nothing twice.
func TestClientsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	s := kafkatest.Start(t)
	w := secured(t, s.Connection())
	topic, p := w.create("data"), w.publisher()
	sub := w.subscriber("datadis.restart", kafka.Handlers{}, topic)
	const rounds, each = 3, 100
	for round, end := range []func(){s.Stop, s.Kill, func() {}}[:rounds] {
		var publishing sync.WaitGroup
		for i := range each {
			publishing.Go(func() {
				key := fmt.Sprintf("%d/%d", round, i)
				_, err := p.Publish(w.ctx, []envelope.Message{{Topic: topic, Key: []byte(key), Value: []byte(key)}})
				if err != nil {
					t.Errorf("%s: %v", key, err)
				}
			})
		}
		end()
		if round < rounds-1 {
			s.Restart()
		}
		publishing.Wait()
	}
	seen := map[string]int{}
	for len(seen) < rounds*each {
		r, err := sub.Poll(w.ctx)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(seen), err)
		}
		seen[string(r.Key)]++
	}
	w.quiet(sub)
	for key, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", key, n)
		}
	}
}
