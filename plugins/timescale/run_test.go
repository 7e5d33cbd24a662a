package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datadis-engine/datadis/plugins/internal/mariadbtest"
	"github.com/datadis-engine/datadis/plugins/internal/servertest"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/password"
)

// stage is a folder with the engine and its plugins, built, and a Datadis that
// runs.
type stage struct {
	*testing.T
	dir   string
	users [][]string // username, password, authorised NIFs, self, cups
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t, dir: t.TempDir()}
	for target, source := range map[string]string{
		"engine": "../../engine", "plugins/datadis-plugin-sql": "../sql", "plugins/datadis-plugin-timescale": ".",
	} {
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", s.path("bin/"+target), source)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", target, err, out)
		}
	}
	simulator := exec.Command(s.path("bin/engine"), "simulate", "--seed", "2026", "--accounts", "3", "--supplies", "2",
		"--dir", s.path("simulator"), "--listen", "127.0.0.1:0", "--url-file", s.path("url"), "--api-latency", "none", "--now", now.Format(time.RFC3339),
		"--truth", s.path("truth.csv"), "--users-out", s.path("users.csv"))
	log := &bytes.Buffer{}
	simulator.Stdout, simulator.Stderr = log, log
	if err := simulator.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = simulator.Process.Kill() // it fails only if the process is gone
		_ = simulator.Wait()
	})
	s.await("url", log)
	s.users = s.csv("users.csv")
	return s
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// await waits until a file is there and not empty.
func (s *stage) await(name string, log *bytes.Buffer) {
	s.Helper()
	deadline := time.After(time.Minute)
	for {
		if info, err := os.Stat(s.path(name)); err == nil && info.Size() > 0 {
			return
		}
		select {
		case <-deadline:
			s.Fatalf("no %s:\n%s", name, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// csv reads a file without its header.
func (s *stage) csv(name string) [][]string {
	s.Helper()
	f, err := os.Open(s.path(name))
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read from
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		s.Fatalf("%s has %d rows: %v", name, len(rows), err)
	}
	return rows[1:]
}

// write writes a configuration.
func (s *stage) write(name string, config map[string]any) {
	s.Helper()
	text, err := json.Marshal(config)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.path(name)), 0o755)
	}
	if err == nil {
		err = os.WriteFile(s.path(name), text, 0o600)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// published is what the engine says of a source.
type published struct {
	Supplies int64 `json:"supplies"`
	Readings int64 `json:"readings"`
}

// run runs the engine to its end, and returns what it published for each source
// and all that it wrote.
func (s *stage) run() (map[string]published, string) {
	s.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(s.Context(), s.path("bin/engine"), "run", "--config", s.path("config.json"), "--output", "json",
		"--now", now.Format(time.RFC3339), "--from", (sdk.MonthOf(now) - monthsBack).String())
	cmd.Stdout, cmd.Stderr, cmd.Dir = &stdout, &stderr, s.dir
	if err := cmd.Run(); err != nil {
		s.Fatalf("engine run: %v\n%s", err, stderr.String())
	}
	var summary struct {
		Outcome string `json:"outcome"`
		Sources []struct {
			Source string `json:"source"`
			published
		} `json:"sources"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &summary); err != nil {
		s.Fatalf("%v\n%s", err, stdout.String())
	}
	if summary.Outcome != "complete" {
		s.Errorf("the run is %s\n%s", summary.Outcome, stderr.String())
	}
	all := map[string]published{}
	for _, source := range summary.Sources {
		all[source.Source] = source.published
	}
	return all, stdout.String() + stderr.String()
}

// encrypted puts a user's password into the projects' own form.
func (s *stage) encrypted(plain string) string {
	s.Helper()
	text, err := password.Encrypt("the projects' secret", plain)
	if err != nil {
		s.Fatal(err)
	}
	return text
}

// fillPostgres makes a table of users with arrays, and encrypted passwords.
func (s *stage) fillPostgres(w *world, users [][]string) {
	s.Helper()
	w.exec("CREATE TABLE datadis_users (username text, password text, nifs text[], self boolean)")
	for _, u := range users {
		nifs := strings.FieldsFunc(u[2], func(r rune) bool { return r == ';' })
		_, err := w.db.Exec(s.Context(), "INSERT INTO datadis_users VALUES ($1, $2, $3, nullif($4, '')::boolean)", u[0], s.encrypted(u[1]), nifs, u[3])
		if err != nil {
			s.Fatal(err)
		}
	}
	s.write("config/config_north.json", map[string]any{
		"plugin": "sql", "url": w.url, "secret_password": "the projects' secret",
		"query": "SELECT username, password, nifs AS authorized_nifs, self FROM datadis_users ORDER BY username",
	})
}

// fillMariaDB makes a table of users with lists in texts, and plain passwords.
func (s *stage) fillMariaDB(users [][]string) {
	s.Helper()
	m := mariadbtest.Shared(s)
	database := m.Database(s, "CREATE TABLE datadis_users (username VARCHAR(20), password TEXT, nifs TEXT, self TEXT)")
	for _, u := range users {
		quoted := make([]string, 4)
		for i := range quoted {
			quoted[i] = "'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(u[i]) + "'"
		}
		m.Exec(s, database, "INSERT INTO datadis_users VALUES ("+strings.Join(quoted, ", ")+")")
	}
	s.write("config/config_south.json", map[string]any{
		"plugin": "sql", "url": m.URL(database),
		"query": "SELECT username, password, nifs AS authorized_nifs, self FROM datadis_users",
	})
}

// now is the time that is simulated, and monthsBack how many months before its
// own are asked for: with a change day, and as few as show everything.
var now = time.Date(2025, time.November, 20, 10, 0, 0, 0, time.UTC)

const monthsBack = 2

// truth is what the simulator knows of these months, a line for each reading as
// the database has it, and of how many supplies.
func (s *stage) truth() (lines []string, supplies int) {
	s.Helper()
	first := sdk.MonthOf(now) - monthsBack
	seen := map[string]bool{}
	rows := s.csv("truth.csv")
	for _, r := range rows {
		seen[r[0]] = true
		start, err := time.Parse(time.RFC3339, r[3])
		if err != nil {
			s.Fatal(err)
		}
		if r[1] == "ReactiveEnergy" || sdk.MonthOf(start) < first { // is not asked for
			continue
		}
		value, err := sdk.ParseDecimal(r[5]) // 0.0 is 0
		if err != nil {
			s.Fatal(err)
		}
		lines = append(lines, strings.Join([]string{r[0], r[1], r[2], r[3], r[4], r[10], value.String()}, "|"))
	}
	slices.Sort(lines)
	return lines, len(seen)
}

// stored is what the database has for a source, in the same form.
func stored(w *world, source string) []string {
	w.Helper()
	rows, err := w.db.Query(w.Context(), `SELECT concat_ws('|', cups, property, resolution,
			to_char(start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), to_char(end_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
			CASE period WHEN 0 THEN '' ELSE period::text END, coalesce(consumption_kwh, max_power_kw)::text)
		FROM datadis.readings WHERE source = $1`, source)
	if err != nil {
		w.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// checkCounts makes sure that as much is stored as was published.
func (s *stage) checkCounts(w *world, all map[string]published) {
	s.Helper()
	for source, p := range all {
		if rows := w.one("SELECT count(*) FROM datadis.readings WHERE source = '" + source + "'"); rows != fmt.Sprint(p.Readings) || p.Readings == 0 {
			s.Errorf("%s: %d readings were published, and %s rows are there", source, p.Readings, rows)
		}
		if rows := w.one("SELECT count(*) FROM datadis.supply WHERE '" + source + "' = ANY(sources)"); rows != fmt.Sprint(p.Supplies) {
			s.Errorf("%s: %d supplies were published, and %s are there", source, p.Supplies, rows)
		}
	}
	want, supplies := s.truth()
	compare(s.T, stored(w, "north"), want)
	if got := w.one("SELECT count(DISTINCT cups) FROM datadis.supply"); got != fmt.Sprint(supplies) {
		s.Errorf("Datadis has %d supplies, and the database %s", supplies, got)
	}
}

// TestRunFromDatabasesToDatabase starts with empty databases, loads users into
// two of them, and runs the engine over the simulator. What it published is in
// the third, and running it again changes nothing.
func TestRunFromDatabasesToDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newStage(t)
	s.fillPostgres(w, s.users)
	sources := []string{"north"}
	if servertest.Find("mariadb-install-db") != "" {
		s.fillMariaDB(s.users[1:]) // overlaps with north
		sources = append(sources, "south")
	}
	s.write("config/config_timescale.json", map[string]any{"url": w.url})
	address, err := os.ReadFile(s.path("url"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("config.json", map[string]any{
		"datadis": map[string]any{"base_url": strings.TrimSpace(string(address)), "login_retry": "10ms"},
		"plugins": map[string]any{"paths": []string{"bin/plugins"}, "config_dir": "config"},
	})
	first, output := s.run()
	if got := slices.Sorted(maps.Keys(first)); !slices.Equal(got, sources) {
		t.Fatalf("the sources are %v\n%s", got, output)
	}
	s.checkCounts(w, first)
	for _, u := range s.users {
		if strings.Contains(output, u[1]) {
			t.Error("a password is in the engine's output")
		}
	}
	before := w.contents()
	second, _ := s.run()
	for source, p := range second {
		if p.Readings != 0 {
			t.Errorf("%s: the second run published %d readings", source, p.Readings)
		}
	}
	after := w.contents()
	if len(before["runs"]) != 1 || len(after["runs"]) != 2 {
		t.Errorf("runs: %q, then %q", before["runs"], after["runs"])
	}
	for _, table := range []string{"readings", "chunks"} {
		if !slices.Equal(before[table], after[table]) {
			t.Errorf("the %s changed: %d rows, then %d", table, len(before[table]), len(after[table]))
		}
	}
	if len(before["supplies"]) != len(after["supplies"]) {
		t.Errorf("%d supplies, then %d", len(before["supplies"]), len(after["supplies"]))
	}
}

// compare tells the first few lines that differ.
func compare(t *testing.T, got, want []string) {
	t.Helper()
	has := func(lines []string, line string) bool {
		_, ok := slices.BinarySearch(lines, line)
		return ok
	}
	told := 0
	for _, line := range want {
		if !has(got, line) && told < 5 {
			t.Errorf("missing: %s", line)
			told++
		}
	}
	for _, line := range got {
		if !has(want, line) && told < 10 {
			t.Errorf("not true: %s", line)
			told++
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d rows, and %d true readings", len(got), len(want))
	}
}
