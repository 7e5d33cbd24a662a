package host

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/datadis-engine/datadis/sdk/plugin"
)

// processConfig says what to start.
type processConfig struct {
	path string
	log  *slog.Logger
}

// process is a plugin's process that has shaken hands.
type process struct {
	client *plugin.Client
	dir    string // private
	child  *childRunner
	lib    *goplugin.Client
	timing Timing
}

// startProcess starts a binary and waits for its handshake, or for the context
// to end.
func (h *Host) startProcess(ctx context.Context, c processConfig) (*process, error) {
	dir, err := privateDir(h.config.RuntimeDir)
	if err != nil {
		return nil, err
	}
	certificate, text, err := clientCertificate()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p := &process{dir: dir, timing: h.config.Timing}
	out := newOutput(c.log)
	environment := h.environment(dir, text)
	p.lib = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: plugin.ProtocolVersion, MagicCookieKey: plugin.MagicCookieKey, MagicCookieValue: plugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]goplugin.PluginSet{plugin.ProtocolVersion: {roleName: connection{}}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			p.child = newChild(c.path, dir, append(environment, cmd.Env...), out)
			return p.child, nil
		},
		SkipHostEnv:      true,
		StartTimeout:     h.config.Timing.Handshake,
		TLSConfig:        &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, ServerName: "localhost"},
		GRPCDialOptions:  append(plugin.DialOptions(), h.config.DialOptions...),
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: dir},
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       stray{c.log, "stdout"},
		SyncStderr:       stray{c.log, "stderr"},
	})
	if err := p.shake(ctx); err != nil {
		p.kill()
		return nil, p.failedStart(ctx, err)
	}
	return p, nil
}

// environment is all that the process sees: what is allowed, and what the
// protocol needs.
func (h *Host) environment(dir, certificate string) []string {
	env := []string{"TMPDIR=" + dir, "PLUGIN_CLIENT_CERT=" + certificate}
	if h.log.Enabled(context.Background(), slog.LevelDebug) { //nolint:contextcheck // asks for the level only
		env = append(env, plugin.LogLevelKey+"=DEBUG")
	}
	for _, name := range h.config.Environment {
		if value, ok := h.config.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// shake waits for the handshake. The library's own waiting heeds no context, so
// the process is killed where that ends first.
func (p *process) shake(ctx context.Context) error {
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
		if p.child != nil {
			p.child.signal(syscall.SIGKILL)
		}
		<-done
		return context.Cause(ctx)
	}
}

// failedStart says in one sentence why there was no handshake.
func (p *process) failedStart(ctx context.Context, err error) error {
	if p.child == nil || p.child.pid == 0 {
		return fmt.Errorf("it cannot be started: %w", err)
	}
	printed, last := p.child.output.said()
	var text string
	switch {
	case printed != "":
		text = fmt.Sprintf("no handshake; it printed %q", printed)
	case ctx.Err() != nil || strings.Contains(err.Error(), "timeout"):
		text = fmt.Sprintf("no handshake in %.0f s", p.timing.Handshake.Seconds())
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

// explain adds to the error of a call how the process ended, if it did.
func (p *process) explain(err error) error {
	select {
	case <-p.child.exited:
	case <-time.After(50 * time.Millisecond): // the end of a process is seen a little later than that of its connection
		return err
	}
	text := p.child.ended()
	if _, last := p.child.output.said(); last != "" {
		text += fmt.Sprintf(", its last words: %q", last)
	}
	return fmt.Errorf("%w; %s", err, text)
}

// kill ends the process and all that it started, at once, and cleans up.
func (p *process) kill() {
	if p.child != nil && p.child.pid > 0 {
		p.child.signal(syscall.SIGKILL)
		<-p.child.exited // SIGKILL cannot be ignored
		_ = p.child.stdin.Close()
	}
	p.lib.Kill() // finds the process gone, and only cleans up
	_ = os.RemoveAll(p.dir)
}

// stop lets the process finish what it is doing, and ends it.
func (p *process) stop(ctx context.Context) {
	drain, cancel := context.WithTimeout(ctx, p.timing.Drain)
	_ = p.client.Drain(drain) // if it fails, it ends all the same
	cancel()
	_ = p.child.stdin.Close() // a plugin ends when it has lost the engine
	if !p.awaitExit(p.timing.Exit) {
		p.child.signal(syscall.SIGTERM)
		p.awaitExit(p.timing.Term)
	}
	p.kill()
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
	log    *slog.Logger
	stream string
}

// Write implements io.Writer.
func (s stray) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			s.log.Warn(cut(line), "unstructured", true, "stream", s.stream)
		}
	}
	return len(text), nil
}

// clientCertificate makes a certificate for one process. The curve is P-256,
// which every TLS stack speaks; the library's own choice is not.
func clientCertificate() (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("make a key for a plugin's connection: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("make a certificate for a plugin's connection: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(text), nil
}
