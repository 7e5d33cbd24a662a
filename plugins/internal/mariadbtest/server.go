// Package mariadbtest gives tests a real MariaDB: one server for all tests of a
// package, in which each has a database of its own. Tests are skipped where it
// is not installed.
package mariadbtest

import (
	"context"
	"database/sql"
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

	"github.com/go-sql-driver/mysql"

	"github.com/datadis-engine/datadis/plugins/internal/servertest"
)

// The administrator of a server.
const (
	User     = "datadis"
	Password = "s3cr:t/my"
)

var folders = []string{"/usr/sbin", "/usr/libexec", "/opt/homebrew/opt/mariadb*/bin"}

// Server is a MariaDB of which the tests are the only users.
type Server struct {
	dir       string
	owner     servertest.Owner
	port      int
	process   *servertest.Process
	databases atomic.Int32
}

// shared is the server of all tests of a package, started by the first.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Stop stops the shared server; TestMain calls it after the tests.
func Stop() {
	if shared.server != nil {
		shared.server.remove()
	}
}

// Shared is the server that the tests of a package have in common; their
// TestMain must call [Stop].
func Shared(t testing.TB) *Server {
	t.Helper()
	if servertest.Find("mariadb-install-db") == "" || servertest.Find("mariadbd", folders...) == "" {
		servertest.Missing(t, "mariadb", "apt-get install mariadb-server, dnf install mariadb-server, brew install mariadb")
	}
	shared.once.Do(func() { shared.server, shared.err = start() })
	if shared.err != nil {
		t.Fatalf("starting MariaDB: %v", shared.err)
	}
	return shared.server
}

func start() (*Server, error) {
	dir, owner, err := servertest.Folder("mariadb")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, owner: owner}
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
	first := fmt.Sprintf("CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%s'@'%%' WITH GRANT OPTION;\n", User, Password, User)
	for path, text := range map[string][]byte{s.CAFile(): certificate, s.file("server.key"): key, s.file("first.sql"): []byte(first)} {
		if err := errors.Join(os.WriteFile(path, text, 0o600), s.owner.Own(path)); err != nil {
			return err
		}
	}
	return s.owner.Run(s.dir, servertest.Find("mariadb-install-db"),
		"--no-defaults", "--datadir="+s.file("data"), "--auth-root-authentication-method=normal", "--skip-test-db")
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	p, err := s.owner.Start(s.dir, servertest.Find("mariadbd", folders...), "--no-defaults", "--datadir="+s.file("data"),
		"--port="+strconv.Itoa(s.port), "--bind-address=127.0.0.1", "--socket="+s.file("socket"), "--pid-file="+s.file("pid"),
		"--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--character-set-server=utf8mb4",
		"--init-file="+s.file("first.sql"), "--ssl-cert="+s.CAFile(), "--ssl-key="+s.file("server.key"))
	if err != nil {
		return err
	}
	s.process = p
	return p.Await(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		db, err := s.open("mysql")
		if err != nil {
			return err
		}
		return errors.Join(db.PingContext(ctx), db.Close())
	})
}

func (s *Server) open(database string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = User, Password, "tcp", "127.0.0.1:"+strconv.Itoa(s.port), database
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// CAFile is the file that a client checks the server with.
func (s *Server) CAFile() string { return s.file("server.crt") }

// URL is the address of a database of the server, for its administrator.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "mysql", User: url.UserPassword(User, Password), Host: "127.0.0.1:" + strconv.Itoa(s.port),
		Path: "/" + database,
	}
	return u.String()
}

func (s *Server) remove() {
	s.process.Stop(syscall.SIGTERM)
	_ = os.RemoveAll(s.dir) // a temporary folder; what is left goes with the machine
}

// Database makes a database with what the statements put into it, and returns
// its name.
func (s *Server) Database(t testing.TB, statements ...string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	s.Exec(t, "mysql", "CREATE DATABASE "+name)
	s.Exec(t, name, statements...)
	return name
}

// Exec runs statements on a database.
func (s *Server) Exec(t testing.TB, database string, statements ...string) {
	t.Helper()
	db, err := s.open(database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // nothing is pending
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
