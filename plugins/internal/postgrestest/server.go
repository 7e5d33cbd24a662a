// Package postgrestest gives tests a real PostgreSQL: one server for all tests
// of a package, in which each has a database of its own, or one that a test may
// stop and start. Tests are skipped where it is not installed.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datadis-engine/datadis/plugins/internal/servertest"
)

// The administrator of a server.
const (
	User     = "datadis"
	Password = "s3cr:t/pg"
)

// folders are where packages put what is not in the PATH.
var folders = []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"}

// Server is a PostgreSQL of which the tests are the only users.
type Server struct {
	dir       string
	owner     servertest.Owner
	program   string
	port      int
	options   []string
	process   *servertest.Process
	databases atomic.Int32
}

// shared is the server of all tests of a package, started by the first.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Run runs the tests of a package, and stops the shared server after them.
func Run(m *testing.M) int {
	defer func() {
		if shared.server != nil {
			shared.server.Remove()
		}
	}()
	return m.Run()
}

// Shared is the server that the tests of a package have in common; their
// TestMain must call [Run].
func Shared(t testing.TB) *Server {
	t.Helper()
	needed(t)
	shared.once.Do(func() { shared.server, shared.err = start() })
	if shared.err != nil {
		t.Fatalf("starting PostgreSQL: %v", shared.err)
	}
	return shared.server
}

// Start starts a server for one test. More options are given as on the command
// line: "-c", "fsync=on".
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	needed(t)
	s, err := start(options...)
	if err != nil {
		t.Fatalf("starting PostgreSQL: %v", err)
	}
	t.Cleanup(s.Remove)
	return s
}

func needed(t testing.TB) {
	t.Helper()
	if servertest.Find("initdb", folders...) == "" || servertest.Find("postgres", folders...) == "" {
		servertest.Missing(t, "postgres", "apt-get install postgresql, dnf install postgresql-server, brew install postgresql")
	}
}

// start makes a cluster, with TLS, and starts a server on it.
func start(options ...string) (*Server, error) {
	dir, owner, err := servertest.Folder("postgres")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, owner: owner, program: servertest.Find("postgres", folders...), options: options}
	if err := s.initialize(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	const tries = 5 // a port that was free a moment ago may be taken by now
	for range tries {
		if s.port, err = servertest.FreePort(); err != nil {
			break
		}
		if err = s.launch(); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

func (s *Server) initialize() error {
	certificate, key, err := servertest.Certificate()
	if err != nil {
		return err
	}
	for path, text := range map[string][]byte{s.file("password"): []byte(Password), s.file("server.crt"): certificate, s.file("server.key"): key} {
		if err := errors.Join(os.WriteFile(path, text, 0o600), s.owner.Own(path)); err != nil {
			return err
		}
	}
	return s.owner.Run(s.dir, servertest.Find("initdb", folders...),
		"-D", s.file("data"), "-U", User, "-A", "scram-sha-256", "--pwfile", s.file("password"), "-E", "UTF8", "--locale", "C", "-N")
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	p, err := s.owner.Start(s.dir, s.program, append([]string{
		"-D", s.file("data"), "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200",
		"-c", "ssl=on", "-c", "ssl_cert_file=" + s.file("server.crt"), "-c", "ssl_key_file=" + s.file("server.key"),
	}, s.options...)...)
	if err != nil {
		return err
	}
	s.process = p
	return p.Await(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// CAFile is the file that a client checks the server with.
func (s *Server) CAFile() string { return s.file("server.crt") }

// Port is where the server listens on loopback.
func (s *Server) Port() int { return s.port }

// URL is the address of a database of the server, for its administrator.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(User, Password), Host: "127.0.0.1:" + strconv.Itoa(s.port),
		Path: "/" + database,
	}
	return u.String()
}

// Stop ends the server as an administrator does, cutting its connections.
func (s *Server) Stop() { s.process.Stop(syscall.SIGINT) }

// Kill ends the server as a crash does.
func (s *Server) Kill() { s.process.Stop(syscall.SIGQUIT) }

// Restart starts the server again, with the same data at the same address.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.launch(); err != nil {
		t.Fatalf("restarting PostgreSQL: %v", err)
	}
}

// Remove stops the server and removes its data.
func (s *Server) Remove() {
	s.process.Stop(syscall.SIGINT)
	_ = os.RemoveAll(s.dir) // a temporary folder; what is left goes with the machine
}

// Database makes an empty database, and returns its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	s.Exec(t, s.URL("postgres"), "CREATE DATABASE "+name)
	return s.URL(name)
}

// Exec runs statements on a database.
func (s *Server) Exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	conn := Connect(t, url)
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Connect connects to a database until the test ends.
func Connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the test is over
	return conn
}
