// Package kafkatest starts the Kafka brokers that the engine must run on: the
// embedded one, and real ones of the Apache project, which are Java processes on
// loopback. Each ends with the test or the test binary that started it, however
// that ends.
package kafkatest

import (
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/embedded"
)

// address names the variable with the address of a real broker that runs
// already.
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

// Real is how to reach a real broker: that of DATADIS_TEST_KAFKA if it is set,
// else one that all tests of the binary share. It outlives the test: name topics
// and groups after the test. Where there is none, the test is skipped.
func Real(t testing.TB) map[string]any {
	t.Helper()
	if running := os.Getenv(address); running != "" {
		return plain(running)
	}
	return plain(sharedServer(t).Bootstrap())
}

func plain(bootstrap string) map[string]any {
	return map[string]any{"bootstrap.servers": bootstrap}
}

// OnEach runs a test on an embedded broker and on a real one. The real one
// outlives the test: name topics and groups after the test.
func OnEach(t *testing.T, test func(t *testing.T, connection map[string]any)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, Broker(t))
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		test(t, Real(t))
	})
}
