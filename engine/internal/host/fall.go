package host

import (
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// fanOut is a logger that writes to both.
func fanOut(a, b *slog.Logger) *slog.Logger {
	return slog.New(slog.NewMultiHandler(a.Handler(), b.Handler()))
}

// fall is the end of a process that nobody had told to end.
type fall struct {
	process *process
	why     error
	// outside: somebody else killed it. That says nothing of the plugin, nor of
	// what it was doing.
	outside bool
}

// FallError is the error of a call during which the plugin's process ended.
// The call may be repeated, once there is another process.
type FallError struct {
	cause    *sdk.Error
	byItself bool
}

// Harmonizers and producers look for it by this method.
var _ interface{ ByItself() bool } = (*FallError)(nil)

// Error implements error.
func (e *FallError) Error() string { return e.cause.Error() }

// Unwrap gives the [sdk.Error], for those who ask no more.
func (e *FallError) Unwrap() error { return e.cause }

// ByItself tells whether the plugin crashed or hung, and so may do it again
// with the same input; not so if somebody killed its process.
func (e *FallError) ByItself() bool { return e.byItself }

func newFallError(f fall) *FallError {
	e := &sdk.Error{Kind: sdk.Unavailable, Origin: sdk.FromPlugin, Reason: "plugin_crashed", Err: f.why}
	if f.outside {
		e.Origin, e.Reason = sdk.FromDownstream, "plugin_killed"
	}
	return &FallError{e, !f.outside}
}

// outsiders are the signals that people and service managers send.
var outsiders = []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}

// killedFromOutside tells whether a signal ended the process that neither the
// engine sent nor the kernel for lack of memory. It is asked after the end.
func (c *childRunner) killedFromOutside() bool {
	exit, ok := c.err.(*exec.ExitError) //nolint:errorlint // Wait returns it as it is
	if !ok || c.condemned() != "" {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || !slices.Contains(outsiders, status.Signal()) {
		return false
	}
	return status.Signal() != syscall.SIGKILL || c.oomKills < 0 || c.oomKills == oomKills()
}

// report logs a fall, all of it in one line: what happened, what the plugin said
// last, and what is done about it.
func (r *Running) report(f fall, pause time.Duration, again bool) {
	r.mu.Lock()
	restarts := r.restarts
	r.mu.Unlock()
	attributes := []any{"error", f.why, "restarts", restarts}
	if again {
		attributes = append(attributes, "again_in", pause.Round(time.Millisecond).String())
	}
	if f.process != nil {
		out := f.process.child.output
		if last := out.last(); len(last) > 0 {
			attributes = append(attributes, "last", last)
		}
		if stack := out.stack(); stack != "" {
			attributes = append(attributes, "stack", stack)
		}
	}
	if f.outside {
		r.log.Warn("plugin was killed by somebody else", attributes...)
		return
	}
	r.log.Error("plugin fell", attributes...)
}

// explainEnd says how a process ended that has ended.
func (c *childRunner) explainEnd() string {
	text := c.ended()
	if why := c.condemned(); why != "" {
		return fmt.Sprintf("it was ended, because %s", why)
	}
	if exit, ok := c.err.(*exec.ExitError); ok { //nolint:errorlint // Wait returns it as it is
		status, _ := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() && status.Signal() == syscall.SIGKILL && !c.killedFromOutside() {
			text += ", as the kernel does when memory runs out"
		}
	}
	return text
}
