package main

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// TestTablesAreMadeOnce by several processes that start at the same time.
func TestTablesAreMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all sync.WaitGroup
	for range 4 {
		h := w.another()
		all.Go(func() {
			if err := h.BeginRun(t.Context(), sdk.Run{ID: "run", Policy: "last"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := w.rows("SELECT version FROM datadis.version"); !slices.Equal(got, []string{"(1)"}) {
		t.Errorf("versions: %v", got)
	}
}

// TestNewerTables are left alone by an older plugin.
func TestNewerTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write([]sdk.Chunk{small(t, 1, "1")})
	w.exec("INSERT INTO datadis.version VALUES (1000)")
	_, err := w.another().HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Items: []sdk.Chunk{small(t, 2, "2")}})
	if kindOf(err) != sdk.Precondition || !strings.Contains(err.Error(), "version 1000") {
		t.Errorf("kind %q: %v", kindOf(err), err)
	}
	if got := w.values(); !slices.Equal(got, []string{"(1)"}) {
		t.Errorf("got %q", got)
	}
}

// TestDroppedTables are made again.
func TestDroppedTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write([]sdk.Chunk{small(t, 1, "1")})
	w.exec("DROP SCHEMA datadis CASCADE")
	if _, err := w.h.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Items: []sdk.Chunk{small(t, 1, "1")}}); kindOf(err) != sdk.Unavailable {
		t.Errorf("kind %q: %v", kindOf(err), err)
	}
	w.write([]sdk.Chunk{small(t, 1, "1")})
	if got := w.values(); !slices.Equal(got, []string{"(1)"}) {
		t.Errorf("got %q", got)
	}
}

// TestPermissions tells what the database's user may not do; a user who owns the
// schema, and nothing else, can do all.
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Trim(u.Path, "/")
	w.exec("CREATE ROLE writer_" + name + " LOGIN PASSWORD 'canary'")
	u.User = url.UserPassword("writer_"+name, "canary")
	w.config.URL = sdk.NewSecret(u.String())
	batch := sdk.Batch[sdk.Chunk]{Items: []sdk.Chunk{small(t, 1, "1")}}
	h := w.another()
	if _, err := h.HarmonizeTimeSeries(t.Context(), batch); kindOf(err) != sdk.Precondition || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("kind %q: %v", kindOf(err), err)
	}
	w.exec("CREATE SCHEMA datadis AUTHORIZATION writer_" + name)
	if _, err := h.HarmonizeTimeSeries(t.Context(), batch); err != nil {
		t.Error(err)
	}
}

// TestOtherSchema keeps instances apart in one database.
func TestOtherSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Schema = "project_a" })
	w.write([]sdk.Chunk{small(t, 1, "1")})
	if got := w.one("SELECT count(*) FROM project_a.readings"); got != "1" {
		t.Errorf("got %s", got)
	}
	if got := w.one("SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('project_a', 'pg_catalog', 'information_schema') AND schemaname NOT LIKE 'pg_temp%'"); got != "0" {
		t.Errorf("%s tables are elsewhere", got)
	}
}

// TestHypertable runs where the server has TimescaleDB.
func TestHypertable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Hypertable = hypertableOn })
	if w.one("SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'") == "0" {
		t.Skip("skipped: this PostgreSQL has no TimescaleDB, which no Debian package brings")
	}
	w.exec("CREATE EXTENSION timescaledb")
	w.write([]sdk.Chunk{small(t, 1, "1", "2", "3")})
	w.write([]sdk.Chunk{small(t, 2, "1", "5")})
	if got := w.one("SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_schema = 'datadis' AND hypertable_name = 'reading'"); got != "1" {
		t.Error("the readings are no hypertable")
	}
	if got := w.values(); !slices.Equal(got, []string{"(1)", "(5)"}) {
		t.Errorf("got %q", got)
	}
}

// TestNoTimescaleDB is told where a hypertable is required.
func TestNoTimescaleDB(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Hypertable = hypertableOn })
	problems := check(t.Context(), sdk.Instance{Name: "timescale"}, w.config)
	if len(problems) != 1 || problems[0].Path != "/hypertable" {
		t.Errorf("the check found %v", problems)
	}
	if err := w.h.BeginRun(t.Context(), sdk.Run{ID: "run"}); kindOf(err) != sdk.Precondition {
		t.Errorf("kind %q: %v", kindOf(err), err)
	}
	if got := w.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'datadis'"); got != "0" {
		t.Error("half of the tables were made")
	}
}

// TestCheck finds all problems at once, and says nothing of a good
// configuration.
func TestCheck(t *testing.T) {
	t.Parallel()
	in := sdk.Instance{Name: "timescale"}
	paths := func(c Config) (found []string) {
		for _, p := range check(t.Context(), in, c) {
			found = append(found, p.Path)
			if strings.Contains(p.Message, "canary") {
				t.Errorf("a password shows: %s", p.Message)
			}
		}
		return found
	}
	c := Config{Schema: "pg_x", Hypertable: "maybe", Sources: []string{"north", "No"}}
	c.URL = sdk.NewSecret("mysql://u:canary@host/db")
	if got := paths(c); !slices.Equal(got, []string{"/schema", "/hypertable", "/sources/1", "/url"}) {
		t.Errorf("got %q", got)
	}
	w := newWorld(t)
	if got := paths(w.config); len(got) > 0 {
		t.Errorf("a good configuration: %q", got)
	}
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("datadis", "canary")
	if got := paths(Config{Address: database.Address{URL: sdk.NewSecret(u.String())}}); !slices.Equal(got, []string{"/url"}) {
		t.Errorf("a wrong password: %q", got)
	}
	if len(w.contents()) > 0 {
		t.Error("the check made something")
	}
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
	if manifest.Name != "timescale" || !slices.Equal(manifest.Kinds, []plugin.Kind{plugin.HarmonizerKind}) {
		t.Errorf("got %s", output)
	}
	options, err := plugin.Options(manifest.ConfigSchema)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range options {
		if !strings.ContainsAny(o.Key, "[.") { // not what lies within
			keys = append(keys, o.Key)
		}
	}
	want := []string{"url", "password", "ca_file", "schema", "hypertable", "sources"}
	if !slices.Equal(keys, want) {
		t.Errorf("got the keys %q, want %q", keys, want)
	}
	text, err := os.ReadFile("config_timescale.example.json")
	if err != nil {
		t.Fatal(err)
	}
	var example map[string]any
	if err := json.Unmarshal(text, &example); err != nil {
		t.Fatal(err)
	}
	for key := range example {
		if !slices.Contains(want, key) {
			t.Errorf("the example has the unknown key %q", key)
		}
	}
}
