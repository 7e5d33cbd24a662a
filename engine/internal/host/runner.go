package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// childRunner is a process as the library sees it. It owns what the library
// would get wrong: the environment, stdin, and both outputs.
type childRunner struct {
	cmd    *exec.Cmd
	limits Limits
	log    *slog.Logger
	output *output
	exited chan struct{} // closed once the process has been reaped
	err    error         // of its end; read after exited
	// oomKills is how often the kernel had run out of memory before.
	oomKills int64

	mu      sync.Mutex // guards what is below
	pid     int        // 0 before it is started
	stdin   io.Closer  // its closing tells the plugin that the engine is gone
	doomed  bool       // killed before it was started
	verdict string     // why the engine killed it, "" if it did not
}

var _ runner.Runner = (*childRunner)(nil)

// newChild prepares a process; Start starts it.
func newChild(c processConfig, dir string, out *output) *childRunner {
	cmd := exec.Command(c.path)
	cmd.Dir = dir
	cmd.SysProcAttr = childAttributes()
	return &childRunner{cmd: cmd, limits: c.limits, log: c.log, output: out, exited: make(chan struct{}), oomKills: oomKills()}
}

// Start implements runner.Runner. The goroutine that starts the process keeps
// its thread until the process has ended, and reaps it: the kernel ends the
// child when the thread that started it ends, not when the engine does.
func (c *childRunner) Start(context.Context) error {
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, stdoutEnd, errOut := os.Pipe()
	stderr, stderrEnd, errErr := os.Pipe()
	if err := errors.Join(errOut, errErr); err != nil {
		return err
	}
	c.cmd.Stdout, c.cmd.Stderr = stdoutEnd, stderrEnd
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := c.launch(stdin)
		_, _ = stdoutEnd.Close(), stderrEnd.Close() // the child has its own
		if err != nil {
			_, _ = stdout.Close(), stderr.Close()
			c.output.end()
			started <- err
			return
		}
		pumped := make(chan struct{})
		go func() { c.output.pump(stdout, stderr); close(pumped) }()
		started <- nil
		c.reap(pumped, stdout, stderr)
	}()
	return <-started
}

var errDoomed = errors.New("given up before it was started")

// launch starts the process, unless it has been killed already.
func (c *childRunner) launch(stdin io.Closer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.doomed {
		return errors.Join(errDoomed, stdin.Close())
	}
	limited := c.limits.niceThread() // this thread starts nothing else
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.pid, c.stdin = c.cmd.Process.Pid, stdin
	if err := errors.Join(limited, c.limits.apply(c.pid)); err != nil {
		c.log.Warn("plugin runs without some of its limits", "error", err)
	}
	if err := theMinder.watch(c.pid); err != nil {
		c.log.Warn("what a plugin starts may outlive a killed engine", "error", err)
	}
	return nil
}

// started tells whether there is, or was, a process.
func (c *childRunner) started() bool { return c.number() > 0 }

func (c *childRunner) number() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// orphan closes the plugin's stdin.
func (c *childRunner) orphan() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stdin != nil {
		_ = c.stdin.Close() // a second time is no harm
	}
}

// lastOutput is how long the rest of a dead process's output may take.
const lastOutput = time.Second

// reap waits for the process to end, ends what it has left behind, and reads
// the last of its output.
func (c *childRunner) reap(pumped <-chan struct{}, outputs ...io.Closer) {
	c.err = c.cmd.Wait()
	signalGroup(c.number(), syscall.SIGKILL)
	theMinder.forget(c.number())
	timer := time.NewTimer(lastOutput)
	defer timer.Stop()
	select {
	case <-pumped:
	case <-timer.C: // somebody outside the group still has the other end
	}
	for _, o := range outputs {
		_ = o.Close()
	}
	<-pumped
	close(c.exited)
}

// Wait implements runner.Runner.
func (c *childRunner) Wait(ctx context.Context) error {
	select {
	case <-c.exited:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill implements runner.Runner.
func (c *childRunner) Kill(context.Context) error {
	c.signal(syscall.SIGKILL)
	return nil
}

// signal goes to the process and all that it has started. Once the process has
// been reaped its number may be somebody else's.
func (c *childRunner) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid == 0 {
		c.doomed = true
		return
	}
	select {
	case <-c.exited:
	default:
		signalGroup(c.pid, s)
	}
}

// condemn kills the process, and keeps the reason for who asks.
func (c *childRunner) condemn(why string) {
	c.mu.Lock()
	select {
	case <-c.exited: // it needed none
	default:
		if c.verdict == "" {
			c.verdict = why
		}
	}
	c.mu.Unlock()
	c.signal(syscall.SIGKILL)
}

// condemned is why the engine killed the process; "" if it did not.
func (c *childRunner) condemned() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verdict
}

// ended says how the process ended; "" while it runs.
func (c *childRunner) ended() string {
	select {
	case <-c.exited:
	default:
		return ""
	}
	var exit *exec.ExitError
	switch {
	case c.err == nil:
		return "it ended with exit code 0"
	case errors.As(c.err, &exit) && exit.ProcessState != nil:
		return "it ended: " + exit.ProcessState.String()
	default:
		return "it ended: " + c.err.Error()
	}
}

// Stdout implements runner.Runner: the handshake line and nothing else.
func (c *childRunner) Stdout() io.ReadCloser { return c.output.handshake }

// Stderr implements runner.Runner: the library gets nothing to parse.
func (c *childRunner) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (c *childRunner) Name() string { return c.cmd.Path }

// ID implements runner.Runner.
func (c *childRunner) ID() string { return fmt.Sprint(c.number()) }

// Diagnose implements runner.Runner; what went wrong is told elsewhere.
func (c *childRunner) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner.
func (c *childRunner) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (c *childRunner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
