package budget

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// TestMain lets the test binary be the plugin, and the broker.
func TestMain(m *testing.M) {
	if dir := os.Getenv(brokerVariable); dir != "" {
		if err := serveBroker(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(plugin.MagicCookieKey) != "" {
		plugin.Serve(definition())
		return
	}
	os.Exit(m.Run())
}

// Config of the plugin that is measured.
type Config struct {
	Records bool `json:"records" doc:"Return a message for each chunk; without it, keep totals."`
}

func definition() plugin.Definition[Config] {
	return plugin.Definition[Config]{
		Name: "budget", Version: "1.0.0", Summary: "Measured",
		Harmonizer: func(_ context.Context, _ sdk.Instance, c Config) (sdk.Harmonizer, sdk.Intake, error) {
			return newHarmonizer(c), sdk.Intake{OutputTopics: []string{"out"}}, nil
		},
	}
}

// harmonizer makes rows of every reading, as project models have them: into a
// message for each chunk, or into a buffer that stands for its store.
type harmonizer struct {
	config Config
	store  []byte
}

func newHarmonizer(c Config) *harmonizer { return &harmonizer{config: c} }

type row struct {
	CUPS   sdk.CUPS    `json:"cups"`
	Start  time.Time   `json:"start"`
	End    time.Time   `json:"end"`
	Value  json.Number `json:"value,omitempty"`
	Method string      `json:"method,omitempty"`
}

func (h *harmonizer) HarmonizeTimeSeries(_ context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	var result sdk.Result
	for i := range batch.Items {
		c := &batch.Items[i]
		rows := make([]row, c.Len())
		for k := range rows {
			rows[k] = row{CUPS: c.CUPS, Start: c.Start(k), End: c.End(k), Method: c.Method(k)}
			if v, ok := c.Consumption.Value(k); ok {
				rows[k].Value = json.Number(v.String())
			}
		}
		text, err := json.Marshal(rows)
		if err != nil {
			return sdk.Result{}, err
		}
		if h.config.Records {
			result.Add(i, "out", []byte(c.ID), text)
		} else {
			h.store = append(h.store[:0], text...)
		}
	}
	return result, nil
}

// months is a batch as the engine makes them: hourly months of many supplies.
func months(n int) []sdk.Chunk {
	chunks := make([]sdk.Chunk, n)
	for i := range chunks {
		chunks[i] = sdktest.Chunk(sdk.CUPS(fmt.Sprintf("ES0031%014dJN0F", i)), sdk.EnergyHourly, sdk.NewMonth(2025, time.May), 1)
	}
	return chunks
}

// process is the plugin as the engine runs it: supervised, over mutual TLS.
func process(b *testing.B, config map[string]any) sdk.Harmonizer {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "b") // b's own is too long for sockets
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Symlink(self, filepath.Join(dir, plugin.FilePrefix+"budget")); err != nil {
		b.Fatal(err)
	}
	in, err := host.NewInstance("budget", "budget", dir, config)
	if err != nil {
		b.Fatal(err)
	}
	running, err := host.New(host.Config{Paths: []string{dir}, RuntimeDir: dir}).Start(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(running.Close)
	return running
}

// BenchmarkHarmonize compares the same harmonizer, called directly and as a
// process. Compare where=direct with where=process.
func BenchmarkHarmonize(b *testing.B) {
	for _, records := range []bool{false, true} {
		for _, size := range []int{1, 10, 100} {
			for _, where := range []string{"direct", "process"} {
				b.Run(fmt.Sprintf("records=%v/chunks=%d/where=%s", records, size, where), func(b *testing.B) {
					var h sdk.Harmonizer = newHarmonizer(Config{Records: records})
					if where == "process" {
						h = process(b, map[string]any{"records": records})
					}
					measure(b, h, months(size))
				})
			}
		}
	}
}

func measure(b *testing.B, h sdk.Harmonizer, chunks []sdk.Chunk) {
	b.Helper()
	readings := 0
	for i := range chunks {
		readings += chunks[i].Len()
	}
	began := cpuTime()
	for b.Loop() {
		if _, err := h.HarmonizeTimeSeries(b.Context(), sdk.Batch[sdk.Chunk]{Run: "r", ID: "b", Items: chunks}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpuTime()-began).Seconds()*1e3/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(readings)*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}
