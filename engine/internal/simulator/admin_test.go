package simulator

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// admin asks what is for checkers.
func (f *fixture) admin(method, path, body string) reply {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+"/simulator/"+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	return f.send(r)
}

func TestClock(t *testing.T) {
	t.Parallel()
	f := start(t, Config{})
	tests := []struct{ body, want string }{
		{`{"advance":"24h"}`, `{"now":"2026-11-11T09:00:00Z","stopped":false}`},
		{`{"now":"2026-12-01T00:00:00+01:00"}`, `{"now":"2026-11-30T23:00:00Z","stopped":false}`},
		{`{"stopped":true,"advance":"-1h"}`, `{"now":"2026-11-30T22:00:00Z","stopped":true}`},
		{`{"stopped":false}`, `{"now":"2026-11-30T22:00:00Z","stopped":false}`},
	}
	for _, test := range tests {
		if got := f.admin("POST", "clock", test.body); got.status != 200 || strings.TrimSpace(got.body) != test.want {
			t.Errorf("%s: %+v", test.body, got)
		}
	}
	for _, bad := range []string{`{"advance":1}`, `{"odd":1}`, `x`} {
		if got := f.admin("POST", "clock", bad); got.status != 400 {
			t.Errorf("%s: %+v", bad, got)
		}
	}
	if want := time.Date(2026, 11, 30, 22, 0, 0, 0, time.UTC); !f.sim.Now().Equal(want) {
		t.Errorf("the clock shows %s", f.sim.Now())
	}
}

// TestClockRuns sees that a clock that was set runs on, and a stopped one does
// not.
func TestClockRuns(t *testing.T) {
	t.Parallel()
	real := testNow
	c := &clock{source: func() time.Time { return real }}
	c.set(testNow.Add(time.Hour))
	real = real.Add(time.Minute)
	if got := c.now().Sub(testNow); got != time.Hour+time.Minute {
		t.Errorf("set an hour on, a minute later: %s", got)
	}
	c.stop(true)
	real = real.Add(time.Minute)
	if got := c.now().Sub(testNow); got != time.Hour+time.Minute {
		t.Errorf("stopped: %s", got)
	}
	c.stop(false)
	real = real.Add(time.Minute)
	if got := c.now().Sub(testNow); got != time.Hour+2*time.Minute {
		t.Errorf("running on: %s", got)
	}
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	f := start(t, Config{Log: &file})
	token := f.login(anna)
	october := hourly(home, "2", "2026/10", "2026/10")
	f.get(token, "get-consumption-data-v2", october)
	f.get(token, "get-consumption-data", october)
	got := f.admin("GET", "requests", "")
	if got.body != file.String() {
		t.Errorf("served\n%s\nwritten\n%s", got.body, file.String())
	}
	var refused Request
	if err := json.Unmarshal([]byte(f.admin("GET", "requests?outcome=refused", "").body), &refused); err != nil {
		t.Fatal(err)
	}
	want := Request{
		Time: testNow, Real: refused.Real, Endpoint: "consumption", Version: 1, Username: anna, CUPS: home,
		Query: anna + "|" + home + "|2|2026/10|2026/10|0|5|", From: "2026/10", To: "2026/10",
		Status: 429, Outcome: "refused", Nth: 2,
	}
	if client, _, err := net.SplitHostPort(refused.Client); err != nil || client != "127.0.0.1" {
		t.Errorf("the client is %q", refused.Client)
	}
	if refused.Client = ""; refused != want {
		t.Errorf("got  %+v\nwant %+v", refused, want)
	}
	summary := f.admin("GET", "summary", "").body
	if want := `{"total":3,"refused":1,"endpoints":{"consumption":{"ok":1,"refused":1},"login":{"ok":1}}}`; strings.TrimSpace(summary) != want {
		t.Errorf("summary %s", summary)
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	f := start(t, Config{})
	token := f.login(anna)
	const rules = `[{"match":{"endpoint":"supplies"},"fault":{"kind":"502"},"times":5}]`
	if got := f.admin("POST", "faults", rules); got.status != 200 || !strings.Contains(got.body, `"struck":0`) {
		t.Errorf("set: %+v", got)
	}
	if got := f.get(token, "get-supplies", nil); got.status != 502 {
		t.Errorf("struck: %+v", got)
	}
	if got := f.admin("GET", "faults", ""); !strings.Contains(got.body, `"struck":1`) {
		t.Errorf("shown: %+v", got)
	}
	if got := f.admin("POST", "faults", `[{"odd":1}]`); got.status != 400 {
		t.Errorf("wrong rules: %+v", got)
	}
	if got := f.admin("DELETE", "faults", ""); strings.TrimSpace(got.body) != "[]" {
		t.Errorf("cleared: %+v", got)
	}
	if got := f.get(token, "get-supplies", nil); got.status != 200 {
		t.Errorf("then: %+v", got)
	}
}

func TestTablesOverHTTP(t *testing.T) {
	t.Parallel()
	f := start(t, Config{World: youngWorld()})
	for name, want := range map[string]string{
		"users": "username,password,", "entitlements": "username,nif,cups\n", "truth": "cups,property,resolution,start,end,value,",
	} {
		if got := f.admin("GET", name, ""); got.status != 200 || got.kind != "text/csv;charset=UTF-8" || !strings.HasPrefix(got.body, want) {
			t.Errorf("%s: %d %s %.80s", name, got.status, got.kind, got.body)
		}
	}
}

// TestLoopbackOnly asks from elsewhere.
func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	sim, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]int{"127.0.0.1:9": 200, "[::1]:9": 200, "192.0.2.7:9": 403, "": 403} {
		r := httptest.NewRequest("GET", "/simulator/clock", nil)
		r.RemoteAddr = addr
		w := httptest.NewRecorder()
		sim.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("from %q: %d", addr, w.Code)
		}
	}
	if err := sim.Close(); err != nil {
		t.Error(err)
	}
}
