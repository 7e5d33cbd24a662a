package main

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/engine/internal/truthtest"
)

// pluginsDir builds the shipped plugins once.
var pluginsDir = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "datadis-plugins-")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"file", "parquet"} {
		build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "datadis-plugin-"+name), "../plugins/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", &buildError{name, string(out), err}
		}
	}
	return dir, nil
})

type buildError struct {
	plugin, output string
	err            error
}

func (e *buildError) Error() string {
	return "build plugin " + e.plugin + ": " + e.err.Error() + "\n" + e.output
}

// stage is a folder in which the engine runs, and the Datadis that it asks.
type stage struct {
	*testing.T
	dir       string
	url       string // of Datadis
	simulator *simulator.Simulator
	environ   []string
}

// newStage is a stage whose Datadis is the simulator, behind what is wrapped
// around it.
func newStage(t *testing.T, config simulator.Config, wrap ...func(http.Handler) http.Handler) *stage {
	t.Helper()
	plugins, err := pluginsDir()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, dir: t.TempDir()}
	config.Dir = filepath.Join(t.TempDir(), "simulator")
	if s.simulator, err = simulator.New(config); err != nil {
		t.Fatal(err)
	}
	handler := s.simulator.Handler()
	for _, w := range wrap {
		handler = w(handler)
	}
	server := httptest.NewServer(handler)
	s.url = server.URL
	t.Cleanup(func() {
		s.simulator.LetGo()
		server.Close()
		_ = s.simulator.Close()
	})
	s.environ = []string{
		"DATADIS_DATADIS_BASE_URL=" + server.URL, "DATADIS_DATADIS_LOGIN_RETRY=10ms", "DATADIS_PLUGINS_PATHS=" + plugins,
		"DATADIS_DATA_DIR=" + s.path("data"), "DATADIS_PLUGINS_CONFIG_DIR=" + s.path("plugins"), "DATADIS_LOG_LEVEL=debug",
	}
	return s
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) write(name, content string) {
	s.Helper()
	path := s.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.Fatal(err)
	}
}

// users are all users of the simulated world, as the file plugin reads them.
func (s *stage) users() string {
	s.Helper()
	var text bytes.Buffer
	if err := s.simulator.WriteUsers(&text); err != nil {
		s.Fatal(err)
	}
	return text.String()
}

// run runs the engine to its end, and returns its summary and all of its
// output.
func (s *stage) run(args ...string) (summary, string) {
	s.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"run", "--output", "json", "--out", s.path("out")}, args...)
	code := newApp(&stdout, &stderr, s.environ).execute(s.Context(), args)
	if code != codeDone {
		s.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	var result summary
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		s.Fatalf("the summary is no JSON: %v\n%s", err, stdout.String())
	}
	return result, stdout.String() + stderr.String()
}

// difference compares a source's files with what the simulator would serve.
func (s *stage) difference(source string) truthtest.Difference {
	s.Helper()
	var truth bytes.Buffer
	if err := s.simulator.WriteTruth(&truth); err != nil {
		s.Fatal(err)
	}
	want := truthtest.Truth(s, &truth, func(r truthtest.Reading) bool { return !strings.HasPrefix(r.Series, "Reactive") })
	return truthtest.Compare(truthtest.Output(s, filepath.Join(s.path("out"), source)), want)
}

// answered counts the guarded queries that were answered, and finds those that
// were answered twice or refused.
func (s *stage) answered() (answered int) {
	s.Helper()
	seen := make(map[string]bool)
	for _, r := range s.simulator.Requests() {
		if r.Query == "" {
			continue
		}
		switch r.Outcome {
		case "refused":
			s.Errorf("refused: %+v", r)
		case "ok", "empty":
			if seen[r.Query] {
				s.Errorf("answered twice: %s", r.Query)
			}
			seen[r.Query] = true
		}
	}
	return len(seen)
}

func TestRunDownloadsTheTruth(t *testing.T) {
	t.Parallel()
	s := newStage(t, simulator.Config{Seed: 11, Accounts: 1, Supplies: 2})
	s.write("users.csv", s.users())
	first, _ := s.run("--users", s.path("users.csv"))
	if d := s.difference("users"); !d.None() || d.Right == 0 {
		t.Errorf("after the first run: %s", d)
	}
	asked := s.answered()
	second, _ := s.run("--users", s.path("users.csv"))
	if again := s.answered(); again != asked {
		t.Errorf("the second run asked %d more", again-asked)
	}
	if first.Sources[0].Readings == 0 || second.Sources[0].Readings != 0 {
		t.Errorf("readings: first %d, second %d", first.Sources[0].Readings, second.Sources[0].Readings)
	}
	if d := s.difference("users"); !d.None() {
		t.Errorf("after the second run: %s", d)
	}
}

func TestRunUnderFaults(t *testing.T) {
	t.Parallel()
	var rules []simulator.Rule
	text := `[{"match": {"nth": 1, "probability": 0.3}, "fault": {"kind": ["500", "502", "html200", "cut"]}}]`
	if err := json.Unmarshal([]byte(text), &rules); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, simulator.Config{Seed: 12, Accounts: 1, Supplies: 1, Faults: rules})
	s.write("users.csv", s.users())
	for range 3 {
		s.run("--users", s.path("users.csv"))
	}
	if d := s.difference("users"); !d.None() || d.Right == 0 {
		t.Errorf("after three runs: %s", d)
	}
	s.answered()
}

// A Datadis that knows nothing of the second version of its calls.
func TestRunAgainstTheFirstVersion(t *testing.T) {
	t.Parallel()
	onlyV1 := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "-v2") {
				w.Header().Set("Content-Type", "text/plain")
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, "403 Forbidden\n")
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	s := newStage(t, simulator.Config{Seed: 13, Accounts: 1, Supplies: 2}, onlyV1)
	s.write("users.csv", s.users())
	s.run("--users", s.path("users.csv"))
	if d := s.difference("users"); !d.None() || d.Right == 0 {
		t.Errorf("%s", d)
	}
	s.answered()
}

// The day on which the clock goes back has 25 hours, and no distributor's way
// of naming them costs one.
func TestRunOverTheLongDay(t *testing.T) {
	t.Parallel()
	supplies := map[string]simulator.Supply{
		"A":        {CUPS: "ES0031000000000001BJ0F", Distributor: "2"},
		"B":        {CUPS: "ES0022000000000001XX", Distributor: "5"},
		"B-merged": {CUPS: "ES0021000000000001RK", Distributor: "8"},
	}
	world := &simulator.World{
		Logins:       []simulator.Login{{Username: "12345678Z", Password: "right"}},
		Distributors: []simulator.Distributor{{Code: "2", DST: "A"}, {Code: "5", DST: "B"}, {Code: "8", DST: "B-merged"}},
	}
	for _, supply := range supplies {
		supply.Holders, supply.PointType = []string{"12345678Z"}, 5
		world.Supplies = append(world.Supplies, supply)
	}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	s := newStage(t, simulator.Config{World: world, Now: func() time.Time { return now }})
	s.write("users.csv", s.users())
	s.run("--users", s.path("users.csv"), "--now", now.Format(time.RFC3339), "--from", "2026-10", "--to", "2026-10")
	for dst, want := range map[string]struct{ rows, long int }{"A": {25, 0}, "B": {25, 0}, "B-merged": {24, 1}} {
		file := s.path("out/users/EnergyConsumptionGridElectricity_PT1H/" + string(supplies[dst].CUPS) + "/2026-10.csv")
		rows, long := longDay(t, file)
		if rows != want.rows || long != want.long {
			t.Errorf("%s: %d rows, %d of them of two hours and flagged; want %+v", dst, rows, long, want)
		}
	}
}

// longDay counts the rows of 25 October 2026, and those that last two hours and
// say so.
func longDay(t *testing.T, file string) (rows, long int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	hours := 0.0
	for _, row := range all[1:] {
		start, errStart := time.Parse(time.RFC3339, row[1])
		end, errEnd := time.Parse(time.RFC3339, row[2])
		if errStart != nil || errEnd != nil {
			t.Fatal(row)
		}
		if row[1] < "2026-10-24T22:00:00Z" || row[1] >= "2026-10-25T23:00:00Z" {
			continue
		}
		rows++
		hours += end.Sub(start).Hours()
		if end.Sub(start) == 2*time.Hour && strings.Contains(row[8], "merged") {
			long++
		}
	}
	if hours != 25 {
		t.Errorf("%s covers %v hours of the day", file, hours)
	}
	return rows, long
}

func TestRunHousehold(t *testing.T) {
	t.Parallel()
	recorded := os.DirFS("internal/simulator/testdata/household")
	now := time.Date(2022, 7, 1, 12, 0, 0, 0, time.UTC)
	s := newStage(t, simulator.Config{Recorded: recorded, Now: func() time.Time { return now }})
	s.write("users.csv", "username,password\n12345678Z,any\n")
	s.run("--users", s.path("users.csv"), "--now", now.Format(time.RFC3339))
	got := truthtest.Output(t, filepath.Join(s.path("out"), "users"))
	march := 0
	for r := range got.Values {
		if r.Start >= "2022-02-28T23:00:00Z" && r.Start < "2022-03-31T22:00:00Z" {
			march++
		}
	}
	if march != 550 {
		t.Errorf("March has %d rows, want 550", march)
	}
	// The row labelled 2022/03/27 04:00: the hour after the clock went forward.
	changed := truthtest.Reading{
		CUPS: "ES0031408123456001FN0F", Series: "EnergyConsumptionGridElectricity_PT1H",
		Start: "2022-03-27T01:00:00Z", End: "2022-03-27T02:00:00Z",
	}
	if value, ok := got.Values[changed]; !ok || value != "0.154" {
		t.Errorf("at the change: %q, %t", value, ok)
	}
}

// Invariant 16: the passwords are nowhere but in the users' file, in whatever
// form.
func TestRunLeaksNoPassword(t *testing.T) {
	t.Parallel()
	canaries := []string{"canary-Aé1&%", `canary "two", x`, "canary=three+/"}
	world := &simulator.World{
		Logins: []simulator.Login{{Username: "12345678Z", Password: canaries[0]}, {Username: "00000000T", Password: canaries[1]}},
		Supplies: []simulator.Supply{{CUPS: "ES0031000000000001BJ0F", Holders: []string{"12345678Z", "00000000T"},
			Distributor: "2", PointType: 5}},
	}
	s := newStage(t, simulator.Config{World: world})
	s.write("users.csv", "username,password\n12345678Z,"+canaries[0]+"\n00000000T,\"canary \"\"two\"\", x\"\nX1234567L,"+canaries[2]+"\n")
	result, output := s.run("--users", s.path("users.csv"))
	if result.Sources[0].Rejected != 1 || result.Sources[0].Accounts != 2 {
		t.Errorf("sources: %+v", result.Sources)
	}
	s.write("planted", base64.StdEncoding.EncodeToString([]byte("x"+canaries[0])))
	found := make(map[string]bool)
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if holdsAny(string(content), canaries) {
			found[filepath.Base(path)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if holdsAny(output, canaries) {
		found["output"] = true
	}
	if len(found) != 2 || !found["users.csv"] || !found["planted"] {
		t.Errorf("passwords found in %v, want the users' file and what was planted", found)
	}
}

// holdsAny tells whether a text holds one of the secrets, plain or encoded.
func holdsAny(text string, secrets []string) bool {
	return slices.ContainsFunc(secrets, func(secret string) bool { return shows(text, forms(secret)) })
}

func shows(text string, forms []string) bool {
	return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) })
}

// forms are the ways in which a secret may show.
func forms(secret string) []string {
	plain := hex.EncodeToString([]byte(secret))
	all := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), plain, strings.ToUpper(plain)}
	for shift := range 3 { // base64 differs with the place of the text in what was encoded
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			encoded := encoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
			all = append(all, encoded[4:len(encoded)-4])
		}
	}
	quoted := secret
	for range 2 { // JSON, and JSON inside of JSON
		if text, err := json.Marshal(quoted); err == nil {
			quoted = string(text[1 : len(text)-1])
			all = append(all, quoted)
		}
	}
	all = append(all, strings.Trim(strconv.Quote(secret), `"`), strings.Trim(strconv.QuoteToASCII(secret), `"`))
	slices.Sort(all)
	return slices.Compact(all)
}
