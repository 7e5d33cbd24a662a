package host

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func TestStrayOutputHarmsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "chatty")
	r := w.start("chatty", nil)
	if _, err := ask(t.Context(), r, "print"); err != nil { // more than any pipe holds
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), r, "pid"); err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"welcome to the plugin", "1|2|3|4", `{"@message": 1}`, "x", "y", "null", "?"} {
		eventually(t, "log line "+message, func() bool { return w.log.find(message) != nil })
	}
	line := w.log.find("welcome to the plugin")
	if line["level"] != "WARN" || line["unstructured"] != true || line["instance"] != "i-chatty" || line["plugin"] != "chatty" {
		t.Errorf("%v", line)
	}
}

func TestWhyThereIsNoHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "hang", "rubbish", "exit", "future", "frozen")
	w.write(w.bin, "datadis-plugin-script", "#!/no/such/interpreter\n")
	w.write(w.bin, "datadis-plugin-page", "<html>404</html>\n")
	for _, name := range []string{"script", "page"} {
		if err := os.Chmod(filepath.Join(w.bin, plugin.FilePrefix+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.config.Timing.Handshake = 2 * time.Second
	reasons := make(map[string]string)
	for _, c := range New(w.config).Candidates(t.Context()) {
		if want := map[bool]Status{true: Incompatible, false: Failed}[c.Name == "future"]; c.Status != want {
			t.Errorf("%s is %s", c.Name, c.Status)
		}
		reasons[c.Name] = c.Reason
	}
	for name, want := range map[string][]string{
		"hang":    {"no handshake in 2 s"},
		"frozen":  {"no handshake in 2 s"},
		"rubbish": {"<html>404 page not found</html>"},
		"exit":    {"exit status 3", "cannot find libfoo.so"},
		"future":  {"it speaks protocol 99, this engine speaks 1; install a newer engine"},
		"script":  {"cannot be started", "no such file"},
		"page":    {"exec format error"},
	} {
		for _, part := range want {
			if !strings.Contains(reasons[name], part) {
				t.Errorf("%s: %q does not tell %q", name, reasons[name], part)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(w.config.RuntimeDir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestAPluginSeesOnlyWhatIsAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "env")
	w.config.Environment = []string{"HTTPS_PROXY", "UNSET"}
	w.config.LookupEnv = func(name string) (string, bool) { return "http://proxy", name == "HTTPS_PROXY" }
	r := w.start("env", map[string]any{"token": "secret"})
	var names []string
	var dirs []string
	err := r.ListGrants(t.Context(), func(g sdk.Grant) error {
		if g.Key == "dir" {
			dirs = strings.Fields(g.Username)
			return nil
		}
		name, _, _ := strings.Cut(g.Username, "=")
		if !strings.HasPrefix(name, "PLUGIN_") && !strings.HasPrefix(name, "DATADIS_PLUGIN") {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if want := []string{"HTTPS_PROXY", "TMPDIR"}; !slices.Equal(names, want) {
		t.Errorf("it sees %v, not %v", names, want)
	}
	if len(dirs) != 3 || dirs[0] != dirs[1] || dirs[2] != w.configs {
		t.Errorf("working directory, Temp and Dir are %v", dirs)
	}
	r.Close()
	if _, err := os.Stat(dirs[1]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the private folder is still there: %v", err)
	}
}

func TestSecretsDoNotShowInTheLog(t *testing.T) {
	t.Parallel()
	const secret = `hunter"2"`
	w := newWorld(t, "leaky")
	r := w.start("leaky", map[string]any{"token": secret})
	if _, err := ask(t.Context(), r, "leak"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both lines", func() bool {
		return w.log.find("the token is ***") != nil && w.log.find("token ***") != nil
	})
	if text := w.log.String(); strings.Contains(text, "hunter") {
		t.Error(text)
	}
}

func TestACrashIsToldAndMended(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"exit": "exit status 7", "goroutine": "far away"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "good")
			r := w.start("good", nil)
			before := askPID(t, r, "pid")
			_, err := ask(t.Context(), r, id)
			var e *sdk.Error
			if !errors.As(err, &e) || e.Kind != sdk.Unavailable || e.Reason != "plugin_crashed" || e.Origin != sdk.FromPlugin {
				t.Fatalf("%+v", err)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not tell %q", err, want)
			}
			recovered(t, r)
			if after := askPID(t, r, "pid"); after == before {
				t.Error("it is the same process")
			}
			if id == "goroutine" {
				fell := w.log.find("plugin fell")
				if stack, _ := fell["stack"].(string); !strings.Contains(stack, "HarmonizeTimeSeries") {
					t.Errorf("no stack in %v", fell)
				}
			}
		})
	}
}

func TestAPanicInACallIsNoCrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	before := askPID(t, r, "pid")
	var e *sdk.Error
	if _, err := ask(t.Context(), r, "panic"); !errors.As(err, &e) || e.Reason != plugin.ReasonPanic {
		t.Fatal(err)
	}
	if after := askPID(t, r, "pid"); after != before {
		t.Error("it was restarted")
	}
}

func TestAFrozenPluginIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Timing.HealthInterval, w.config.Timing.HealthDeadline = 100*time.Millisecond, 300*time.Millisecond
	r := w.start("good", nil)
	before := askPID(t, r, "pid")
	if _, err := ask(t.Context(), r, "freeze"); err == nil {
		t.Error("a frozen plugin answered")
	}
	eventually(t, "the process is gone", func() bool { return gone(before) })
	recovered(t, r)
}

func TestAFrozenPluginDoesNotHoldUpTheStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Timing.Drain = 200 * time.Millisecond
	r := w.start("good", nil)
	pid := askPID(t, r, "pid")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if !gone(pid) {
		t.Error("it is still there")
	}
}

func TestAStopWaitsForTheCallInFlight(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	answered := make(chan error, 1)
	go func() {
		_, err := ask(t.Context(), r, "slow")
		answered <- err
	}()
	eventually(t, "the call has begun", func() bool { return w.log.find("in the middle of it") != nil })
	r.Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	var e *sdk.Error
	if _, err := ask(t.Context(), r, "pid"); !errors.As(err, &e) || e.Kind != sdk.Precondition {
		t.Errorf("after the stop: %v", err)
	}
}

func TestNothingIsLeftAfterAStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	pid, child := askPID(t, r, "pid"), askPID(t, r, "child")
	r.Close()
	eventually(t, "both are gone", func() bool { return gone(pid) && gone(child) })
	left, err := filepath.Glob(filepath.Join(w.config.RuntimeDir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestAPluginThatAlwaysFallsIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	w.config.Timing.Crashes = 3
	r := w.start("good", nil)
	var e *sdk.Error
	eventually(t, "it is given up", func() bool {
		_, err := ask(t.Context(), r, "exit")
		return errors.As(err, &e) && e.Kind == sdk.Precondition
	})
	if !strings.Contains(e.Error(), "crash-loop") || !strings.Contains(e.Error(), "exit status 7") {
		t.Error(e)
	}
	if s := r.State(); s.Up || s.Restarts != 2 {
		t.Errorf("%+v", s)
	}
}

func TestSignalsOfTheTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	pid := askPID(t, r, "pid")
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if again := askPID(t, r, "pid"); again != pid {
		t.Error("SIGINT ended it; that is the engine's business")
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "SIGTERM ends it", func() bool { return gone(pid) })
	recovered(t, r)
}

func TestLargeResultsArrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	text, err := ask(t.Context(), r, "big")
	if err != nil || len(text) != 10<<20 {
		t.Fatal(len(text), err)
	}
}

// The kernel ends a child with the thread that started it, not with the
// process: a plugin must outlive whoever called Start.
func TestAPluginOutlivesTheThreadThatStartedIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	started := make(chan *Running, 1)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends here
		r, err := w.tryStart("good", nil)
		if err != nil {
			t.Error(err)
		}
		started <- r
	}()
	r := <-started
	if r == nil {
		return
	}
	t.Cleanup(r.Close)
	before := askPID(t, r, "pid")
	var threads sync.WaitGroup
	for range 20 { // threads come and go
		threads.Go(runtime.LockOSThread)
	}
	threads.Wait()
	if after := askPID(t, r, "pid"); after != before {
		t.Error("it fell")
	}
}

func TestOneBrokenPluginDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good", "hang", "exit")
	w.config.Timing.Handshake = 5 * time.Second
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			in, err := NewInstance("i"+strconv.Itoa(i), "good", w.configs, map[string]any{})
			if err != nil {
				t.Error(err)
				return
			}
			h := New(w.config)
			h.config.Paths = []string{w.bin}
			r, err := h.Start(t.Context(), in)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			if _, err := ask(t.Context(), r, "pid"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
