package web_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/health"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/engine/internal/web"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func site(o *office) http.Handler {
	return web.Handler(config(o, well()), web.Access{Loopback: true})
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	var board health.Board
	h := web.Handler(config(busy(), &board), web.Access{})
	board.Set("redis users", true, "")
	if got := get(t, h, "/readyz"); got.status != 200 || got.body != "ready\n" {
		t.Errorf("well: %d %s", got.status, got.body)
	}
	board.Set("kafka", false, "Kafka does not answer")
	board.Set("plugin north", false, "it fell over "+cups)
	got := get(t, h, "/readyz")
	if got.status != 503 || got.body != "not ready\n- kafka: Kafka does not answer\n- plugin north: it fell over ES0031**********01BJ\n" {
		t.Errorf("not well: %d %s", got.status, got.body)
	}
	var report health.Report
	if err := json.Unmarshal([]byte(get(t, h, "/readyz", "Accept", "application/json").body), &report); err != nil || report.Ready || len(report.Checks) != 3 {
		t.Errorf("as JSON: %+v, %v", report, err)
	}
	board.Drain()
	if got := get(t, h, "/readyz"); got.status != 503 || !strings.Contains(got.body, "draining") {
		t.Errorf("draining: %d %s", got.status, got.body)
	}
	if got := get(t, h, "/livez"); got.status != 200 {
		t.Errorf("a process that is not ready lives: %d", got.status)
	}
}

func TestNothingPersonalIsServed(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/dead", "/coverage", "/accounts", "/runs/20261123T020000-bbbbbbbb", "/api/v1/dead", "/api/v1/coverage", "/api/v1/status"} {
		got := get(t, site(busy()), path)
		if got.status != 200 {
			t.Errorf("%s answers %d: %s", path, got.status, got.body)
		}
		for _, personal := range []string{cups, nif} {
			if strings.Contains(got.body, personal) {
				t.Errorf("%s shows %s", path, personal)
			}
		}
	}
	c := config(busy(), well())
	c.Clear = true
	clear := web.Handler(c, web.Access{Loopback: true})
	for _, path := range []string{"/dead", "/coverage", "/api/v1/dead"} {
		holds(t, path+" in clear", get(t, clear, path).body, cups)
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	h := site(busy())
	var runs []view.Run
	decode(t, get(t, h, "/api/v1/runs"), &runs)
	if len(runs) != 2 || runs[0].Pace.Seconds != 7200 {
		t.Errorf("runs %+v", runs)
	}
	var letters []view.Letter
	decode(t, get(t, h, "/api/v1/dead?class=schema"), &letters)
	if len(letters) != 1 || letters[0].Queue != view.Users {
		t.Errorf("letters %+v", letters)
	}
	var empty []json.RawMessage
	for _, path := range []string{"runs", "queues", "accounts", "dead"} {
		got := get(t, site(&office{status: view.Status{Runs: []view.Run{}, Queues: []view.Queue{}}}), "/api/v1/"+path)
		decode(t, got, &empty)
		if strings.TrimSpace(got.body) != "[]" {
			t.Errorf("%s of nothing is %s", path, got.body)
		}
	}
	for path, want := range map[string]int{
		"/api/v1/nothing": 404, "/api/v1/coverage?offset=x": 400, "/api/v1/coverage?from=2026": 400, "/api/v1/coverage?offset=-1": 400,
		"/api/v1/coverage?from=0001-01&to=9999-12": 400, "/api/v1/coverage?limit=5&from=2026-01": 200, "/api/v1/plugins": 200, "/api/v1/health": 200,
	} {
		if got := get(t, h, path); got.status != want {
			t.Errorf("%s answers %d: %s", path, got.status, got.body)
		}
	}
}

func decode(t *testing.T, a answer, into any) {
	t.Helper()
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Fatalf("%d %v: %s", a.status, a.header, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatal(err)
	}
}

func TestServersThatAreDown(t *testing.T) {
	t.Parallel()
	o := busy()
	o.err = errDown
	for _, path := range []string{"/", "/dead", "/accounts", "/coverage", "/api/v1/status", "/api/v1/accounts"} {
		got := get(t, site(o), path)
		if got.status != http.StatusServiceUnavailable || strings.Contains(got.body, cups) || !strings.Contains(got.body, "connection refused") {
			t.Errorf("%s answers %d: %s", path, got.status, got.body)
		}
	}
	if got := get(t, site(o), "/livez"); got.status != 200 {
		t.Errorf("livez answers %d", got.status)
	}
}

// However many look, the servers are asked now and then.
func TestAnswersAreKeptForAMoment(t *testing.T) {
	t.Parallel()
	o := busy()
	h := site(o)
	for range 50 {
		get(t, h, "/api/v1/status")
		get(t, h, "/")
	}
	if o.asked > 5 { // more than once if the machine is slow
		t.Errorf("the desk was asked %d times", o.asked)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		office *office
		path   string
	}{
		"overview.html":       {busy(), "/"},
		"overview-empty.html": {&office{}, "/"},
		"run.html":            {busy(), "/runs/20261123T020000-bbbbbbbb"},
		"accounts.html":       {busy(), "/accounts"},
		"coverage.html":       {busy(), "/coverage?offset=40"},
		"dead.html":           {busy(), "/dead"},
		"dead-empty.html":     {&office{}, "/dead"},
	} {
		got := get(t, site(c.office), c.path)
		if got.status != 200 {
			t.Errorf("%s answers %d: %s", c.path, got.status, got.body)
		}
		golden(t, name, mainOf(t, got.body))
	}
	if got := get(t, site(busy()), "/runs/unknown"); got.status != 404 {
		t.Errorf("an unknown run answers %d", got.status)
	}
	if got := get(t, site(busy()), "/nothing"); got.status != 404 || !strings.Contains(got.body, "nothing here") {
		t.Errorf("an unknown page answers %d: %s", got.status, got.body)
	}
}

// Only what changes by itself is loaded again, and that can be stopped.
func TestRefresh(t *testing.T) {
	t.Parallel()
	const refresh = `http-equiv="refresh"`
	for path, want := range map[string]bool{"/": true, "/?refresh=off": false, "/runs/20261124T020000-aaaaaaaa": true, "/runs/20261123T020000-bbbbbbbb": false, "/dead": false} {
		if got := strings.Contains(get(t, site(busy()), path).body, refresh); got != want {
			t.Errorf("%s: refreshed %t", path, got)
		}
	}
	idle := busy()
	idle.status.Runs = idle.status.Runs[1:]
	if strings.Contains(get(t, site(idle), "/").body, refresh) {
		t.Error("refreshed though nothing is under way")
	}
}

// Pages need nothing from elsewhere, and run no script.
func TestPagesAreSelfContained(t *testing.T) {
	t.Parallel()
	elsewhere := regexp.MustCompile(`(?i)<script|https?://|\son\w+=|style="`)
	for _, path := range []string{"/", "/dead", "/coverage", "/accounts", "/style.css", "/runs/20261123T020000-bbbbbbbb"} {
		body := strings.ReplaceAll(get(t, site(busy()), path).body, "xmlns='http://www.w3.org/2000/svg'", "")
		if found := elsewhere.FindString(body); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
	}
}

var mainPart = regexp.MustCompile(`(?s)<main id="main">(.*)</main>`)

// mainOf is the page without what is the same on each, and changes by itself.
func mainOf(t *testing.T, page string) []byte {
	t.Helper()
	found := mainPart.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no main part in %s", page)
	}
	return []byte(strings.TrimSpace(found[1]) + "\n")
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what it was; see the difference with -update:\n%s", name, got)
	}
}
