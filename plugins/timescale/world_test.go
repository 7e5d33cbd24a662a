package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/plugins/internal/mariadbtest"
	"github.com/datadis-engine/datadis/plugins/internal/postgrestest"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// asPlugin has the test's own binary be the plugin.
const asPlugin = "TIMESCALE_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		return
	}
	code := postgrestest.Run(m)
	mariadbtest.Stop()
	os.Exit(code)
}

// world is a database of a real PostgreSQL, and a harmonizer that writes into it.
type world struct {
	testing.TB
	url    string
	config Config
	h      *harmonizer
	db     *pgx.Conn
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	return worldAt(t, postgrestest.Shared(t).Database(t), change...)
}

func worldAt(t testing.TB, url string, change ...func(*Config)) *world {
	t.Helper()
	w := &world{TB: t, url: url, config: Config{Address: database.Address{URL: sdk.NewSecret(url)}}}
	for _, f := range change {
		f(&w.config)
	}
	w.db = postgrestest.Connect(t, url)
	w.h = w.another()
	return w
}

// another is a harmonizer as another process has it.
func (w *world) another() *harmonizer {
	w.Helper()
	h, err := newHarmonizer(sdk.Instance{Name: "timescale"}, w.config)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = h.Close() })
	return h
}

// write hands chunks over and expects these reasons for those not written.
func (w *world) write(chunks []sdk.Chunk, reasons ...string) {
	w.Helper()
	result, err := w.h.HarmonizeTimeSeries(w.Context(), sdk.Batch[sdk.Chunk]{Run: "run", ID: "batch", Items: chunks})
	if err != nil {
		w.Fatal(err)
	}
	w.expect(result, reasons)
}

func (w *world) writeSupplies(supplies []sdk.Supply, reasons ...string) {
	w.Helper()
	result, err := w.h.HarmonizeSupplies(w.Context(), sdk.Batch[sdk.Supply]{Run: "run", ID: "batch", Items: supplies})
	if err != nil {
		w.Fatal(err)
	}
	w.expect(result, reasons)
}

func (w *world) expect(result sdk.Result, reasons []string) {
	w.Helper()
	var got []string
	for _, item := range result.Items {
		got = append(got, fmt.Sprint(item.Item, " ", item.Reason))
	}
	if !slices.Equal(got, reasons) {
		w.Errorf("not written: %q, want %q", got, reasons)
	}
}

// exec runs a statement on the database.
func (w *world) exec(statement string) {
	w.Helper()
	if _, err := w.db.Exec(w.Context(), statement); err != nil {
		w.Fatalf("%s: %v", statement, err)
	}
}

// rows is the result of a query, each row as one line.
func (w *world) rows(query string) []string {
	w.Helper()
	rows, err := w.db.Query(w.Context(), "SELECT row(q.*)::text FROM ("+query+") q", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		w.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.Fatalf("%s: %v", query, err)
	}
	return lines
}

// one is the only value of a query.
func (w *world) one(query string) string {
	w.Helper()
	lines := w.rows(query)
	if len(lines) != 1 {
		w.Fatalf("%s: %d rows", query, len(lines))
	}
	return strings.Trim(lines[0], `()"`)
}

// tables are what a harmonizer leaves, without the numbers and times that differ
// from one database to another.
var tables = map[string]string{
	"readings": `SELECT * FROM datadis.readings ORDER BY source, cups, property, resolution, start_time, period`,
	"chunks": `SELECT s.source, s.cups, s.property, s.resolution, c.month, c.revision, c.hash, c.readings, c.run, c.fetched_at
		FROM datadis.chunk c JOIN datadis.series s ON s.id = c.series_id ORDER BY 1, 2, 3, 4, 5`,
	"supplies": `SELECT * FROM datadis.supply ORDER BY cups, username, authorized_nif`,
	"runs":     `SELECT * FROM datadis.run ORDER BY id`,
}

// contents is everything that is in the database.
func (w *world) contents() map[string][]string {
	w.Helper()
	all := map[string][]string{}
	if w.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'datadis'") == "0" {
		return all
	}
	w.exec("SET TIME ZONE 'UTC'")
	for name, query := range tables {
		if lines := w.rows(query); len(lines) > 0 {
			all[name] = lines
		}
	}
	return all
}

// golden compares lines with a golden file.
func (w *world) golden(name string, lines []string) {
	w.Helper()
	path, got := filepath.Join("testdata", name), strings.Join(lines, "\n")+"\n"
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			w.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	if got != string(want) {
		w.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

// kindOf is what the engine is told to do about an error.
func kindOf(err error) sdk.ErrorKind {
	var told *sdk.Error
	if errors.As(err, &told) {
		return told.Kind
	}
	return ""
}

func TestTheSuiteOfAllHarmonizers(t *testing.T) {
	t.Parallel()
	sdktest.Harmonizer(t, func(t *testing.T) sdktest.Fresh {
		w := newWorld(t)
		return sdktest.Fresh{Harmonizer: w.h, Snapshot: func(t *testing.T) any {
			w.TB = t
			return w.contents()
		}}
	})
}
