package host

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/logging"
	"github.com/datadis-engine/datadis/sdk"
)

// keeping has the world's engines keep logs and states.
func (w *world) keeping() {
	w.config.StateDir = filepath.Join(w.configs, "state")
	w.config.NewLogger = func(out io.Writer) *slog.Logger { return logging.New(out, logging.Options{Format: logging.JSON}) }
}

// Somebody who kills a plugin again and again does not make it a crash loop,
// nor the call that was in flight a suspect.
func TestAPluginThatIsKilledFromOutsideIsNoCrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Timing.Crashes = 2
	r := w.start("good", nil)
	for i := range 5 {
		pid := askPID(t, r, "pid")
		answered := make(chan error, 1)
		go func() {
			_, err := ask(t.Context(), r, "deadline")
			answered <- err
		}()
		eventually(t, "the call is in flight", func() bool { return w.log.count("waiting for the deadline") > i })
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var fell *FallError
		if err := <-answered; !errors.As(err, &fell) || fell.ByItself() {
			t.Fatalf("%v", err)
		}
	}
	recovered(t, r)
	if w.log.find("plugin was killed by somebody else") == nil || w.log.find("plugin fell") != nil {
		t.Error("the log does not tell who did it")
	}
	if s := r.State(); s.Restarts != 5 || s.Status != OK {
		t.Errorf("%+v", s)
	}
}

// Whoever kills every process that he sees may hit one before it has said who
// it is.
func TestAPluginThatIsKilledWhileItStarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "hang") // never shakes hands
	w.config.Timing.Handshake = 20 * time.Second
	h := New(w.config)
	started := make(chan error, 1)
	go func() {
		_, err := h.startProcess(t.Context(), processConfig{path: filepath.Join(w.bin, "datadis-plugin-hang"), log: h.log})
		started <- err
	}()
	var pid int
	eventually(t, "the process is there", func() bool {
		pid = processOf(filepath.Join(w.bin, "datadis-plugin-hang"))
		return pid != 0
	})
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-started; !errors.As(err, new(killedError)) {
		t.Errorf("%v", err)
	}
	// One that the engine itself gives up is not meant.
	w.config.Timing.Handshake = 100 * time.Millisecond
	_, err := New(w.config).startProcess(t.Context(), processConfig{path: filepath.Join(w.bin, "datadis-plugin-hang"), log: h.log})
	if err == nil || errors.As(err, new(killedError)) {
		t.Errorf("%v", err)
	}
}

// processOf is the number of a process of the binary, 0 if there is none.
func processOf(path string) int {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is good
	for _, file := range all {
		if text, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(text), path+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return pid
		}
	}
	return 0
}

// The breaker is for plugins that cannot do anything: one that crashes on some
// input, and works on the rest, goes on.
func TestWorkInBetweenIsNoCrashLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Timing.Crashes = 3
	r := w.start("good", nil)
	for range 5 {
		if _, err := ask(t.Context(), r, "exit"); err == nil {
			t.Fatal("it did not fall")
		}
		if _, err := ask(t.Context(), r, "exit"); err == nil {
			t.Fatal("it did not fall")
		}
		recovered(t, r)
	}
}

func TestACallThatNeverEndsCostsTheProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Timing.Call = 300 * time.Millisecond
	r := w.start("good", nil)
	before := askPID(t, r, "pid")
	_, err := ask(t.Context(), r, "hung")
	var fell *FallError
	if !errors.As(err, &fell) || !fell.ByItself() || !strings.Contains(err.Error(), "it did not finish a call in 300ms") {
		t.Fatalf("%v", err)
	}
	if after := askPID(t, r, "pid"); after == before {
		t.Error("the process that hangs is still in use")
	}
}

// A call that comes while the process is being replaced waits for the next one.
func TestCallsWaitForTheNextProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Timing.BackoffFirst, w.config.Timing.BackoffMax = 200*time.Millisecond, 200*time.Millisecond
	r := w.start("good", nil)
	if _, err := ask(t.Context(), r, "exit"); err == nil {
		t.Fatal("it did not fall")
	}
	if _, err := ask(t.Context(), r, "pid"); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestCallsDoNotWaitForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Timing.Await = time.Millisecond
	w.config.Timing.BackoffFirst, w.config.Timing.BackoffMax = time.Minute, time.Minute
	r := w.start("good", nil)
	if _, err := ask(t.Context(), r, "exit"); err == nil {
		t.Fatal("it did not fall")
	}
	var e *sdk.Error
	eventually(t, "it is told when to come again", func() bool {
		_, err := ask(t.Context(), r, "pid")
		return errors.As(err, &e) && e.Kind == sdk.Unavailable && e.Reason == "plugin_down" && e.After > 0
	})
}

func TestStatesAreSeenByOtherProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.keeping()
	w.config.Timing.Crashes = 1
	r := w.start("good", nil)
	watching := New(w.config)
	if states := watching.States(); len(states) != 1 || states[0].Status != OK || states[0].Instance != "i-good" || states[0].PID != askPID(t, r, "pid") {
		t.Fatalf("%+v", states)
	}
	if _, err := ask(t.Context(), r, "exit"); err == nil {
		t.Fatal("it did not fall")
	}
	eventually(t, "the crash loop is seen", func() bool {
		states := watching.States()
		return len(states) == 1 && states[0].Status == CrashLoop && strings.Contains(states[0].Reason, "exit status 7")
	})
	r.Close()
	if states := watching.States(); len(states) != 0 {
		t.Errorf("after the stop: %+v", states)
	}
	// What a killed engine has left is not believed.
	dead := filepath.Join(w.config.StateDir, "states", "i-good.1.json")
	w.write(filepath.Dir(dead), filepath.Base(dead), `{"instance": "i-good", "status": "ok", "up": true}`)
	w.write(filepath.Dir(dead), filepath.Base(dead)+".lock", "")
	if states := watching.States(); len(states) != 0 {
		t.Errorf("of a dead engine: %+v", states)
	}
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
}

func TestWhatAnInstanceLoggedIsKept(t *testing.T) {
	t.Parallel()
	const secret = `hunter"2"`
	w := newWorld(t, "leaky")
	w.keeping()
	r := w.start("leaky", map[string]any{"token": secret})
	for _, id := range []string{"leak", "exit", "goroutine"} {
		if _, err := ask(t.Context(), r, id); (err == nil) != (id == "leak") {
			t.Fatal(id, err)
		}
	}
	recovered(t, r)
	r.Close()
	path := JournalPath(w.config.StateDir, "i-leaky")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := &logBook{}
	_, _ = kept.Write(text)
	if strings.Contains(string(text), "hunter") || kept.find("the token is ***") == nil {
		t.Errorf("%s", text)
	}
	fell := kept.find("plugin fell")
	last, _ := fell["last"].([]any)
	if reason, _ := fell["error"].(string); !strings.Contains(reason, "exit status 7") || !slices.Contains(last, any("the token is ***")) {
		t.Errorf("the report: %v", fell)
	}
	if fell["restarts"] != 0.0 || fell["again_in"] == nil || fell["instance"] != "i-leaky" {
		t.Errorf("the report: %v", fell)
	}
	if !strings.Contains(string(text), `"stack":"panic: far away`) {
		t.Errorf("the panic is not told:\n%s", text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestAJournalDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "logs", "a.log")
	one, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := openJournal(path) // of another engine
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("x", 1023) + "\n")
	for range 3 * maxJournal / len(line) {
		for _, j := range []*journal{one, other} {
			if _, err := j.Write(line); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{path, path + setAside} {
		info, err := os.Stat(name)
		if err != nil || info.Size() > maxJournal+2*int64(len(line)) || info.Size()%int64(len(line)) != 0 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if err := errors.Join(one.Close(), other.Close(), one.Close()); err != nil {
		t.Error(err)
	}
	if _, err := one.Write(line); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// A disk that cannot be written to keeps nobody from working.
func TestNothingIsKeptOnAReadOnlyDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.keeping()
	w.config.StateDir = filepath.Join(w.write(w.configs, "file", ""), "state") // below a file nothing can be made
	r := w.start("good", nil)
	if _, err := ask(t.Context(), r, "pid"); err != nil {
		t.Error(err)
	}
	if w.log.find("what plugins log is not kept for `engine plugins logs`: it is in this log only") == nil {
		t.Error("nobody is told")
	}
}
