package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/plugins/internal/mariadbtest"
	"github.com/datadis-engine/datadis/plugins/internal/postgrestest"
	"github.com/datadis-engine/datadis/plugins/internal/route"
	"github.com/datadis-engine/datadis/plugins/internal/servertest"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// insert runs one more statement on a world.
func insert(t testing.TB, w world, statement string) {
	t.Helper()
	if w.name == "postgres" {
		postgrestest.Shared(t).Exec(t, w.url, statement)
		return
	}
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	mariadbtest.Shared(t).Exec(t, strings.Trim(u.Path, "/"), statement)
}

func TestTheSuiteOfAllSources(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t, "CREATE TABLE u (username varchar(20), password varchar(20), nifs text)",
			"INSERT INTO u VALUES ('B00000000', 'pw1', '12345678Z;87654321X'), ('B11111111', 'pw2', NULL)")
		sdktest.Source(t, func(t *testing.T) sdk.Source {
			return mustSource(t, w.config("SELECT username, password, nifs AS authorized_nifs FROM u ORDER BY 1"), slog.DiscardHandler)
		})
	})
}

// TestQueryProblems tells before the run what is wrong with a query, and a
// listing stops for the same reason.
func TestQueryProblems(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t, "CREATE TABLE u (username varchar(20), password varchar(20), n int, price decimal(5,2), at timestamp)")
		var lines []string
		for _, query := range []string{
			"SELECT username FROM u",
			"SELECT username, password AS pasword FROM u",
			"SELECT username, password, n AS cups, price AS self, at AS authorized_nifs FROM u",
			"SELECT n AS username, password FROM u",
			"SELECT username, password, password FROM u",
			"SELECT username, password FROM nowhere",
			"SELECT username, passwort AS password FROM u",
			"SELEC username, password FROM u",
			"SELECT username, password FROM u WHERE n = $1",
		} {
			problems := check(t.Context(), sdk.Instance{Name: "north"}, w.config(query))
			lines = append(lines, "> "+query)
			for _, p := range problems {
				lines = append(lines, strings.ReplaceAll(p.Path+" "+p.Message, url.PathEscape(w.url), "…"))
			}
			if l := list(t, w.config(query)); len(problems) == 0 || kindOf(l.err) != sdk.Precondition {
				t.Errorf("%s: %d problems, and the listing says %v", query, len(problems), l.err)
			}
		}
		for i := range lines { // the name of the database is another in each run
			if at := strings.Index(lines[i], "test_"); at >= 0 {
				lines[i] = lines[i][:at] + "test" + strings.TrimLeft(lines[i][at+len("test_"):], "0123456789")
			}
		}
		golden(t, "query_"+w.name+".txt", lines)
	})
}

// TestConfigProblems needs no server.
func TestConfigProblems(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty.pem"), []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := sdk.NewSecret
	var lines []string
	for _, a := range []database.Address{
		{},
		{URL: secret("canary")},
		{URL: secret("postgres://u:canary/pw@host/db")},
		{URL: secret("postgres://u:can%ary@host/db")},
		{URL: secret("oracle://u:canary@host/db")},
		{URL: secret("postgres://u:canary@host")},
		{URL: secret("postgres://host/db")},
		{URL: secret("postgres://u:canary@host/db"), Password: secret("canary")},
		{URL: secret("postgres://u:canary@host/db?sslmode=canary")},
		{URL: secret("postgres://u:canary@host/db?sslrootcert=/etc/passwd")},
		{URL: secret("postgres://u:canary@host/db?sslmode=disable"), CAFile: "missing.pem"},
		{URL: secret("postgres://u:canary@host/db"), CAFile: "empty.pem"},
		{URL: secret("mysql://u:canary@host/db?allowAllFiles=true")},
		{URL: secret("mysql://u:canary@host/db?tls=canary")},
		{URL: secret("mysql://u:canary@host/db"), CAFile: "empty.pem"},
	} {
		problems := check(t.Context(), sdk.Instance{Name: "north", Dir: dir}, Config{Address: a, Query: "SELECT 1"})
		if len(problems) == 0 {
			t.Errorf("%s is accepted", a.URL.Reveal())
		}
		for _, p := range problems {
			lines = append(lines, p.Path+" "+strings.ReplaceAll(p.Message, dir, "…"))
		}
	}
	if text := strings.Join(lines, "\n"); strings.Contains(text, "canary") {
		t.Errorf("a password shows:\n%s", text)
	}
	golden(t, "config.txt", lines)
	problems := check(t.Context(), sdk.Instance{Name: "north"}, Config{Timeout: -1, Config: route.Config{Topic: "no topic"}})
	if len(problems) != 4 {
		t.Errorf("want all problems at once, got %v", problems)
	}
}

// TestUnreachable has the engine try later where the server is down, and stop
// where it refuses. No text holds the password.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	port, err := servertest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	try := func(t *testing.T, address string, want sdk.ErrorKind) {
		t.Helper()
		c := Config{Address: database.Address{URL: sdk.NewSecret(address)}, Query: "SELECT 'a' AS username, 'b' AS password"}
		l := list(t, c)
		if kindOf(l.err) != want || strings.Contains(l.err.Error(), "canary") {
			t.Errorf("%s: kind %q: %v", address, kindOf(l.err), l.err)
		}
		problems := check(t.Context(), sdk.Instance{Name: "north"}, c)
		if down := want == sdk.Unavailable; down != (len(problems) == 0) {
			t.Errorf("%s: the check says %v", address, problems)
		}
		if strings.Contains(fmt.Sprint(problems), "canary") {
			t.Errorf("the check shows the password: %v", problems)
		}
		if err := mustSource(t, c, slog.DiscardHandler).CheckHealth(t.Context()); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: its health is %v", address, err)
		}
	}
	for _, scheme := range []string{"postgres", "mysql"} {
		try(t, fmt.Sprintf("%s://u:canary@127.0.0.1:%d/db", scheme, port), sdk.Unavailable)
		try(t, scheme+"://u:canary@nowhere.invalid/db", sdk.Unavailable)
	}
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		good := open(t).url
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		wrong := *u
		wrong.User = url.UserPassword(u.User.Username(), "canary")
		try(t, wrong.String(), sdk.Precondition)
		wrong = *u
		wrong.Path = "/nowhere"
		try(t, wrong.String(), sdk.Precondition)
	})
}

// TestTLS trusts the configured certificate, and no other.
func TestTLS(t *testing.T) {
	t.Parallel()
	stranger, _, err := servertest.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "other.pem"), stranger, 0o600); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, open func(testing.TB, ...string) world) {
		w := open(t)
		c := w.config(map[string]string{
			"postgres": "SELECT version AS username, cipher AS password FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",
			"mariadb":  "SELECT VARIABLE_VALUE AS username, VARIABLE_VALUE AS password FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_version'",
		}[w.name])
		c.CAFile = w.caFile
		if l := list(t, c); l.err != nil || len(l.grants) != 1 || !strings.HasPrefix(l.grants[0].Username, "TLS") {
			t.Errorf("its own certificate: %q, %v", l.texts(), l.err)
		}
		c.CAFile = filepath.Join(dir, "other.pem")
		if l := list(t, c); kindOf(l.err) != sdk.Precondition || !strings.Contains(l.err.Error(), "not trusted") {
			t.Errorf("another certificate: kind %q: %v", kindOf(l.err), l.err)
		}
	})
}

// TestDescribe starts the plugin by hand: it tells its name, role and keys.
func TestDescribe(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "describe")
	cmd.Env = append(os.Environ(), asPlugin+"=1")
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Name         string          `json:"name"`
		Kinds        []plugin.Kind   `json:"kinds"`
		ConfigSchema json.RawMessage `json:"config_schema"`
	}
	if err := json.Unmarshal(output, &manifest); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if manifest.Name != "sql" || !slices.Equal(manifest.Kinds, []plugin.Kind{plugin.SourceKind}) {
		t.Errorf("got %s", output)
	}
	options, err := plugin.Options(manifest.ConfigSchema)
	if err != nil {
		t.Fatal(err)
	}
	var keys, secrets []string
	for _, o := range options {
		if !strings.ContainsAny(o.Key, "[.") { // not what lies within
			keys = append(keys, o.Key)
		}
		if o.Secret {
			secrets = append(secrets, o.Key)
		}
	}
	if want := []string{"url", "password", "ca_file", "query", "secret_password", "timeout", "topic", "tables", "row_keys", "extra"}; !slices.Equal(keys, want) {
		t.Errorf("got the keys %q, want %q", keys, want)
	}
	if want := []string{"url", "password", "secret_password"}; !slices.Equal(secrets, want) {
		t.Errorf("got the secrets %q, want %q", secrets, want)
	}
}

// TestExampleConfig has nothing wrong with the configuration that is shipped.
func TestExampleConfig(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("config_north.example.json")
	if err != nil {
		t.Fatal(err)
	}
	var example map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&example); err != nil {
		t.Fatal(err)
	}
	for key := range example {
		if !slices.Contains([]string{"plugin", "url", "password", "ca_file", "query", "secret_password", "timeout", "topic", "tables", "row_keys", "extra"}, key) {
			t.Errorf("the example has the unknown key %q", key)
		}
	}
}
