package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk/conformance"
)

// actor is the plugin of all tests, built once.
var actor string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	actor = filepath.Join(dir, "actor")
	if out, err := exec.Command("go", "build", "-o", actor, "./testdata/actor").CombinedOutput(); err != nil {
		panic(string(out))
	}
	return m.Run()
}

// as is the path of the actor under the name of a mistake.
func as(t *testing.T, mistake string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "datadis-plugin-"+mistake)
	if err := os.Link(actor, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func try(t *testing.T, path string, o conformance.Options) *conformance.Report {
	t.Helper()
	if o.Timing.Measure == 0 {
		o.Timing.Measure = 10 * time.Millisecond
	}
	report, err := conformance.Run(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func codes(r *conformance.Report) []string {
	var found []string
	for _, f := range r.Findings {
		if !slices.Contains(found, f.Code) {
			found = append(found, f.Code)
		}
	}
	slices.Sort(found)
	return found
}

func TestASoundPluginPasses(t *testing.T) {
	t.Parallel()
	report := try(t, as(t, "sound"), conformance.Options{})
	for _, f := range report.Findings {
		t.Error(f.Error())
	}
	for _, c := range report.Checks {
		if c.Status != conformance.Passed && c.Name != "source.performance" {
			t.Errorf("%s is %s: %s", c.Name, c.Status, c.Reason)
		}
	}
	if c := report.Card; c == nil || c.P50 <= 0 || c.P99 < c.P50 || c.Start <= 0 || c.PerSecond <= 0 {
		t.Errorf("the performance card is %+v", c)
	}
}

// A store outside the instance's folder is emptied before an instance is set up,
// and a trial in which that fails says nothing about the plugin.
func TestTheStoreIsEmptied(t *testing.T) {
	t.Parallel()
	emptied, broken := 0, errors.New("the store is down")
	o := conformance.Options{Only: []string{"harmonizer.revision"}, EmptyStore: func(context.Context) error {
		emptied++
		return nil
	}}
	if try(t, as(t, "sound"), o); emptied != 2 { // all revisions, and the last one alone
		t.Errorf("emptied %d times, want 2", emptied)
	}
	o.EmptyStore = func(context.Context) error { return broken }
	if report, err := conformance.Run(t.Context(), as(t, "sound"), o); !errors.Is(err, broken) {
		t.Errorf("got %+v, %v", report, err)
	}
}

// Each mistake is found, by the code that the reference explains, and nothing
// else is found with it.
func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	quick := conformance.Timing{Handshake: 2 * time.Second, Call: 2 * time.Second}
	for _, test := range []struct {
		mistake string
		code    string
		timing  conformance.Timing
	}{
		{"prints-before", "handshake.stdout", conformance.Timing{}},
		{"hangs", "handshake.timeout", quick},
		{"exits", "handshake.exited", conformance.Timing{}},
		{"malformed", "handshake.malformed", conformance.Timing{}},
		{"wrong-protocol", "handshake.protocol", conformance.Timing{}},
		{"no-tls", "handshake.tls", conformance.Timing{}},
		{"describe-fails", "describe.fails", conformance.Timing{}},
		{"incomplete", "describe.incomplete", conformance.Timing{}},
		{"odd-version", "describe.version", conformance.Timing{}},
		{"unstable", "describe.unstable", conformance.Timing{}},
		{"no-schema", "describe.schema", conformance.Timing{}},
		{"undocumented", "describe.undocumented", conformance.Timing{}},
		{"other-name", "describe.name", conformance.Timing{}},
		{"by-hand-hangs", "by-hand.hangs", conformance.Timing{Handshake: 3 * time.Second}},
		{"by-hand-silent", "by-hand.silent", conformance.Timing{}},
		{"outlives-stdin", "stdin.ignored", conformance.Timing{Exit: time.Second}},
		{"ignores-sigterm", "sigterm.ignored", conformance.Timing{Exit: time.Second}},
		{"dies-of-sigint", "sigint.dies", conformance.Timing{}},
		{"accepts-missing", "config.required-accepted", conformance.Timing{}},
		{"refuses-valid", "config.refused", conformance.Timing{}},
		{"configure-fails", "configure.fails", conformance.Timing{}},
		{"no-route", "configure.route", conformance.Timing{}},
		{"list-fails", "source.fails", conformance.Timing{}},
		{"no-summary", "source.no-summary", conformance.Timing{}},
		{"wrong-count", "source.count", conformance.Timing{}},
		{"large-batch", "source.batch-size", conformance.Timing{}},
		{"incomplete-grant", "source.incomplete-grant", conformance.Timing{}},
		{"repeated-key", "source.key-repeated", conformance.Timing{}},
		{"unstable-list", "source.unstable", conformance.Timing{}},
		{"dies", "call.dies", conformance.Timing{}},
		{"panics", "call.panics", conformance.Timing{}},
		{"loops", "call.no-answer", quick},
		{"hangs-in-call", "call.no-answer", quick},
		{"too-large", "answer.too-large", conformance.Timing{}},
		{"fails", "batch.fails", conformance.Timing{}},
		{"fails-on-nothing", "batch.fails", conformance.Timing{}},
		{"rejects-power", "batch.rejects", conformance.Timing{}},
		{"retries-power", "batch.retries", conformance.Timing{}},
		{"keeps-first", "batch.revision", conformance.Timing{}},
		{"undeclared-topic", "result.topic", conformance.Timing{}},
		{"names-beyond", "result.item", conformance.Timing{}},
		{"odd-verdict", "result.verdict", conformance.Timing{}},
		{"poison-spreads", "poison.spreads", conformance.Timing{}},
		{"poison-repeats", "poison.repeats", conformance.Timing{}},
		{"small-limit", "limit.refused", conformance.Timing{}},
		{"not-atomic", "kill.differs", conformance.Timing{}},
		{"stale-lock", "kill.restart", conformance.Timing{}},
		{"end-fails", "end-run.fails", conformance.Timing{}},
		{"end-appends", "end-run.repeat-differs", conformance.Timing{}},
		{"unseen-end-fails", "end-run.unseen", conformance.Timing{}},
		{"cancels-partial", "end-run.partial-cancels", conformance.Timing{}},
		{"deletes-partial", "end-run.partial-cancels", conformance.Timing{}},
		{"drain-fails", "drain.fails", conformance.Timing{}},
		{"drain-ignored", "drain.ignored", conformance.Timing{}},
		{"drain-stays", "drain.stays", conformance.Timing{Exit: time.Second}},
		{"child-left", "process.child-left", conformance.Timing{}},
		{"prints-for-ever", "stdout.chatter", conformance.Timing{}},
		{"floods-stderr", "stderr.flood", conformance.Timing{}},
		{"malformed-log", "log.malformed", conformance.Timing{}},
		{"leaks-token", "secrets.leaked", conformance.Timing{}},
		{"leaks-problem", "secrets.leaked", conformance.Timing{}},
		{"leaks-password", "secrets.leaked", conformance.Timing{}},
		{"leaks-record", "secrets.leaked", conformance.Timing{}},
		{"grows", "memory.grows", conformance.Timing{Measure: time.Minute}},
	} {
		t.Run(test.mistake, func(t *testing.T) {
			t.Parallel()
			report := try(t, as(t, test.mistake), conformance.Options{Timing: test.timing, Only: groups(test.code)})
			if found := codes(report); !slices.Equal(found, []string{test.code}) {
				t.Errorf("found %q, want %s alone\n%v", found, test.code, report.Findings)
			}
			if report.Passed {
				t.Error("it passed")
			}
		})
	}
}

// light are the checks of harmonizers that take little time.
var light = []string{"harmonizer.months", "harmonizer.supplies", "harmonizer.again", "harmonizer.revision", "harmonizer.split",
	"harmonizer.deadline", "harmonizer.end-run", "harmonizer.end-run-unseen", "harmonizer.end-run-partial"}

// groups are the checks that have to find a code and nothing else; running all
// for each would only take longer.
func groups(code string) []string {
	switch kind, _, _ := strings.Cut(code, "."); kind {
	case "source":
		return []string{"source"}
	case "config", "configure":
		return []string{"config"}
	case "call", "answer", "batch", "result", "end-run":
		return light
	case "poison", "limit", "kill":
		return append(slices.Clone(light), "harmonizer."+kind)
	case "memory":
		return append(slices.Clone(light), "harmonizer.performance")
	case "secrets", "stdout", "stderr", "log":
		return []string{"config", "source", "harmonizer.months"}
	default:
		return []string{"process", "config"}
	}
}

// Some mistakes show in more than one way.
func TestMistakesWithConsequences(t *testing.T) {
	t.Parallel()
	for mistake, want := range map[string][]string{
		"appends":        {"batch.repeat-differs", "batch.split-differs", "batch.revision"},
		"counts-batches": {"batch.repeat-differs", "batch.split-differs", "batch.revision"},
		"leaks-error":    {"batch.fails", "secrets.leaked"},
		"prints-token":   {"secrets.leaked", "stdout.chatter"},
	} {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			report := try(t, as(t, mistake), conformance.Options{})
			for _, code := range want {
				if !report.Found(code) {
					t.Errorf("%s is not found; %q is", code, codes(report))
				}
			}
		})
	}
}

func TestEveryFindingIsExplained(t *testing.T) {
	t.Parallel()
	source, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range source {
		if file == "codes.go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(content)
	}
	for _, code := range conformance.Codes {
		if !strings.Contains(text.String(), `"`+code.Name+`"`) {
			t.Errorf("no check finds %s", code.Name)
		}
	}
	known := func(code string) bool {
		return slices.ContainsFunc(conformance.Codes, func(c conformance.Code) bool { return c.Name == code })
	}
	for _, call := range []string{`finding("`, `find("`} {
		for _, part := range strings.Split(text.String(), call)[1:] {
			if code, _, _ := strings.Cut(part, `"`); !known(code) {
				t.Errorf("%s is not explained", code)
			}
		}
	}
}

func TestReportsCanBeRead(t *testing.T) {
	t.Parallel()
	report := try(t, as(t, "odd-version"), conformance.Options{})
	var table, junit bytes.Buffer
	if err := report.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteJUnit(&junit); err != nil {
		t.Fatal(err)
	}
	for text, part := range map[string]string{
		table.String(): `describe.version: "newest"; write it as 1.2.3`,
		junit.String(): `<failure type="describe.version"`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is not in\n%s", part, text)
		}
	}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(`"code":"describe.version"`)) {
		t.Error(string(text))
	}
}

func TestWhatIsNoPluginIsNotTried(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, plain + "-none", t.TempDir()} {
		if _, err := conformance.Run(t.Context(), path, conformance.Options{}); err == nil {
			t.Errorf("%s is tried", path)
		}
	}
}
