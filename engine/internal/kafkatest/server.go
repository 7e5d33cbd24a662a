package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/loopback"
)

// Server is a real broker: a Java process on loopback that is its own
// controller. Its data outlives Stop and Kill, as on a disk.
type Server struct {
	t       testing.TB
	java    java
	dir     string
	id      string // of the cluster
	options options
	ports   ports
	process *os.Process
	ended   chan struct{} // closed when the process is gone
}

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
	portTries    = 5 // a port that was free a moment ago may be taken by now
)

// Start starts a broker that ends with the test. Where none can be had, the test
// is skipped.
func Start(t testing.TB, with ...Option) *Server {
	t.Helper()
	s := newServer(t, t.TempDir(), with...)
	s.start(t)
	t.Cleanup(s.Kill)
	return s
}

var shared struct {
	once   sync.Once
	server *Server
}

// sharedServer is the broker of the test binary. The first test that asks for it
// starts it; it ends with the process.
func sharedServer(t testing.TB) *Server {
	t.Helper()
	findJava(t) // so that each test is skipped, not only the first
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "kafkatest-")
		if err != nil {
			t.Fatal(err)
		}
		s := newServer(t, dir)
		s.start(t)
		s.t = nil // it outlives this test
		shared.server = s
	})
	if shared.server == nil {
		t.Fatal("the real Kafka broker did not start; the first test that asked for it says why")
	}
	return shared.server
}

func newServer(t testing.TB, dir string, with ...Option) *Server {
	t.Helper()
	s := &Server{t: t, java: findJava(t), dir: dir, id: newID()}
	for _, option := range with {
		option(t, &s.options)
	}
	return s
}

// start starts the broker for the first time.
func (s *Server) start(t testing.TB) {
	t.Helper()
	var err error
	for range portTries {
		s.ports = newPorts(t)
		if err = s.format(t.Context()); err != nil {
			break
		}
		if err = s.launch(t.Context()); err == nil {
			return
		}
	}
	log, _ := os.ReadFile(s.path("log")) // best effort: it explains the failure
	t.Fatalf("the Kafka broker did not start: %v; its log:\n%s", err, log)
}

// Bootstrap is the host and port for clients.
func (s *Server) Bootstrap() string { return s.options.bootstrap(s.ports) }

// Connection is the settings to reach the broker with, as librdkafka names them.
func (s *Server) Connection() map[string]any { return s.options.connection(s.ports) }

// Inside is how to reach the broker past everything that keeps others out.
func (s *Server) Inside() map[string]any { return plain(loopback.Address(s.ports.plain)) }

// Data is the folder of the segments.
func (s *Server) Data() string { return s.path("data") }

// Kill ends the process at once, as a crash does. It is safe to call twice.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the process as an operator does. It is safe to call twice.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(signal syscall.Signal) {
	if s.process == nil {
		return
	}
	_ = s.process.Signal(signal) // it fails only if the process is gone
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		s.t.Errorf("the Kafka broker did not stop within %v", stopTimeout)
		_ = s.process.Kill()
		<-s.ended
	}
	s.process = nil
}

// Restart starts the broker again after Stop or Kill, at the same address and
// with the same data.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.launch(s.t.Context()); err != nil {
		log, _ := os.ReadFile(s.path("log")) // best effort: it explains the failure
		s.t.Fatalf("restarting the Kafka broker: %v; its log:\n%s", err, log)
	}
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// format makes the folder of a new broker.
func (s *Server) format(ctx context.Context) error {
	if err := os.RemoveAll(s.path("data")); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("server.properties"), s.properties(), 0o600); err != nil {
		return err
	}
	args := append([]string{"format", "--cluster-id", s.id, "--config", s.path("server.properties")}, s.options.format...)
	cmd := s.java.command("kafka.tools.StorageTool", args...)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("format its folder: %w: %s", errors.Join(err, ctx.Err()), said)
	}
	return nil
}

// launch starts the process and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	cmd := s.java.command("kafka.Kafka", s.path("server.properties"))
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, ownGroup()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start Java: %w", err)
	}
	s.process, s.ended = cmd.Process, make(chan struct{})
	reaper, err := startReaper(cmd.Process.Pid, s.dir)
	go func() {
		defer close(s.ended)
		_ = cmd.Wait() // how it ended is of no interest
		reaper.dismiss()
	}()
	if err != nil {
		s.Kill()
		return fmt.Errorf("watch over the broker: %w", err)
	}
	return s.await(ctx)
}

// await waits until the broker answers, or its process ended.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		err := s.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			s.process = nil
			return errors.New("its process ended")
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("it does not answer within %v: %w", startTimeout, err)
		case <-poll.C:
		}
	}
}

// reaper is a process that outlives this one by a moment: when this one is gone,
// it ends the broker and removes its folder. Nothing else does when tests time
// out or are killed.
type reaper struct{ cmd *exec.Cmd }

// reap waits until the pipe on its input is closed, which the kernel sees to.
const reap = `cat >/dev/null; kill -9 "$1"; rm -rf "$2" || { sleep 1; rm -rf "$2"; }`

func startReaper(pid int, dir string) (*reaper, error) {
	cmd := exec.Command("sh", "-c", reap, "reaper", fmt.Sprint(pid), dir)
	cmd.SysProcAttr = ownGroup()
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &reaper{cmd}, nil
}

// dismiss ends the reaper, as there is nothing left to do for it.
func (r *reaper) dismiss() {
	if r == nil {
		return
	}
	_ = r.cmd.Process.Kill() // it fails only if the process is gone
	_ = r.cmd.Wait()
}
