package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

// process is a plugin's process that has shaken hands.
type process struct {
	pb.PluginClient
	source     pb.SourceClient
	harmonizer pb.HarmonizerClient

	cmd    *exec.Cmd
	pid    int
	stdin  io.Closer
	out    *output
	exited chan struct{} // closed once it is reaped and its output is read
	err    error         // of its end; read after exited
	conn   *grpc.ClientConn
	began  time.Time
	strays context.CancelFunc
	over   sync.Once
}

// environment is all that a plugin sees.
func environment(dir, certificate string) []string {
	return []string{
		wire.MagicCookieKey + "=" + wire.MagicCookieValue,
		fmt.Sprintf("PLUGIN_PROTOCOL_VERSIONS=%d", wire.ProtocolVersion),
		"PLUGIN_MIN_PORT=0", "PLUGIN_MAX_PORT=0", "PLUGIN_UNIX_SOCKET_DIR=" + dir,
		"PLUGIN_CLIENT_CERT=" + certificate, "TMPDIR=" + dir,
	}
}

// launch starts the binary in a folder, with an empty environment, and waits for
// its handshake. An error is a *Finding, or the kit's own.
func (k *kit) launch(ctx context.Context, dir string) (*process, error) {
	id, err := newIdentity()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(k.path), out: newOutput(), exited: make(chan struct{}), began: time.Now()}
	p.cmd.Dir, p.cmd.Env, p.cmd.SysProcAttr = dir, environment(dir, id.pem), childAttributes()
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", k.path, err)
	}
	k.mu.Lock()
	k.processes = append(k.processes, p)
	k.mu.Unlock()
	line, err := p.awaitHandshake(ctx, k.timing.Handshake)
	if err == nil {
		err = p.connect(ctx, line, id, k.timing.Handshake)
	}
	if err != nil {
		k.end(p)
		return nil, err
	}
	return p, nil
}

// start starts the process on a thread that lives as long as it: the kernel ends
// the child with that thread.
func (p *process) start() error {
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, stdoutEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	stderr, stderrEnd, err := os.Pipe()
	if err != nil {
		return errors.Join(err, stdout.Close(), stdoutEnd.Close())
	}
	p.stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, stdoutEnd, stderrEnd
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		_, _ = stdoutEnd.Close(), stderrEnd.Close() // the child has its own
		if err != nil {
			_, _ = stdout.Close(), stderr.Close()
			started <- err
			return
		}
		p.pid = p.cmd.Process.Pid
		pumped := make(chan struct{})
		go func() { p.out.pump(stdout, stderr); close(pumped) }()
		started <- nil
		p.reap(pumped, stdout, stderr)
	}()
	return <-started
}

// reap waits for the end of the process and of its output. What it has started
// may hold the output open, and is given little time.
func (p *process) reap(pumped <-chan struct{}, outputs ...io.Closer) {
	const lastOutput = 300 * time.Millisecond
	p.err = p.cmd.Wait()
	timer := time.NewTimer(lastOutput)
	defer timer.Stop()
	select {
	case <-pumped:
	case <-timer.C:
	}
	for _, o := range outputs {
		_ = o.Close()
	}
	<-pumped
	close(p.exited)
}

// awaitHandshake waits for the line that says where the plugin listens.
func (p *process) awaitHandshake(ctx context.Context, patience time.Duration) (string, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case line, ok := <-p.out.handshake:
		p.out.mu.Lock()
		printed := strings.Join(p.out.before, " / ")
		p.out.mu.Unlock()
		switch {
		case printed != "":
			return "", finding("handshake.stdout", "it printed %q", cut(printed))
		case !ok:
			return "", finding("handshake.exited", "%s", p.ending())
		}
		return line, nil
	case <-timer.C:
		p.out.mu.Lock()
		printed := strings.Join(p.out.before, " / ")
		p.out.mu.Unlock()
		if printed != "" {
			return "", finding("handshake.stdout", "it printed %q, and no handshake", cut(printed))
		}
		return "", finding("handshake.timeout", "nothing in %v%s", patience, said(p.out.lastWords()))
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// connect opens the connection that the handshake line names:
// 1|<protocol>|unix|<path>|grpc|<certificate>.
func (p *process) connect(ctx context.Context, line string, id *identity, patience time.Duration) error {
	fields := strings.Split(line, "|")
	if len(fields) < 6 || fields[0] != "1" || fields[4] != "grpc" || fields[2] != "unix" && fields[2] != "tcp" {
		return finding("handshake.malformed", "%q is not 1|<protocol>|unix|<path>|grpc|<certificate>", cut(line))
	}
	if fields[1] != fmt.Sprint(wire.ProtocolVersion) {
		return finding("handshake.protocol", "it speaks version %s, the engine %d", cut(fields[1]), wire.ProtocolVersion)
	}
	if fields[5] == "" {
		return finding("handshake.tls", "the handshake has no certificate")
	}
	config, err := id.trusting(fields[5])
	if err != nil {
		return finding("handshake.tls", "%v", err)
	}
	p.conn, err = grpc.NewClient("passthrough:///plugin",
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, fields[2], fields[3])
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessageSize), grpc.MaxCallSendMsgSize(2*wire.MaxMessageSize)))
	if err != nil {
		return finding("handshake.malformed", "%v", err)
	}
	p.PluginClient, p.source, p.harmonizer = pb.NewPluginClient(p.conn), pb.NewSourceClient(p.conn), pb.NewHarmonizerClient(p.conn)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := p.Describe(ctx, &pb.DescribeRequest{}, grpc.WaitForReady(true)); err != nil {
		if strings.Contains(err.Error(), "tls:") || strings.Contains(err.Error(), "x509:") || strings.Contains(err.Error(), "handshake") {
			return finding("handshake.tls", "%s", cut(err.Error()))
		}
		return finding("describe.fails", "%s%s", cut(err.Error()), said(p.out.lastWords()))
	}
	p.readStrays()
	return nil
}

// end kills the process and everything that it has started, once: later its
// number may be another's.
func (k *kit) end(p *process) { p.over.Do(p.kill) }

func (p *process) kill() {
	left := descendants(p.pid)
	if p.strays != nil {
		p.strays()
	}
	signalGroup(p.pid, syscall.SIGKILL)
	_ = p.stdin.Close()
	<-p.exited // SIGKILL cannot be ignored
	signalGroup(p.pid, syscall.SIGKILL)
	for _, pid := range left {
		if alive(pid) {
			signalOne(pid, syscall.SIGKILL)
		}
	}
	if p.conn != nil {
		_ = p.conn.Close()
	}
}

// awaitExit tells whether the process ended in time.
func (p *process) awaitExit(patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return false
	}
}

// ending says how the process ended, and its last words.
func (p *process) ending() string {
	text := "it did not end"
	if p.awaitExit(time.Second) {
		text = "it ended"
		if p.err != nil {
			text = "it ended: " + p.err.Error()
		}
	}
	return text + said(p.out.lastWords())
}

func said(words string) string {
	if words == "" {
		return ""
	}
	return fmt.Sprintf("; its last words: %q", words)
}

// byHand starts the binary as a person would, and returns what it said and
// whether it ended in time.
func (k *kit) byHand(ctx context.Context, dir string) (string, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timing.Handshake)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.path)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, []string{"TMPDIR=" + dir}, childAttributes()
	cmd.Cancel = func() error { signalGroup(cmd.Process.Pid, syscall.SIGKILL); return nil }
	cmd.WaitDelay = time.Second
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && ctx.Err() == nil {
		return "", false, fmt.Errorf("start %s: %w", filepath.Base(k.path), err)
	}
	return string(text), ctx.Err() == nil, nil
}
