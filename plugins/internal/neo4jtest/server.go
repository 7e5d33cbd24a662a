// Package neo4jtest gives tests a real Neo4j: the Community server, a Java
// process on loopback, one for all tests of a package. Tests share its only
// database: name labels and nodes after the test. Where it cannot be started,
// tests are skipped.
package neo4jtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"github.com/datadis-engine/datadis/plugins/internal/servertest"
)

// Who may log in to a server.
const (
	User     = "neo4j"
	Password = "s3cr:t/neo4j"
)

// jarsVariable names the variable with the folder that scripts/neo4j-jars.sh
// prints. Where it is set, tests fail rather than leave Neo4j out.
const jarsVariable = "DATADIS_TEST_NEO4J_JARS"

// Server is a Neo4j of which the tests are the only users.
type Server struct {
	dir     string
	owner   servertest.Owner
	jars    string
	port    int
	process *servertest.Process
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
	jars := needed(t)
	shared.once.Do(func() { shared.server, shared.err = Start(jars) })
	if shared.err != nil {
		t.Fatalf("starting Neo4j: %v", shared.err)
	}
	return shared.server
}

// needed skips a test where Neo4j's jars, or Java, are missing.
func needed(t testing.TB) string {
	t.Helper()
	jars, wanted := os.LookupEnv(jarsVariable)
	if !wanted {
		jars = filepath.Join(moduleRoot(t), ".cache", "neo4j")
	}
	_, err := os.Stat(filepath.Join(jars, "pom.xml")) // the script copies this file last
	if err == nil && servertest.Find("java") != "" {
		return jars
	}
	if wanted {
		t.Fatalf("no real Neo4j: its jars are not in %s, or there is no Java", jars)
	}
	t.Skip("skipped: no real Neo4j (scripts/neo4j-jars.sh gets what is missing)")
	return ""
}

// moduleRoot is the folder of go.mod, above the folder that a test runs in.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
	}
}

// Start starts a server from a folder of jars.
func Start(jars string) (*Server, error) {
	dir, owner, err := servertest.Folder("neo4j")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, owner: owner, jars: jars}
	if err := s.certificate(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	const tries = 3 // a port that was free a moment ago may be taken by now
	for range tries {
		if s.port, err = servertest.FreePort(); err != nil {
			break
		}
		if err = s.configure(); err != nil {
			break
		}
		if err = s.launch(); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

func (s *Server) certificate() error {
	certificate, key, err := servertest.Certificate()
	if err != nil {
		return err
	}
	folder := s.file("certificates")
	if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(s.CAFile(), certificate, 0o644)); err != nil {
		return err
	}
	path := filepath.Join(folder, "private.key")
	return errors.Join(os.WriteFile(path, key, 0o600), s.owner.Own(path))
}

// configuration of a server that is small, alone and keeps no accounts of its
// use.
const configuration = `server.bolt.listen_address=127.0.0.1:%[1]d
server.bolt.advertised_address=127.0.0.1:%[1]d
server.bolt.tls_level=OPTIONAL
dbms.ssl.policy.bolt.enabled=true
dbms.ssl.policy.bolt.base_directory=%[2]s
dbms.ssl.policy.bolt.client_auth=NONE
server.http.enabled=false
server.https.enabled=false
dbms.usage_report.enabled=false
dbms.security.auth_max_failed_attempts=0
server.memory.pagecache.size=32m
db.tx_log.preallocate=false
`

func (s *Server) configure() error {
	text := fmt.Sprintf(configuration, s.port, s.file("certificates"))
	return os.WriteFile(s.file("neo4j.conf"), []byte(text), 0o644)
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	// The options keep a machine with few cores free for the tests.
	p, err := s.owner.Start(s.dir, servertest.Find("java"), "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/java.io=ALL-UNNAMED",
		"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "-cp", filepath.Join(s.jars, "*"),
		"org.neo4j.server.CommunityEntryPoint", "--home-dir="+s.dir, "--config-dir="+s.dir)
	if err != nil {
		return err
	}
	s.process = p
	return p.Await(s.admit)
}

// admit changes the password that a new server begins with, which it asks for
// before anything else; or logs in, if that was done.
func (s *Server) admit() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.try(ctx, Password, "RETURN 1", "neo4j")
	if err == nil || !strings.Contains(err.Error(), "Unauthorized") {
		return err
	}
	err = s.try(ctx, "neo4j", "ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO '"+Password+"'", "system")
	if err == nil {
		err = s.try(ctx, Password, "RETURN 1", "neo4j")
	}
	return err
}

func (s *Server) try(ctx context.Context, password, query, database string) error {
	driver, err := neo4j.NewDriverWithContext(s.URI("bolt"), neo4j.BasicAuth(User, password, ""))
	if err != nil {
		return err
	}
	defer driver.Close(ctx)
	session := driver.NewSession(ctx, neo4j.SessionConfig{DatabaseName: database})
	defer session.Close(ctx)
	result, err := session.Run(ctx, query, nil) // without the retries of a transaction function
	if err == nil {
		_, err = result.Consume(ctx)
	}
	return err
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// CAFile is the file that a client checks the server with.
func (s *Server) CAFile() string { return filepath.Join(s.file("certificates"), "public.crt") }

// URI is the server's address with a scheme.
func (s *Server) URI(scheme string) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, s.port) }

// Kill ends the server as a crash does.
func (s *Server) Kill() { s.process.Stop(syscall.SIGKILL) }

// Remove stops the server and removes its data.
func (s *Server) Remove() {
	s.process.Stop(syscall.SIGKILL) // it takes seconds to end by itself, and its data goes anyhow
	_ = os.RemoveAll(s.dir)         // a temporary folder; what is left goes with the machine
}

// Driver connects to the server until the test ends.
func (s *Server) Driver(t testing.TB) neo4j.DriverWithContext {
	t.Helper()
	driver, err := neo4j.NewDriverWithContext(s.URI("bolt"), neo4j.BasicAuth(User, Password, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = driver.Close(context.Background()) }) // the test is over
	return driver
}

// Query runs a statement and returns its rows.
func (s *Server) Query(t testing.TB, query string, params map[string]any) []map[string]any {
	t.Helper()
	result, err := neo4j.ExecuteQuery(t.Context(), s.Driver(t), query, params, neo4j.EagerResultTransformer,
		neo4j.ExecuteQueryWithDatabase("neo4j"))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	rows := make([]map[string]any, len(result.Records))
	for i, r := range result.Records {
		rows[i] = r.AsMap()
	}
	return rows
}
