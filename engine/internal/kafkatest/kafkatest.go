// Package kafkatest starts Kafka brokers for tests.
package kafkatest

import (
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/embedded"
)

// address names the variable with the address of a real broker.
const address = "DATADIS_TEST_KAFKA"

// Broker starts an embedded broker that lives as long as the test, and returns
// the settings to reach it with, as librdkafka names them.
func Broker(t testing.TB) map[string]any {
	t.Helper()
	k, err := embedded.StartKafka(t.Context(), t.TempDir(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k.Connection()
}

// OnEach runs a test on an embedded broker, and on the real one whose address
// the environment variable DATADIS_TEST_KAFKA gives, if it does. Brokers
// outlive tests: name topics and groups after the test.
func OnEach(t *testing.T, test func(t *testing.T, connection map[string]any)) {
	t.Helper()
	brokers := map[string]func(testing.TB) map[string]any{"embedded": Broker}
	if real := os.Getenv(address); real != "" {
		brokers["real"] = func(testing.TB) map[string]any { return map[string]any{"bootstrap.servers": real} }
	}
	for _, name := range slices.Sorted(maps.Keys(brokers)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, brokers[name](t))
		})
	}
}
