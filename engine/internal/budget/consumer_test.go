package budget

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
)

// plant is what a consumer works in: its servers, and a Datadis whose answers
// all take the same time.
type plant struct {
	*testing.B
	dir     string
	bin     string
	environ []string
	slow    *slow
}

// slow is a Datadis whose answers take a fixed time, however long they take to
// make, and that notes when it was asked.
type slow struct {
	next    http.Handler
	latency time.Duration

	mu    sync.Mutex
	asked []time.Time
}

// ServeHTTP implements [http.Handler].
func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answered := time.NewTimer(s.latency)
	s.mu.Lock()
	s.asked = append(s.asked, time.Now())
	s.mu.Unlock()
	answer := httptest.NewRecorder()
	s.next.ServeHTTP(answer, r)
	<-answered.C
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // whoever asked knows
}

// first is when the first call came; the zero time if none did.
func (s *slow) first() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 0 {
		return time.Time{}
	}
	return s.asked[0]
}

// rate is calls per second while there was enough to do: from the tenth to the
// eightieth of a hundred calls.
func (s *slow) rate() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to := len(s.asked)/10, len(s.asked)*8/10
	return float64(to-from) / s.asked[to].Sub(s.asked[from]).Seconds()
}

// engineBinary builds the engine and the plugin that hands users over, once.
var engineBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "budget-bin")
	if err != nil {
		return "", err
	}
	for name, pkg := range map[string]string{"engine": "../..", "datadis-plugin-file": "../../../plugins/file"} {
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return dir, nil
})

// newPlant starts the servers, and opens a run in which everything is to be
// downloaded.
func newPlant(b *testing.B, logins, supplies int, latency time.Duration, environ ...string) *plant {
	b.Helper()
	bin, err := engineBinary()
	if err != nil {
		b.Fatal(err)
	}
	sim, err := simulator.New(simulator.Config{Seed: 7, Accounts: logins, Supplies: supplies})
	if err != nil {
		b.Fatal(err)
	}
	p := &plant{B: b, dir: b.TempDir(), bin: bin, slow: &slow{next: sim.Handler(), latency: latency}}
	server := httptest.NewServer(p.slow)
	b.Cleanup(func() { server.Close(); _ = sim.Close() })
	topics := fmt.Sprintf("budget%d", time.Now().UnixNano())
	redis := redistest.Start(b, "--appendfsync", "everysec").URL()
	p.environ = append([]string{
		"DATADIS_DATADIS_BASE_URL=" + server.URL, "DATADIS_PLUGINS_PATHS=" + bin, "DATADIS_PLUGINS_CONFIG_DIR=" + p.dir,
		"DATADIS_DATA_DIR=" + filepath.Join(p.dir, "data"), "CONF_FILE=" + filepath.Join(p.dir, "config.json"),
		"BUDGET_KEY=" + strings.Repeat("ab", 32), "HOME=" + p.dir,
	}, environ...)
	var users bytes.Buffer
	if err := sim.WriteUsers(&users); err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"users.csv":         users.String(),
		"config_north.json": fmt.Sprintf(`{"plugin": "file", "path": "users.csv", "topic": "%s.north"}`, topics),
		"config.json": fmt.Sprintf(`{
			"redis": {"users": {"url": %q}, "devices": {"url": %[1]q}},
			"kafka": {"connection": {"bootstrap.servers": %q}, "static_topic": "%s.harm", "control_topic": "%[3]s.runs",
				"dead_topic": "%[3]s.dead", "raw": {"topic": "%[3]s.raw"}, "partitions": 10},
			"secrets": {"keys": [{"id": 1, "key": {"env": "BUDGET_KEY"}}]}}`,
			redis, kafkatest.Real(b)["bootstrap.servers"], topics),
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if out, err := p.engine("producer", "--policy", "repair").CombinedOutput(); err != nil {
		b.Fatalf("producer: %v\n%s", err, out)
	}
	return p
}

// engine is a command of the engine's, not yet started.
func (p *plant) engine(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, "engine"), args...)
	cmd.Env, cmd.Dir = p.environ, p.dir
	return cmd
}

// consumed is what a consumer's run cost.
type consumed struct {
	started time.Duration // to its first request
	elapsed time.Duration
	cpu     time.Duration
	memory  []float64 // resident, in MB, five times a second
}

// consume runs a consumer to the end of the run.
func (p *plant) consume() consumed {
	p.Helper()
	var out bytes.Buffer
	cmd := p.engine("consumer", "--once")
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		p.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var c consumed
	sample := time.NewTicker(200 * time.Millisecond)
	defer sample.Stop()
	for {
		select {
		case <-sample.C:
			c.memory = append(c.memory, resident(cmd.Process.Pid))
			continue
		case err := <-ended:
			if err != nil {
				p.Fatalf("consumer: %v\n%s", err, out.String())
			}
		}
		break
	}
	p.slow.check(p.B)
	c.elapsed, c.started = time.Since(began), p.slow.first().Sub(began)
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return c
}

// check fails the benchmark if nothing was asked.
func (s *slow) check(b *testing.B) {
	b.Helper()
	if s.first().IsZero() {
		b.Fatal("nothing was asked")
	}
}

// resident is the memory of a process in MB; 0 once it is gone.
func resident(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kB float64
	if _, after, found := strings.Cut(string(text), "VmRSS:"); found {
		_, _ = fmt.Sscan(after, &kB)
	}
	return kB / 1000
}

// median of some samples; the part of them from and to hundredths.
func median(samples []float64, from, to int) float64 {
	part := slices.Clone(samples[len(samples)*from/100 : len(samples)*to/100])
	slices.SortFunc(part, cmp.Compare)
	if len(part) == 0 {
		return 0
	}
	return part[len(part)/2]
}

// BenchmarkConsumer downloads everything of many logins. used-% is requests per
// second against what the latency and the in-flight limit allow; start-s is from
// the start of the process to its first request; MB are resident memory, over
// the second and the last quarter of the run, and the most that was seen.
func BenchmarkConsumer(b *testing.B) {
	for _, c := range []struct {
		logins, supplies, inFlight int
		latency                    time.Duration
		months                     int
	}{
		{60, 4, 32, 200 * time.Millisecond, 4},
		{60, 4, 32, time.Second, 3},
		{80, 2, 64, time.Second, 6},
		{80, 20, 64, time.Second, 1},
	} {
		b.Run(fmt.Sprintf("logins=%d/supplies=%d/flight=%d/latency=%s", c.logins, c.supplies, c.inFlight, c.latency), func(b *testing.B) {
			for b.Loop() {
				p := newPlant(b, c.logins, c.supplies, c.latency,
					fmt.Sprintf("DATADIS_DATADIS_MAX_IN_FLIGHT=%d", c.inFlight), fmt.Sprintf("DATADIS_DATADIS_MONTHS=%d", c.months))
				report(b, p.consume(), p.slow, float64(c.inFlight)/c.latency.Seconds())
			}
		})
	}
}

func report(b *testing.B, c consumed, s *slow, allowed float64) {
	b.Helper()
	b.ReportMetric(s.rate(), "requests/s")
	b.ReportMetric(100*s.rate()/allowed, "used-%")
	b.ReportMetric(float64(len(s.asked)), "requests")
	b.ReportMetric(c.elapsed.Seconds(), "run-s")
	b.ReportMetric(c.started.Seconds(), "start-s")
	b.ReportMetric(c.cpu.Seconds()*1e3/float64(len(s.asked)), "cpu-ms/request")
	b.ReportMetric(median(c.memory, 25, 50), "early-MB")
	b.ReportMetric(median(c.memory, 75, 99), "late-MB")
	b.ReportMetric(slices.Max(c.memory), "most-MB")
}
