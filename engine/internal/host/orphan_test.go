package host

import (
	"bufio"
	"io"
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
