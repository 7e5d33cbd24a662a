package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/desk"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/sdk"
)

// served is where a process serves, as its log says.
func (f *fleet) served(m *member) string {
	f.Helper()
	address := regexp.MustCompile(`"address":"(http://[^"]+)/"`)
	var found []string
	f.until("the address of "+m.name, func() bool {
		found = address.FindStringSubmatch(m.stderr.String())
		return found != nil
	})
	return found[1]
}

// get asks a process; a status of 0 is no answer.
func (f *fleet) get(url, token string) (status int, body string) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		f.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, ""
	}
	return answer.StatusCode, string(text)
}

// command runs another command to its end in this process.
func (s *stage) command(args ...string) result {
	s.Helper()
	var stdout, stderr bytes.Buffer
	code := newApp(&stdout, &stderr, s.environ).execute(s.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

// asJSON runs a command whose result is JSON.
func asJSON[T any](s *stage, args ...string) T {
	s.Helper()
	var value T
	got := s.command(append(args, "--output", "json")...)
	if got.code != codeDone {
		s.Fatalf("%v: exit code %d: %s", args, got.code, got.stderr)
	}
	if err := json.Unmarshal([]byte(got.stdout), &value); err != nil {
		s.Fatalf("%v: %v in %s", args, err, got.stdout)
	}
	return value
}

// local is a stage whose engine is a process of its own, in local mode, whose
// first call for data hangs until the simulator lets go.
func local(t *testing.T, seed uint64) *fleet {
	t.Helper()
	var rules []simulator.Rule
	text := `[{"match": {"endpoint": "data", "nth": 1}, "times": 1, "fault": {"kind": "stall"}}]`
	if err := json.Unmarshal([]byte(text), &rules); err != nil {
		t.Fatal(err)
	}
	f := &fleet{stage: newStage(t, simulator.Config{Seed: seed, Accounts: 1, Supplies: 3, Faults: rules})}
	f.write("users.csv", f.stage.users())
	f.environ = append(f.environ, "DATADIS_HTTP_LISTEN=127.0.0.1:0", "DATADIS_LOG_FORMAT=json", "CONF_FILE="+f.path("c.json"))
	f.write("c.json", "{}")
	return f
}

// A running engine can be seen from everywhere, goes on while it drains, and
// what it kept can be seen when it is gone.
func TestLocalModeIsSeen(t *testing.T) {
	t.Parallel()
	f := local(t, 31)
	if got := f.command("status"); got.code != codeFailed || !strings.Contains(got.stderr, "nothing was run here yet") {
		t.Errorf("status of nothing: %d %s", got.code, got.stderr)
	}
	engine := f.start("run", "--users", f.path("users.csv"), "--out", f.path("out"))
	url := f.served(engine)
	f.until("the process is ready", func() bool { status, _ := f.get(url+"/readyz", ""); return status == http.StatusOK })
	var s view.Status
	f.until("all supplies but the one that hangs are done", func() bool {
		s = asJSON[view.Status](f.stage, "status")
		return len(s.Runs) == 1 && s.Runs[0].Supplies.Done > 0 && s.Runs[0].Supplies.Done == s.Runs[0].Supplies.Total-1
	})
	if r := s.Runs[0]; r.Over() || r.Accounts.Done != r.Accounts.Total || r.Readings == 0 || r.Pace.Seconds == 0 || len(s.Queues) != 2 || s.Queues[1].Leased != 1 {
		t.Errorf("status %+v", s)
	}
	f.checkServed(url)
	f.checkCoverage()
	if got := f.command("run", "--users", f.path("users.csv"), "--out", f.path("other")); got.code != codeFailed || !strings.Contains(got.stderr, "in use by another process") {
		t.Errorf("a second engine on the folder: %d %s", got.code, got.stderr)
	}

	if err := engine.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	f.until("it drains", func() bool {
		status, body := f.get(url+"/readyz", "")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
	if status, _ := f.get(url+"/livez", ""); status != http.StatusOK {
		t.Errorf("livez answers %d while draining", status)
	}
	f.simulator.LetGo()
	engine.end(codeInterrupted)
	if _, err := os.Stat(f.path("data/engine.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
	if s := asJSON[view.Status](f.stage, "status"); len(s.Runs) != 1 || s.Runs[0].State != view.Interrupted || len(s.Queues) != 0 {
		t.Errorf("status from the file: %+v", s)
	}
	f.checkCoverage()
}

// checkServed looks at what is served of a run with work done.
func (f *fleet) checkServed(url string) {
	f.Helper()
	for path, parts := range map[string][]string{
		"/":                   {"under way", "Supplies", `<span class="tag good">up</span>`},
		"/coverage":           {"ES00", "complete"},
		"/accounts":           {"own supplies", "done"},
		"/dead":               {"There are none"},
		"/api/v1/plugins":     {`"instance": "users"`, `"instance": "parquet"`},
		"/metrics":            {`datadis_check_ok{check="plugin users"} 1`, `datadis_queue_items{policy="last",queue="devices",state="leased"} 1`, `datadis_ready 1`},
		"/api/v1/health":      {`"redis devices"`},
		"/readyz?format=json": {`"ready": true`},
	} {
		text := ""
		f.until(path+" says what it should", func() bool {
			_, text = f.get(url+path, "")
			for _, part := range parts {
				if !strings.Contains(text, part) {
					return false
				}
			}
			return true
		})
		for _, e := range f.simulator.Entitlements() {
			if strings.Contains(text, string(sdk.CUPS(e.CUPS).Key())) || strings.Contains(text, e.Username) {
				f.Errorf("%s shows a CUPS or a user", path)
			}
		}
	}
	for _, counted := range []string{
		`datadis_http_requests_total{class="ok",endpoint="consumption"}`, `datadis_http_requests_total{class="ok",endpoint="login"}`,
		`datadis_chunks_total{result="published",series="EnergyConsumptionGridElectricity_PT1H"}`,
		`datadis_kafka_messages_total{result="confirmed"}`, `datadis_ledger_write_seconds_count`, `datadis_limiter_wait_seconds_count`,
		`datadis_run_eta_seconds{policy="last"}`,
	} {
		_, text := f.get(url+"/metrics", "")
		if !regexp.MustCompile(regexp.QuoteMeta(counted) + ` [1-9]`).MatchString(text) {
			f.Errorf("%s was not counted", counted)
		}
	}
}

// checkCoverage compares the formats of the coverage.
func (f *fleet) checkCoverage() {
	f.Helper()
	report := asJSON[coverage.Report](f.stage, "coverage")
	if report.Supplies < 2 || !strings.Contains(report.Rows[0].CUPS, "****") {
		f.Fatalf("coverage %+v", report)
	}
	clear := asJSON[coverage.Report](f.stage, "coverage", "--clear")
	one := clear.Rows[0].CUPS
	if sdk.CUPS(one).Masked() != report.Rows[0].CUPS {
		f.Errorf("clear %s, masked %s", one, report.Rows[0].CUPS)
	}
	for format, want := range map[string]string{"table": "# complete", "html": "<!doctype html>", "csv": "cups,series,month"} {
		got := f.command("coverage", "--cups", one+"0F", "--format", format)
		if got.code != codeDone || !strings.Contains(got.stdout, want) || strings.Contains(got.stdout, one) {
			f.Errorf("%s: %d %s%s", format, got.code, got.stdout, got.stderr)
		}
	}
	if got := f.command("coverage", "--cups", "ES0099999999999999XX"); got.code != codeFailed || !strings.Contains(got.stderr, "the ledger knows no") {
		f.Errorf("an unknown CUPS: %d %s", got.code, got.stderr)
	}
}

// A dead letter of a run that is over is handed to the next one, which asks for
// what no run would ask for any more.
func TestDeadLetterIsTriedAgainByTheNextRun(t *testing.T) {
	t.Parallel()
	s := newStage(t, simulator.Config{Seed: 32, Accounts: 1, Supplies: 1})
	s.write("users.csv", s.users())
	cups := sdk.CUPS(s.simulator.Entitlements()[0].CUPS)
	month := sdk.MonthOf(time.Now()) - 5
	change := func(do func(*store.Bolt) error) {
		t.Helper()
		file, err := store.OpenBolt(filepath.Join(s.path("data"), storeName))
		if err == nil {
			err = do(file)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	key := ledger.Key{Series: sdk.EnergyHourly, Month: month}
	change(func(file *store.Bolt) error { // refused until no tries were left
		book, err := ledger.New(file, ledger.Config{}).Open(t.Context(), cups)
		for range ledger.DefaultTries {
			if err == nil {
				err = book.Fail(t.Context(), ledger.Query{CUPS: cups, Series: key.Series, From: month, To: month}.Key(), ledger.Unauthorised, key)
			}
		}
		return err
	})
	state := func() ledger.State {
		t.Helper()
		for _, row := range asJSON[coverage.Report](s, "coverage", "--cups", string(cups), "--from", month.String(), "--to", month.String()).Rows {
			if row.Series == key.Series.String() {
				return row.Cells[0].State
			}
		}
		return ledger.None
	}
	s.run("--users", s.path("users.csv"))
	if got := state(); got != ledger.Refused {
		t.Fatalf("after a run the month is %s", got)
	}
	change(func(file *store.Bolt) error {
		letter := view.Letter{Run: "r0", Queue: view.Devices, ID: string(cups.Key()), Sources: []string{"users"}, Class: "unauthorised", Reason: "refused"}
		return desk.Letters{Store: file}.Save(t.Context(), letter.Run, letter)
	})
	s.checkDead(cups)
	s.run("--users", s.path("users.csv"))
	if got := state(); got != ledger.Complete {
		t.Errorf("after the next run the month is %s", got)
	}
	if left := asJSON[[]view.Letter](s, "dead", "list"); len(left) != 0 {
		t.Errorf("letters left: %+v", left)
	}
	s.answered()
}

// checkDead lists, shows, exports and retries the only letter.
func (s *stage) checkDead(cups sdk.CUPS) {
	s.Helper()
	letters := asJSON[[]view.Letter](s, "dead", "list", "--class", "unauthorised", "--cups", string(cups))
	if len(letters) != 1 || letters[0].ID != cups.Key().Masked() {
		s.Fatalf("letters %+v", letters)
	}
	name := letters[0].Letter
	for _, args := range [][]string{{"show", name}, {"export"}} {
		if got := s.command(append([]string{"dead"}, args...)...); got.code != codeDone || !strings.Contains(got.stdout, name) || strings.Contains(got.stdout, string(cups.Key())) {
			s.Errorf("%v: %d %s%s", args, got.code, got.stdout, got.stderr)
		}
	}
	if got := s.command("dead", "export", "--clear"); !strings.Contains(got.stdout, string(cups.Key())) || strings.Count(got.stdout, "\n") != 1 {
		s.Errorf("export in clear: %s", got.stdout)
	}
	for _, wrong := range [][]string{{"retry"}, {"drop"}, {"show"}, {"retry", "--all", "--class", "x"}, {"list", "--queue", "kafka"}} {
		if got := s.command(append([]string{"dead"}, wrong...)...); got.code != codeUsage {
			s.Errorf("dead %v: exit code %d, want wrong usage", wrong, got.code)
		}
	}
	if got := s.command("dead", "retry", "00000000"); got.code != codeFailed || !strings.Contains(got.stderr, "no dead letter") {
		s.Errorf("retry of nothing: %d %s", got.code, got.stderr)
	}
	got := s.command("dead", "retry", strings.ToUpper(name))
	if got.code != codeDone || !strings.Contains(got.stdout, "handed over") || !strings.Contains(got.stdout, "next producer") {
		s.Errorf("retry: %d %s%s", got.code, got.stdout, got.stderr)
	}
	if letters = asJSON[[]view.Letter](s, "dead", "list"); len(letters) != 1 || letters[0].HandedOver.IsZero() {
		s.Errorf("handed over: %+v", letters)
	}
}

// Addresses: a busy default is a warning, a busy one that was asked for an
// error.
func TestBusyAddresses(t *testing.T) {
	t.Parallel()
	f := local(t, 33)
	engine := f.start("run", "--users", f.path("users.csv"), "--out", f.path("out"))
	url := f.served(engine)
	other := &stage{T: t, dir: t.TempDir(), environ: append(f.environ, "DATADIS_DATA_DIR="+filepath.Join(t.TempDir(), "data"),
		"DATADIS_HTTP_LISTEN="+strings.TrimPrefix(url, "http://"))}
	if got := other.command("run", "--users", f.path("users.csv"), "--out", other.path("out")); got.code != codeFailed || !strings.Contains(got.stderr, "http.listen: listen on") {
		t.Errorf("a busy address that was asked for: %d %s", got.code, got.stderr)
	}
	engine.kill()
}

// On real servers, readiness follows them, and the token is needed.
func TestConsumerIsSeen(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-the-test"
	bootstrap := fmt.Sprint(kafkatest.Real(t)["bootstrap.servers"])
	users := redistest.Start(t)
	f := newFleetOn(t, simulator.Config{Seed: 34, Accounts: 2, Supplies: 1}, users.URL(), redistest.Start(t).URL(), bootstrap)
	f.environ = append(f.environ, "DATADIS_HTTP_LISTEN=127.0.0.1:0", "DATADIS_HTTP_TOKEN="+token, "DATADIS_HTTP_OPEN=metrics")
	consumer := f.start("consumer")
	url := f.served(consumer)
	f.start("producer").finish()
	f.until("the run is over", func() bool {
		s := asJSON[view.Status](f.stage, "status")
		return len(s.Runs) == 1 && s.Runs[0].Over()
	})
	for path, want := range map[string][2]int{"/livez": {200, 200}, "/readyz": {200, 200}, "/metrics": {200, 200}, "/": {401, 200}, "/api/v1/accounts": {401, 200}} {
		if got, _ := f.get(url+path, ""); got != want[0] {
			t.Errorf("%s answers %d", path, got)
		}
		if got, _ := f.get(url+path, token); got != want[1] {
			t.Errorf("%s answers %d with the token", path, got)
		}
	}
	f.until("the metrics know of the run", func() bool {
		_, text := f.get(url+"/metrics", "")
		return strings.Contains(text, `datadis_run_last_success_timestamp_seconds{policy="last"}`)
	})
	users.Kill()
	f.until("the loss of Redis shows", func() bool {
		status, body := f.get(url+"/readyz", "")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "redis users: Redis does not answer") && !strings.Contains(body, "redis devices")
	})
	users.Restart()
	f.until("it is well again", func() bool { status, _ := f.get(url+"/readyz", ""); return status == http.StatusOK })
	consumer.terminate()
	if strings.Contains(consumer.stderr.String()+consumer.stdout.String(), token) {
		t.Error("the token is in the log")
	}
}
