package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/loopback"
	"github.com/datadis-engine/datadis/engine/internal/redisaccess"
)

// Server is a redis-server process. Its data outlives Kill, as on a disk.
type Server struct {
	t       testing.TB
	dir     string
	port    int
	options []string
	process *os.Process
	ended   chan struct{} // closed when the process is gone
}

const (
	startTimeout = 20 * time.Second
	portTries    = 10 // a port that was free a moment ago may be taken by now
)

// Start starts a server with an append-only file that is written before each
// answer, so that nothing it confirmed is lost when it is killed. More options
// are given as on the command line: "--requirepass", "x".
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	return start(t, slices.Concat([]string{
		"--databases", strconv.Itoa(databases), "--save", "", "--maxmemory-policy", "noeviction",
		"--appendonly", "yes", "--appendfsync", "always",
	}, engineUser(), options)...)
}

// start starts a redis-server with these options alone.
func start(t testing.TB, options ...string) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), options: options}
	for range portTries {
		s.port = loopback.Port(t)
		if err := s.launch(); err == nil {
			t.Cleanup(s.Kill)
			return s
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log")) // best effort: it explains the failure
	t.Fatalf("redis-server did not start; its log:\n%s", log)
	return nil
}

// Addr is the server's host and port.
func (s *Server) Addr() string { return loopback.Address(s.port) }

// What the engine's user is called, on every real server. It may do what the
// documentation asks for, and no more.
const (
	user     = "engine"
	password = "let-the-engine-in"
)

// URL is the address as configurations have it, with the engine's user.
func (s *Server) URL() string { return "redis://" + user + ":" + password + "@" + s.Addr() + "/0" }

// Dir is the folder of what the server keeps.
func (s *Server) Dir() string { return s.dir }

// Password is that of the engine's user.
func (s *Server) Password() string { return password }

// Backend is the server as something that a suite runs on.
func (s *Server) Backend() *Backend {
	return &Backend{Name: "redis", addrs: []string{s.Addr()}, restricted: true}
}

// Kill ends the process at once, as a crash does. It is safe to call twice.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the process as an operator does. It is safe to call twice.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(signal syscall.Signal) {
	if s.process == nil {
		return
	}
	_ = s.process.Signal(signal) // it fails only if the process is gone
	<-s.ended
	s.process = nil
}

// Restart starts the server again after Stop or Kill, at the same address and with the
// same data.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.launch(); err != nil {
		s.t.Fatalf("restarting redis-server: %v", err)
	}
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatalf("these tests need redis-server in the PATH (make test installs it, or: apt-get install redis-server): %v", err)
	}
	cmd := exec.Command(path, append(slices.Clone(s.options),
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", "log")...)
	cmd.SysProcAttr = dieWithParent()
	s.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		// Where the process dies with its parent, the parent is this thread.
		runtime.LockOSThread()
		defer close(s.ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how a killed process ended is of no interest
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", path, err)
	}
	s.process = cmd.Process
	return s.await()
}

// engineUser are the options that make the engine's user.
func engineUser() []string {
	return append([]string{"--user", user, "on", ">" + password}, redisaccess.Rules()...)
}

// await waits until the server answers, or its process ended.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(s.t.Context(), startTimeout)
	defer cancel()
	o := &redis.Options{Addr: s.Addr(), MaxRetries: -1}
	if slices.Contains(s.options, "--user") {
		o.Username, o.Password = user, password
	}
	c := redis.NewClient(o)
	defer func() { _ = c.Close() }()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		if s.listens() && s.mine(ctx, c) {
			return nil
		}
		select {
		case <-s.ended:
			s.process = nil
			return fmt.Errorf("redis-server on port %d ended", s.port)
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("redis-server on port %d does not answer: %w", s.port, ctx.Err())
		case <-poll.C:
		}
	}
}

// listens tells whether anybody takes connections at the address. The client
// would log each time that nobody does.
func (s *Server) listens() bool {
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// mine tells whether the server that answers is this process, and not another
// one that took the port first.
func (s *Server) mine(ctx context.Context, c *redis.Client) bool {
	info, err := c.InfoMap(ctx, "server").Result()
	return err == nil && info["Server"]["process_id"] == strconv.Itoa(s.process.Pid)
}
