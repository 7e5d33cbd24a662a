package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk/plugin"
)

// A plugin must end by itself too: not every system lets the kernel do it, and
// an engine may be started by something that outlives it.
func TestAPluginEndsByItself(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*exec.Cmd, io.Closer) error{
		"when its stdin closes": func(_ *exec.Cmd, stdin io.Closer) error { return stdin.Close() },
		"when told to":          func(cmd *exec.Cmd, _ io.Closer) error { return cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			cmd := exec.Command(w.add("good"))
			cmd.Env = []string{plugin.MagicCookieKey + "=" + plugin.MagicCookieValue, "PLUGIN_PROTOCOL_VERSIONS=1",
				"TMPDIR=" + w.config.RuntimeDir}
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil || !handshakeLine.MatchString(strings.TrimSpace(line)) {
				t.Errorf("%q %v", line, err)
			}
			if err := end(cmd, stdin); err != nil {
				t.Error(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("it ended with %v, not with exit code 0", err)
				}
			case <-time.After(15 * time.Second):
				_ = cmd.Process.Kill()
				t.Error("it goes on")
			}
			left, err := filepath.Glob(filepath.Join(w.config.RuntimeDir, "plugin*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// beEngine is an engine that starts a plugin, says which, and waits to be
// killed.
func beEngine(dir string) int {
	in, err := NewInstance("i", "good", dir, map[string]any{})
	if err != nil {
		return 1
	}
	h := New(Config{Paths: []string{dir}, RuntimeDir: os.Getenv(engineKey + "_RUN")})
	ctx := context.Background()
	r, err := h.Start(ctx, in)
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		return 1
	}
	text, err := ask(ctx, r, "pid")
	child, childErr := ask(ctx, r, "child")
	if err != nil || childErr != nil {
		return 1
	}
	os.Stdout.WriteString(text + " " + child + "\n")
	select {}
}

func TestNoPluginOutlivesAKilledEngine(t *testing.T) {
	t.Parallel()
	for name, frozen := range map[string]bool{"that works": false, "that is frozen": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killTheEngine(t, frozen)
		})
	}
}

// killTheEngine kills one whose plugin has started a process of its own.
func killTheEngine(t *testing.T, frozen bool) {
	t.Helper()
	w := newWorld(t, "good")
	engine := exec.Command(os.Args[0])
	engine.Env = append(os.Environ(), engineKey+"="+w.bin, engineKey+"_RUN="+w.config.RuntimeDir)
	out, err := engine.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	said := ""
	lines(&firstLine{out}, func(line string) { said = line })
	var pid, child int
	if _, err := fmt.Sscan(said, &pid, &child); err != nil {
		t.Fatalf("the engine said %q", said)
	}
	if gone(pid) || gone(child) {
		t.Fatal("the plugin does not run, or not what it started")
	}
	if frozen {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	if err := engine.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = engine.Wait() // it was killed
	killed := time.Now()
	eventually(t, "the plugin and its child are gone", func() bool { return gone(pid) && gone(child) })
	t.Logf("both were gone after %s", time.Since(killed).Round(time.Millisecond))

	// The next engine removes what the killed one left.
	dirs, err := filepath.Glob(filepath.Join(w.config.RuntimeDir, dirPattern))
	if err != nil || len(dirs) != 1 {
		t.Fatal(dirs, err)
	}
	past := time.Now().Add(-2 * fresh)
	if err := os.Chtimes(filepath.Join(dirs[0], lockName), past, past); err != nil {
		t.Fatal(err)
	}
	r := w.start("good", nil)
	if _, err := os.Stat(dirs[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", dirs[0])
	}
	// And leaves those of engines that live.
	sweep(w.config.RuntimeDir)
	if _, err := ask(t.Context(), r, "pid"); err != nil {
		t.Error(err)
	}
}

// firstLine ends after one line.
type firstLine struct {
	from interface{ Read([]byte) (int, error) }
}

func (f *firstLine) Read(p []byte) (int, error) {
	n, err := f.from.Read(p[:1])
	if n == 1 && p[0] == '\n' {
		return 1, os.ErrClosed
	}
	return n, err
}
