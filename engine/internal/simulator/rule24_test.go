package simulator

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// steps are calls one after another, with the status that each must have.
type step struct {
	call    string
	params  url.Values
	advance time.Duration // before the call
	status  int
}

func (f *fixture) walk(steps []step) {
	f.t.Helper()
	token := f.login(anna)
	for i, s := range steps {
		if s.advance != 0 {
			f.sim.SetNow(f.sim.Now().Add(s.advance))
			token = f.login(anna)
		}
		got := f.get(token, s.call, s.params)
		if got.status != s.status {
			f.t.Errorf("step %d, %s: %d %s, want %d", i, s.call, got.status, got.body, s.status)
		}
		if got.status == 429 && (got.body != "Consulta ya realizada en las últimas 24 horas. " || got.kind != "application/json;charset=UTF-8") {
			f.t.Errorf("step %d: refused with %+v", i, got)
		}
	}
}

func TestRepeatedQueries(t *testing.T) {
	t.Parallel()
	october := hourly(home, "2", "2026/10", "2026/10")
	quarters := hourly(home, "2", "2026/10", "2026/10", "measurementType", "1")
	power := window(home, "2", "2026/10", "2026/10")
	invalid := hourly(home, "2", "2026/10", "2026/09")
	const curve, curve2, peaks, contract = "get-consumption-data", "get-consumption-data-v2", "get-max-power-v2", "get-contract-detail"
	tests := []struct {
		name   string
		config Config
		steps  []step
	}{
		{"a query, and the same again", Config{}, []step{{curve, october, 0, 200}, {curve, october, 0, 429}, {curve, october, 0, 429}}},
		{"versions share", Config{}, []step{{curve, october, 0, 200}, {curve2, october, 0, 429}}},
		{"versions apart", Config{Repeat: RepeatMode{SeparateVersions: true}}, []step{{curve, october, 0, 200}, {curve2, october, 0, 200}}},
		{"hours and quarters are two, empty answers count", Config{}, []step{{curve, october, 0, 200}, {curve, quarters, 0, 200}, {curve, quarters, 0, 429}}},
		{"a wider window is another", Config{}, []step{{curve, october, 0, 200}, {curve, hourly(home, "2", "2026/09", "2026/10"), 0, 200}}},
		{"reactive energy after power", Config{}, []step{{peaks, power, 0, 200}, {"get-reactive-data-v2", power, 0, 429}}},
		{"parameters that power does not have", Config{}, []step{{peaks, power, 0, 200}, {peaks, october, 0, 429}}},
		{"power and consumption", Config{}, []step{{peaks, power, 0, 200}, {curve, october, 0, 200}}},
		{"24 hours", Config{}, []step{{curve, october, 0, 200}, {curve, october, 24*time.Hour - time.Second, 429}, {curve, october, time.Second, 200}}},
		{"a refusal does not begin them anew", Config{}, []step{{curve, october, 0, 200}, {curve, october, 20 * time.Hour, 429}, {curve, october, 4 * time.Hour, 200}}},
		{"unless configured", Config{Repeat: RepeatMode{RefreshOnRefusal: true}}, []step{{curve, october, 0, 200}, {curve, october, 20 * time.Hour, 429}, {curve, october, 4 * time.Hour, 429}}},
		{"another time", Config{RepeatAfter: time.Hour}, []step{{curve, october, 0, 200}, {curve, october, time.Hour, 200}}},
		{"a clock set back", Config{}, []step{{curve, october, 0, 200}, {curve, october, -time.Hour, 429}}},
		{"errors do not count", Config{}, []step{{curve, invalid, 0, 400}, {curve, invalid, 0, 400}}},
		{"unless configured", Config{Repeat: RepeatMode{AnyAnswer: true}}, []step{{curve, invalid, 0, 400}, {curve, invalid, 0, 429}}},
		{"off", Config{RepeatAfter: -1}, []step{{curve, october, 0, 200}, {curve, october, 0, 200}}},
		{"contracts and lists", Config{}, []step{{contract, power, 0, 200}, {contract, power, 0, 200}, {"get-supplies", nil, 0, 200}, {"get-supplies", nil, 0, 200}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			start(t, test.config).walk(test.steps)
		})
	}
}

// TestRestart is a simulator that is killed: the next one on its folder still
// refuses, even if the kill left half a line.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	october := hourly(home, "2", "2026/10", "2026/10")
	start(t, Config{Dir: dir}).walk([]step{{"get-consumption-data", october, 0, 200}})

	file, err := os.OpenFile(filepath.Join(dir, askedFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"at":"2026-11-10T09:`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	september := hourly(home, "2", "2026/09", "2026/09")
	start(t, Config{Dir: dir}).walk([]step{{"get-consumption-data-v2", october, 0, 429}, {"get-consumption-data-v2", september, 0, 200}})
	start(t, Config{Dir: dir}).walk([]step{
		{"get-consumption-data", september, 0, 429}, {"get-consumption-data", october, 24 * time.Hour, 200},
	})
}

func TestRestartOnRubbish(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, askedFile), []byte("no JSON\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "asked queries") {
		t.Errorf("got %v", err)
	}
}

// TestRepeatedAtOnce sends one query many times at the same moment: one is
// answered.
func TestRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, Config{})
	token := f.login(anna)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { f.get(token, "get-consumption-data", hourly(home, "2", "2026/10", "2026/10")) })
	}
	wg.Wait()
	if got := f.sim.Summary().Endpoints[EndpointConsumption]; got[OutcomeOK] != 1 || got[OutcomeRefused] != 15 {
		t.Errorf("answers: %v", got)
	}
}

// TestAbandoned is a client that does not wait: Datadis finishes, and the
// query counts.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mode   RepeatMode
		status int
	}{{RepeatMode{}, 429}, {RepeatMode{ForgetAbandoned: true}, 200}}
	for _, test := range tests {
		f := start(t, Config{Repeat: test.mode, Faults: []Rule{{Match: Match{Nth: Range{1, 1}, Endpoint: EndpointData}, Fault: Fault{Kind: Kind{kindLatency}, Delay: Duration(time.Hour)}}}})
		token := f.login(anna)
		october := hourly(home, "2", "2026/10", "2026/10")
		f.leave(token, october)
		if got := f.get(token, "get-consumption-data", october); got.status != test.status {
			t.Errorf("%+v: then %d, want %d", test.mode, got.status, test.status)
		}
	}
}

func TestParseRepeatMode(t *testing.T) {
	t.Parallel()
	got, err := ParseRepeatMode("any,forget-abandoned,separate-versions,refresh")
	if want := (RepeatMode{true, true, true, true}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := ParseRepeatMode("some"); err == nil {
		t.Error("some is taken")
	}
}
