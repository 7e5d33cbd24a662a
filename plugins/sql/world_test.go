package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/plugins/internal/mariadbtest"
	"github.com/datadis-engine/datadis/plugins/internal/postgrestest"
	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// asPlugin has the test's own binary be the plugin.
const asPlugin = "SQL_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		return
	}
	code := postgrestest.Run(m)
	mariadbtest.Stop()
	os.Exit(code)
}

// world is a database that a source reads from.
type world struct {
	name   string // postgres or mariadb
	url    string
	caFile string
}

// postgresWorld is an empty database of a real PostgreSQL, with what the
// statements put into it.
func postgresWorld(t testing.TB, statements ...string) world {
	t.Helper()
	s := postgrestest.Shared(t)
	url := s.Database(t)
	s.Exec(t, url, statements...)
	return world{"postgres", url, s.CAFile()}
}

func mariadbWorld(t testing.TB, statements ...string) world {
	t.Helper()
	s := mariadbtest.Shared(t)
	return world{"mariadb", s.URL(s.Database(t, statements...)), s.CAFile()}
}

// each runs a test on both servers.
func each(t *testing.T, test func(t *testing.T, open func(testing.TB, ...string) world)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB, ...string) world{"postgres": postgresWorld, "mariadb": mariadbWorld} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

// config is one that reads from the world.
func (w world) config(query string) Config {
	return Config{Address: database.Address{URL: sdk.NewSecret(w.url)}, Query: query}
}

// outcome is what a source makes of a query: its grants, its error, its log.
type outcome struct {
	grants []sdk.Grant
	err    error
	log    string
}

func list(t testing.TB, c Config) outcome {
	t.Helper()
	var l outcome
	var log bytes.Buffer
	s := mustSource(t, c, slog.NewTextHandler(&log, nil))
	l.err = s.ListGrants(t.Context(), func(g sdk.Grant) error {
		l.grants = append(l.grants, g)
		return nil
	})
	l.log = log.String()
	return l
}

func mustSource(t testing.TB, c Config, handler slog.Handler) *source {
	t.Helper()
	s, wrong := newSource(sdk.Instance{Name: "north"}, c, func(context.Context) *slog.Logger { return slog.New(handler) })
	if wrong != nil {
		t.Fatal(errorOf(*wrong))
	}
	return s
}

// texts shows the grants with their passwords, one on each line.
func (l outcome) texts() []string {
	var all []string
	for _, g := range l.grants {
		all = append(all, fmt.Sprintf("%s|%s|%s|%v|%v|%v", g.Key, g.Username, g.Password.Reveal(), g.AuthorizedNIFs, g.OwnSupplies, g.CUPS))
	}
	return all
}

// kindOf is what the engine is told to do about an error.
func kindOf(err error) sdk.ErrorKind {
	var told *sdk.Error
	if errors.As(err, &told) {
		return told.Kind
	}
	return ""
}

// golden compares lines with a golden file.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	path, got := filepath.Join("testdata", name), strings.Join(lines, "\n")+"\n"
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
