package host

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/pin"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// lock pins the named plugins as they are now, and locks the engine.
func (w *world) lock(names ...string) {
	w.t.Helper()
	w.config.Lock, w.config.Locked = filepath.Join(w.configs, "plugins.lock.json"), true
	lock, err := pin.LoadOrNew(w.config.Lock)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range names {
		sum, size, err := pin.Sum(filepath.Join(w.bin, plugin.FilePrefix+name))
		if err != nil {
			w.t.Fatal(err)
		}
		lock.Set(name, pin.Here, pin.Pin{Version: "1.2.3", SHA256: sum, Size: size})
	}
	if err := lock.Save(); err != nil {
		w.t.Fatal(err)
	}
}

// own gives the plugin a file of its own, where actors share one.
func (w *world) own(name string) string {
	w.t.Helper()
	path := filepath.Join(w.bin, plugin.FilePrefix+name)
	content, err := os.ReadFile(actor)
	if err != nil {
		w.t.Fatal(err)
	}
	syscall.ForkLock.RLock() // a process that is forked now would keep the file from being started
	err = os.WriteFile(path, content, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		w.t.Fatal(err)
	}
	w.describe(path)
	return path
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString(text)
	if closed := file.Close(); err != nil || closed != nil {
		t.Fatal(err, closed)
	}
}

func TestWhatALockedEngineRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"good", "changed", "loose"} {
		w.own(name)
	}
	w.lock("good", "changed", "loose")
	w.own("fresh")
	before, _, err := pin.Sum(filepath.Join(w.bin, "datadis-plugin-changed"))
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(w.bin, "datadis-plugin-changed")
	appendTo(t, changed, "one byte more")
	after, _, err := pin.Sum(changed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(w.bin, "datadis-plugin-loose"), 0o777); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.Chmod(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(actor, filepath.Join(other, "datadis-plugin-good")); err != nil {
		t.Fatal(err)
	}
	w.config.Paths = append(w.config.Paths, other)

	want := map[string]struct {
		status Status
		parts  []string
	}{
		"good": {OK, nil}, "changed": {Modified, []string{before, after, "plugins.lock.json"}},
		"loose": {Unsafe, []string{"chmod go-w"}}, "fresh": {Unpinned, []string{"no fresh for " + pin.Here, "engine plugins lock"}},
	}
	for _, c := range New(w.config).Candidates(t.Context()) {
		if strings.HasPrefix(c.Path, other) {
			if c.Status != Shadowed {
				t.Errorf("the second good is %s", c.Status)
			}
			continue
		}
		expected := want[c.Name]
		if c.Status != expected.status {
			t.Errorf("%s is %s: %s", c.Name, c.Status, c.Reason)
		}
		for _, part := range expected.parts {
			if !strings.Contains(c.Reason, part) {
				t.Errorf("%s: %q does not tell %q", c.Name, c.Reason, part)
			}
		}
		if _, err := w.tryStart(c.Name, nil); (err == nil) != (expected.status == OK) {
			t.Errorf("start of %s: %v", c.Name, err)
		}
	}

	// Without the lock they all start, and the doubts are told.
	w.config.Locked = false
	for _, c := range New(w.config).Candidates(t.Context()) {
		if warned := len(c.Warnings) > 0; c.Status == OK && warned != (want[c.Name].status != OK) {
			t.Errorf("%s: warnings %q", c.Name, c.Warnings)
		}
	}
}

func TestALockedEngineWithoutItsLockFileStartsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.own("good")
	w.config.Lock, w.config.Locked = filepath.Join(w.configs, "none.json"), true
	for _, want := range []string{"there is no lock file", "damaged"} {
		if want == "damaged" {
			w.write(w.configs, "none.json", "{")
		}
		c := New(w.config).Candidates(t.Context())[0]
		if c.Status != Unpinned || !strings.Contains(c.Reason, want) {
			t.Errorf("%s %s", c.Status, c.Reason)
		}
	}
}

// What was checked is what runs: the file in the plugin folder may be exchanged
// at any time, before the start and before every restart.
func TestABinaryThatIsExchangedAfterTheCheckIsNotStarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.own("good")
	w.lock("good")
	h := New(w.config)
	in, err := NewInstance("i", "good", w.configs, map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	h.examine(&in, h.Candidates(t.Context()))
	if in.Status != OK {
		t.Fatal(in.Status, in.Reason)
	}
	r, err := h.Start(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	runs, err := os.Readlink("/proc/" + text(t, r, "pid") + "/exe")
	if err == nil && (filepath.Dir(runs) == w.bin || !strings.HasPrefix(runs, w.config.RuntimeDir)) {
		t.Errorf("it runs %s and no private copy", runs)
	}

	// Exchanged as an upgrade does it: a new file under the old name.
	sum, _, err := pin.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	appendTo(t, w.own("good"), "x")
	if _, err := New(w.config).Start(t.Context(), in); err == nil || !strings.Contains(err.Error(), "modified") || !strings.Contains(err.Error(), sum) {
		t.Errorf("a second start: %v", err)
	}
	if _, err := ask(t.Context(), r, "exit"); err == nil {
		t.Error("it did not fall")
	}
	recovered(t, r) // with the copy of what was checked
	r.Close()
	left, err := filepath.Glob(filepath.Join(w.config.RuntimeDir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// What is remembered of a file must never hide that it has changed.
func TestRememberedSums(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path, state := w.own("good"), t.TempDir()
	aged := func() { // a file that changed just now is always read
		eventually(t, "the file is old enough", func() bool {
			info, err := os.Stat(path)
			return err == nil && (stampOf(info) != "" || runtime.GOOS != "linux")
		})
	}
	aged()
	before, err := openSums(state).of(path)
	if err != nil {
		t.Fatal(err)
	}
	known := openSums(state)
	if _, err := known.of(path); err != nil {
		t.Fatal(err)
	}
	known.save()
	if again := openSums(state); runtime.GOOS == "linux" && again.known[path].Sum != before {
		t.Errorf("nothing is remembered: %v", again.known)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, errWrite := file.WriteAt([]byte("!"), info.Size()-1)
	if err := errors.Join(errWrite, file.Close(), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	for range 2 { // now, and when it is old again
		if after, err := openSums(state).of(path); err != nil || after == before {
			t.Errorf("a change of the same size and time is not seen: %v", err)
		}
		aged()
	}
}

func text(t *testing.T, r *Running, id string) string {
	t.Helper()
	answer, err := ask(t.Context(), r, id)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestBinariesForOtherMachines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[18] = 0x16 // s390x
	if err := os.Chmod(w.write(w.bin, "datadis-plugin-mainframe", string(head)), 0o755); err != nil {
		t.Fatal(err)
	}
	c := New(w.config).Candidates(t.Context())[0]
	if c.Status != WrongPlatform || !strings.Contains(c.Reason, "linux/s390x") {
		t.Errorf("%s %s", c.Status, c.Reason)
	}
}

func TestProtocolVersions(t *testing.T) {
	t.Parallel()
	for newest, want := range map[int][]int{1: {1}, 2: {1, 2}, 7: {6, 7}} {
		if got := spoken(newest); len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != newest {
			t.Errorf("an engine of %d speaks %v", newest, got)
		}
	}
	w := newWorld(t)
	for name, version := range map[string]string{"newer": "2", "ancient": "-1"} {
		path := w.add(name)
		w.write(w.bin, filepath.Base(path)+".json", `{"name":"`+name+`","kinds":["source"],"version":"1","protocol":`+version+`}`)
	}
	for _, c := range New(w.config).Candidates(t.Context()) {
		want := map[string]string{
			"newer":   "it speaks protocol 2, this engine speaks 1; install a newer engine, or an older version of the plugin",
			"ancient": "it speaks protocol -1, this engine speaks 1; build it with a newer SDK",
		}[c.Name]
		if c.Status != Incompatible || c.Reason != want {
			t.Errorf("%s: %s %q", c.Name, c.Status, c.Reason)
		}
	}
}
