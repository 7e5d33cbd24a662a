package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// actor is the path of the plugin of all tests, built once.
var actor string

// engineKey makes the test binary an engine that can be killed.
const engineKey = "DATADIS_TEST_ENGINE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(engineKey); dir != "" {
		os.Exit(beEngine(dir))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	actor = filepath.Join(dir, "actor")
	build := exec.Command("go", "build", "-o", actor, "./testdata/actor")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	return m.Run()
}

// world is a test's own plugin folder, configuration and log.
type world struct {
	t       *testing.T
	bin     string
	configs string
	config  Config
	log     *logBook
}

// newWorld has the named actors.
func newWorld(t *testing.T, actors ...string) *world {
	t.Helper()
	dir := t.TempDir()
	runtimeDir, err := os.MkdirTemp("", "w") // t's own is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(runtimeDir) })
	w := &world{t: t, bin: filepath.Join(dir, "plugins"), configs: filepath.Join(dir, "config"), log: &logBook{}}
	for _, d := range []string{w.bin, w.configs} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range actors {
		w.add(name)
	}
	w.config = Config{
		Paths: []string{w.bin}, ConfigDir: w.configs, RuntimeDir: runtimeDir,
		Logger: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Timing: Timing{BackoffFirst: time.Millisecond, BackoffMax: 10 * time.Millisecond, Drain: 5 * time.Second,
			Exit: 200 * time.Millisecond, Term: 200 * time.Millisecond},
	}
	return w
}

// add puts an actor into the plugin folder.
func (w *world) add(name string) string {
	w.t.Helper()
	path := filepath.Join(w.bin, plugin.FilePrefix+name)
	if err := os.Link(actor, path); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) write(dir, name, text string) string {
	w.t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// start starts an instance of the actor, and closes it with the test.
func (w *world) start(name string, config map[string]any) *Running {
	w.t.Helper()
	r, err := w.tryStart(name, config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.Close)
	return r
}

func (w *world) tryStart(name string, config map[string]any) (*Running, error) {
	w.t.Helper()
	if config == nil {
		config = map[string]any{}
	}
	in, err := NewInstance("i-"+name, name, w.configs, config)
	if err != nil {
		w.t.Fatal(err)
	}
	return New(w.config).Start(w.t.Context(), in)
}

// ask hands over a batch, and returns the answer.
func ask(ctx context.Context, r *Running, id string) (string, error) {
	result, err := r.HarmonizeTimeSeries(ctx, sdk.Batch[sdk.Chunk]{ID: id, Items: []sdk.Chunk{{ID: "c"}}})
	if err != nil {
		return "", err
	}
	if len(result.Records) != 1 {
		return "", fmt.Errorf("%d records", len(result.Records))
	}
	return string(result.Records[0].Value), nil
}

// askPID is the number of the plugin's process, or of what it has started.
func askPID(t *testing.T, r *Running, id string) int {
	t.Helper()
	text, err := ask(t.Context(), r, id)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for !met() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s: not in 20 s", what)
		}
	}
}

// recovered waits until calls work again.
func recovered(t *testing.T, r *Running) {
	t.Helper()
	eventually(t, "the plugin works again", func() bool {
		_, err := ask(t.Context(), r, "pid")
		return err == nil
	})
}

// gone tells whether a process has ended; one that waits to be reaped has.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(after, "Z")
}

// logBook keeps log lines.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// find is the first line with the message.
func (b *logBook) find(message string) map[string]any {
	for line := range strings.Lines(b.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == message {
			return fields
		}
	}
	return nil
}

// count is how many lines have the message.
func (b *logBook) count(message string) int {
	return strings.Count(b.String(), `"msg":"`+message+`"`)
}
