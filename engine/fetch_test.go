package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/sdk"
)

// fetchStage is a stage with one user, whose supplies it knows.
type fetchStage struct {
	*stage
	login simulator.Login
	seen  []string // CUPS
}

func newFetchStage(t *testing.T, config simulator.Config) *fetchStage {
	t.Helper()
	f := &fetchStage{stage: newStage(t, config)}
	f.write("c.json", "{}")
	f.environ = append(f.environ, "CONF_FILE="+f.path("c.json"), "PASSWORD_OF_FETCH="+f.simulator.World().Logins[0].Password)
	f.login = f.simulator.World().Logins[0]
	for _, e := range f.simulator.Entitlements() {
		if e.Username == f.login.Username && e.NIF == "" {
			f.seen = append(f.seen, e.CUPS)
		}
	}
	if len(f.seen) < 2 {
		t.Fatalf("the user sees only %v", f.seen)
	}
	return f
}

// fetch runs the command for the user.
func (f *fetchStage) fetch(args ...string) result {
	f.Helper()
	return f.command(append([]string{"fetch", "--username", f.login.Username, "--password-env", "PASSWORD_OF_FETCH"}, args...)...)
}

// truth are the hourly readings of some supplies in a month, as CSV has them.
func (f *fetchStage) truth(month sdk.Month, cups ...string) map[string]string {
	f.Helper()
	want := make(map[string]string)
	for r := range f.simulator.Truth() {
		if slices.Contains(cups, r.CUPS) && r.Resolution == "PT1H" && sdk.MonthOf(r.Start) == month {
			want[r.CUPS+" "+r.Start.UTC().Format(time.RFC3339)] = r.Value
		}
	}
	return want
}

// values reads what was fetched as CSV.
func (f *fetchStage) values(text string) map[string]string {
	f.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		f.Fatalf("no CSV: %v in %q", err, text)
	}
	got := make(map[string]string)
	for _, row := range rows[1:] {
		got[row[0]+" "+row[2]] = row[4]
	}
	return got
}

func (f *fetchStage) same(got, want map[string]string) {
	f.Helper()
	if len(got) != len(want) || len(want) == 0 {
		f.Errorf("%d readings, want %d", len(got), len(want))
	}
	for at, value := range want {
		if number(f.T, got[at]) != number(f.T, value) {
			f.Errorf("%s: %q, want %q", at, got[at], value)
			return
		}
	}
}

// number is a decimal by its value: 0.50 is 0.5.
func number(t *testing.T, text string) string {
	t.Helper()
	d, err := sdk.ParseDecimal(text)
	if err != nil {
		return text
	}
	return d.String()
}

// What is fetched is the truth, in every format; it names nobody in the log.
func TestFetch(t *testing.T) {
	t.Parallel()
	f := newFetchStage(t, simulator.Config{Seed: 41, Accounts: 1, Supplies: 2})
	month := sdk.MonthOf(f.simulator.Now()) - 1
	got := f.fetch("--series", "PT1H", "--from", month.String(), "--to", month.String(), "--format", "csv", "--output", f.path("all.csv"))
	if got.code != codeDone || got.stdout != "" {
		t.Fatalf("fetch: %d %q %s", got.code, got.stdout, got.stderr)
	}
	text, err := os.ReadFile(f.path("all.csv"))
	if err != nil {
		t.Fatal(err)
	}
	f.same(f.values(string(text)), f.truth(month, f.seen...))
	if info, err := os.Stat(f.path("all.csv")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	for _, secret := range append(slices.Clone(f.seen), f.login.Username, f.login.Password) {
		if strings.Contains(got.stderr, secret) {
			t.Errorf("the log names %s", secret)
		}
	}
	if _, err := os.Stat(f.path("data")); !os.IsNotExist(err) {
		t.Errorf("a folder was made for a ledger: %v", err)
	}
	if !strings.Contains(got.stderr, "once in 24 hours") || !strings.Contains(got.stderr, "no ledger notes it") {
		t.Errorf("it does not warn: %s", got.stderr)
	}

	earlier := (month - 1).String()
	got = f.fetch("--series", "PT1H", "--from", earlier, "--to", earlier, "--format", "json", "--cups", f.seen[0])
	var rows []struct {
		CUPS        string
		Consumption json.Number `json:"consumption_kwh"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil || len(rows) != len(f.truth(month-1, f.seen[0])) || rows[0].CUPS != f.seen[0] {
		t.Errorf("as JSON: %d rows, %v, %s", len(rows), err, got.stderr)
	}
	got = f.fetch("--series", "power", "--from", earlier, "--to", earlier, "--cups", f.seen[1])
	if got.code != codeDone || !strings.Contains(got.stdout, "MAX POWER KW") || strings.Contains(got.stdout, "SURPLUS") {
		t.Errorf("as a table: %d %s%s", got.code, got.stdout, got.stderr)
	}
}

// Listing asks nothing that Datadis limits.
func TestFetchSupplies(t *testing.T) {
	t.Parallel()
	f := newFetchStage(t, simulator.Config{Seed: 42, Accounts: 1, Supplies: 2})
	for format, part := range map[string]string{"table": "CONTRACTED KW", "csv": "contracted_kw", "json": `"contracts": [`} {
		got := f.fetch("--supplies", "--format", format)
		if got.code != codeDone || !strings.Contains(got.stdout, part) {
			t.Errorf("%s: %d %s%s", format, got.code, got.stdout, got.stderr)
		}
		for _, cups := range f.seen {
			if !strings.Contains(got.stdout, cups) {
				t.Errorf("%s does not list %s", format, cups)
			}
		}
	}
	for _, r := range f.simulator.Requests() {
		if r.Query != "" {
			t.Errorf("a guarded query was made: %+v", r)
		}
	}
}

// A run after a fetch does not ask what Datadis would refuse, and says that it
// lacks it; a day later it has it all.
func TestFetchIsNotedForTheNextRun(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 10, 9, 0, 0, 0, time.UTC)
	f := newFetchStage(t, simulator.Config{Seed: 43, Accounts: 1, Supplies: 2, Now: func() time.Time { return day }})
	f.write("users.csv", f.users())
	run := func(at time.Time) summary {
		f.simulator.SetNow(at)
		s, _ := f.run("--users", f.path("users.csv"), "--from", "2026-10", "--now", at.Format(time.RFC3339))
		return s
	}
	f.write("empty.csv", "username,password\n")
	f.run("--users", f.path("empty.csv"), "--now", day.Format(time.RFC3339)) // makes the ledger

	ask := []string{"--series", "PT1H", "--from", "2026-10", "--to", "2026-10", "--format", "csv", "--now", day.Add(time.Minute).Format(time.RFC3339)}
	if got := f.fetch(ask...); got.code != codeDone || !strings.Contains(got.stderr, "the ledger notes it") {
		t.Fatalf("fetch: %d %s", got.code, got.stderr)
	}
	again := f.fetch(ask...)
	if again.code != codeFailed || !strings.Contains(again.stderr, "2 queries were made within the last 24h0m0s, and Datadis would refuse them; the first may be made again at 2026-11-11") {
		t.Errorf("again: %d %s", again.code, again.stderr)
	}
	if forced := f.fetch(append(ask, "--force", "--cups", f.seen[0])...); forced.code != codeFailed || !strings.Contains(forced.stderr, "Datadis refuses 1 queries: it answered the same") {
		t.Errorf("forced: %d %s", forced.code, forced.stderr)
	}

	refused := f.simulator.Summary().Refused
	if first := run(day.Add(2 * time.Minute)); first.Outcome != sdk.Partial {
		t.Errorf("the run after the fetch is %s", first.Outcome)
	}
	if now := f.simulator.Summary().Refused; now != refused {
		t.Errorf("the run was refused %d queries", now-refused)
	}
	if second := run(day.Add(25 * time.Hour)); second.Outcome != sdk.Complete {
		t.Errorf("the run of the next day is %s: %+v", second.Outcome, second.Counts)
	}
}

// What goes wrong is one clear sentence, and an older file stays.
func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	f := newFetchStage(t, simulator.Config{Seed: 44, Accounts: 1, Supplies: 2})
	f.write("kept.csv", "kept")
	f.environ = append(f.environ, "WRONG=x", "EMPTY=")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nobody":        {[]string{"--password-env", "WRONG"}, codeUsage, "--username: whose account"},
		"no password":   {[]string{"--username", "x", "--password-env", "EMPTY"}, codeUsage, "the password is empty"},
		"not set":       {[]string{"--username", "x", "--password-env", "NONE"}, codeUsage, "NONE is not set"},
		"as argument":   {[]string{"--username", "x", "--password", "y"}, codeUsage, "unknown flag: --password"},
		"format":        {[]string{"--username", "x", "--format", "xml"}, codeUsage, `"xml" is none of table, csv, json`},
		"series":        {[]string{"--username", "x", "--series", "PT5M"}, codeUsage, `"PT5M" is none of`},
		"months":        {[]string{"--username", "x", "--from", "2026-05", "--to", "2026-01"}, codeUsage, "--from 2026-05 is after --to"},
		"folder":        {[]string{"--username", "x", "--password-env", "WRONG", "--output", "/nowhere/at/all.csv"}, codeUsage, "--output: "},
		"credentials":   {[]string{"--username", f.login.Username, "--password-env", "WRONG", "--output", f.path("kept.csv")}, codeFailed, "Datadis refuses the login"},
		"unknown CUPS":  {[]string{"--username", f.login.Username, "--password-env", "PASSWORD_OF_FETCH", "--cups", "ES0031000000000001BJ0F"}, codeFailed, "does not see the supply ES0031"},
		"nothing":       {[]string{"--username", f.login.Username, "--password-env", "PASSWORD_OF_FETCH", "--from", "2020-01", "--to", "2020-02"}, codeFailed, "there is nothing to ask for from 2020-01 to 2020-02"},
		"unknown owner": {[]string{"--username", f.login.Username, "--password-env", "PASSWORD_OF_FETCH", "--authorized-nif", "00000000T"}, codeFailed, "check --authorized-nif"},
	} {
		got := f.command(append([]string{"fetch"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: %d %s, want %d %s", name, got.code, got.stderr, c.code, c.want)
		}
	}
	if text, err := os.ReadFile(f.path("kept.csv")); err != nil || string(text) != "kept" {
		t.Errorf("the older file is %q, %v", text, err)
	}
	left, err := os.ReadDir(f.dir)
	if err != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".kept") }) {
		t.Errorf("something is left of what was not fetched: %v %v", left, err)
	}
}

// Where Redis keeps the ledger, processes agree on what was asked.
func TestFetchNotesInRedis(t *testing.T) {
	t.Parallel()
	f := newFetchStage(t, simulator.Config{Seed: 45, Accounts: 1, Supplies: 2})
	url := redistest.Start(t).URL()
	f.environ = append(f.environ, "DATADIS_REDIS_DEVICES_URL="+url, "FETCH_KEY="+strings.Repeat("ab", 32))
	f.write("c.json", `{"secrets": {"keys": [{"id": 1, "key": {"env": "FETCH_KEY"}}]}}`)
	month := (sdk.MonthOf(f.simulator.Now()) - 1).String()
	ask := []string{"--series", "PT1H", "--from", month, "--to", month, "--format", "csv"}
	if got := f.fetch(ask...); got.code != codeDone || !strings.Contains(got.stderr, "the ledger notes it") {
		t.Fatalf("fetch: %d %s", got.code, got.stderr)
	}
	if got := f.fetch(ask...); got.code != codeFailed || !strings.Contains(got.stderr, "Datadis would refuse them") {
		t.Errorf("again: %d %s", got.code, got.stderr)
	}
	if got := f.fetch(append(ask, "--no-ledger", "--cups", f.seen[0])...); got.code != codeFailed || !strings.Contains(got.stderr, "Datadis refuses 1 queries: it answered the same") {
		t.Errorf("without the ledger: %d %s", got.code, got.stderr)
	}
}

// The password may come on standard input.
func TestFetchReadsThePassword(t *testing.T) {
	t.Parallel()
	f := newFetchStage(t, simulator.Config{Seed: 46, Accounts: 1, Supplies: 2})
	var stdout, stderr bytes.Buffer
	a := newApp(&stdout, &stderr, f.environ)
	a.stdin = strings.NewReader(f.login.Password + "\n")
	if code := a.execute(t.Context(), []string{"fetch", "--username", f.login.Username, "--supplies"}); code != codeDone || !strings.Contains(stdout.String(), f.seen[0]) {
		t.Errorf("%d %s%s", code, stdout.String(), stderr.String())
	}
}
