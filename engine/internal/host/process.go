package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// processConfig says what to start.
type processConfig struct {
	path    string
	allowed []string              // names of the variables that it may see
	secrets map[string]sdk.Secret // that must not show in what it writes
	log     *slog.Logger
	limits  Limits
}

// process is a plugin's process that has shaken hands.
type process struct {
	client *plugin.Client
	dir    *privateDir
	child  *childRunner
	lib    *goplugin.Client
	timing Timing
	calls  sync.WaitGroup // in flight; none begins once the process is out of use
	worked atomic.Bool    // a call of a role succeeded
}

// startProcess starts a binary and waits for its handshake, or for the context
// to end.
func (h *Host) startProcess(ctx context.Context, c processConfig) (*process, error) {
	dir, err := h.newPrivateDir()
	if err != nil {
		return nil, err
	}
	certificate, text, err := clientCertificate()
	if err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	child := newChild(c, dir.path, newOutput(c.log, newRedactor(c.secrets)))
	environment := append(h.environment(c.allowed, dir.path, text), c.limits.environment()...)
	p := &process{dir: dir, child: child, timing: h.config.Timing}
	p.lib = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: plugin.ProtocolVersion, MagicCookieKey: plugin.MagicCookieKey, MagicCookieValue: plugin.MagicCookieValue,
		},
		VersionedPlugins: services(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			child.cmd.Env = append(environment, cmd.Env...)
			return child, nil
		},
		SkipHostEnv:      true,
		StartTimeout:     h.config.Timing.Handshake + time.Minute, // shake is the one to give up
		TLSConfig:        &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, ServerName: "localhost"},
		GRPCDialOptions:  append(plugin.DialOptions(), h.config.DialOptions...),
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: dir.path},
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       stray{child.output, "stdout"},
		SyncStderr:       stray{child.output, "stderr"},
	})
	if err := p.shake(ctx); err != nil {
		if p.child.started() {
			p.awaitExit(time.Second) // it has ended, or the library has ended it
		}
		p.kill()
		err = p.failedStart(err)
		if _, shaken := child.output.protocol(); !shaken && child.started() && child.killedFromOutside() {
			err = killedError{err}
		}
		return nil, err
	}
	return p, nil
}

// environment is all that the process sees: what is allowed, and what the
// protocol needs.
func (h *Host) environment(allowed []string, dir, certificate string) []string {
	env := []string{"TMPDIR=" + dir, "PLUGIN_CLIENT_CERT=" + certificate}
	if h.log.Enabled(context.Background(), slog.LevelDebug) { //nolint:contextcheck // asks for the level only
		env = append(env, plugin.LogLevelKey+"=DEBUG")
	}
	for _, name := range allowed {
		if value, ok := h.config.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

var errNoAnswer = errors.New("no answer in time")

// shake waits for the handshake. The library's own waiting heeds no context,
// and none of it is bounded once the handshake line has come, so the process is
// killed where the time or the context ends first.
func (p *process) shake(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.timing.Handshake, errNoAnswer)
	defer cancel()
	type result struct {
		client any
		err    error
	}
	done := make(chan result, 1)
	go func() {
		protocol, err := p.lib.Client()
		if err != nil {
			done <- result{err: err}
			return
		}
		client, err := protocol.Dispense(roleName)
		done <- result{client, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return r.err
		}
		p.client, _ = r.client.(*plugin.Client)
		return nil
	case <-ctx.Done():
		p.child.condemn("there was no handshake")
		<-done
		return context.Cause(ctx)
	}
}

// failedStart says in one sentence why there was no handshake.
func (p *process) failedStart(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if !p.child.started() {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w; is its folder mounted noexec? Private copies lie below TMPDIR", err)
		}
		return fmt.Errorf("it cannot be started: %w", err)
	}
	if version, ok := p.child.output.protocol(); ok && !slices.Contains(protocols, version) {
		return &ProtocolError{version}
	}
	printed, last := p.child.output.said()
	var text string
	switch {
	case printed != "":
		text = fmt.Sprintf("no handshake; it printed %q", printed)
	case errors.Is(err, errNoAnswer), errors.Is(err, context.DeadlineExceeded), strings.Contains(err.Error(), "timeout"):
		text = fmt.Sprintf("no handshake in %v", p.timing.Handshake)
		if p.timing.Handshake%time.Second == 0 {
			text = fmt.Sprintf("no handshake in %.0f s", p.timing.Handshake.Seconds())
		}
	case strings.Contains(err.Error(), "ersion"): // the library's text on versions that do not meet
		text = oneLine(err.Error())
	default:
		text = "no handshake; " + p.child.ended()
	}
	if last != "" {
		text += fmt.Sprintf("; its last words: %q", last)
	}
	return errors.New(text)
}

// over tells whether the process has ended. The end of a process is seen a
// little later than that of its connection.
func (p *process) over() bool {
	return p.awaitExit(endSeen)
}

const endSeen = 50 * time.Millisecond

// killedError is of a start during which somebody killed the process.
type killedError struct{ error }

// Unwrap gives the cause.
func (e killedError) Unwrap() error { return e.error }

// explain adds to the error of a call how the process ended, if it did.
func (p *process) explain(err error) error {
	if !p.over() {
		return err
	}
	return p.fell(err).why
}

// fell describes the end of the process, which is over.
func (p *process) fell(err error) fall {
	text := p.child.explainEnd()
	if _, last := p.child.output.said(); last != "" {
		text += fmt.Sprintf(", its last words: %q", last)
	}
	return fall{process: p, why: fmt.Errorf("%w; %s", err, text), outside: p.child.killedFromOutside()}
}

// kill ends the process and all that it started, at once, and cleans up.
func (p *process) kill() {
	p.child.condemn("it was to stop")
	if p.child.started() {
		<-p.child.exited // SIGKILL cannot be ignored
	}
	p.child.orphan()
	p.lib.Kill() // finds the process gone, and only cleans up
	_ = p.dir.remove()
}

// stop lets the process finish what it is doing, and ends it. No call may begin
// any more.
func (p *process) stop(ctx context.Context) {
	drain, cancel := context.WithTimeout(ctx, p.timing.Drain)
	_ = p.client.Drain(drain) // if it fails, it ends all the same
	p.awaitCalls(drain)
	cancel()
	p.child.orphan() // a plugin ends when it has lost the engine
	if !p.awaitExit(p.timing.Exit) {
		p.child.signal(syscall.SIGTERM)
		p.awaitExit(p.timing.Term)
	}
	p.kill()
}

// awaitCalls waits for answers that are on their way: a plugin has drained when
// its work is done, which is before the last answer has arrived.
func (p *process) awaitCalls(ctx context.Context) {
	answered := make(chan struct{})
	go func() { // ends at the latest when the process does, and the calls fail
		p.calls.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
	}
}

// awaitExit tells whether the process ended in time.
func (p *process) awaitExit(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.child.exited:
		return true
	case <-timer.C:
		return false
	}
}

// roleName is what the library knows our services by.
const roleName = "plugin"

// connection makes our client of the library's connection.
type connection struct {
	goplugin.NetRPCUnsupportedPlugin
}

// GRPCServer implements goplugin.GRPCPlugin; this end never is the server.
func (connection) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is the engine's end")
}

// GRPCClient implements goplugin.GRPCPlugin.
func (connection) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return plugin.NewClient(conn), nil
}

// stray logs what a plugin prints while it serves.
type stray struct {
	output *output
	stream string
}

// Write implements io.Writer.
func (s stray) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			s.output.stray(line, s.stream)
		}
	}
	return len(text), nil
}
