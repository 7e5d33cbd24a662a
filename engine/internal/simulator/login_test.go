package simulator

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestLogin sends credentials in all the ways that Datadis takes them.
func TestLogin(t *testing.T) {
	t.Parallel()
	const bad = `{"timestamp":"2026-11-10T09:00:00.000+0000","status":500,"error":"Internal Server Error","message":"Bad credentials","path":"/nikola-auth/tokens/login"}`
	right := url.Values{"username": {anna}, "password": {"first&%2"}}
	tests := []struct {
		name        string
		query, form url.Values
		good        bool
	}{
		{"form", nil, right, true},
		{"query string", right, nil, true},
		{"with the portal's origin", nil, url.Values{"username": {anna}, "password": {"first&%2"}, "origin": {"WEB"}}, true},
		{"lower-case letter", nil, url.Values{"username": {strings.ToLower(anna)}, "password": {"first&%2"}}, true},
		{"wrong password", nil, url.Values{"username": {anna}, "password": {"second"}}, false},
		{"unknown user", nil, url.Values{"username": {firm}, "password": {"x"}}, false},
		{"nothing", nil, nil, false},
	}
	f := start(t, Config{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := f.send(f.form(test.query, test.form))
			if !test.good {
				if want := (reply{500, "application/json;charset=UTF-8", bad, nil}); got != want {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
				return
			}
			if got.status != 200 || got.kind != "text/plain;charset=UTF-8" {
				t.Fatalf("got %+v", got)
			}
			c := claimsOf(t, got.body)
			if c["sub"] != anna || c["exp"].(float64)-c["iat"].(float64) != 86400 || c["iat"].(float64) != float64(testNow.Unix()) {
				t.Errorf("claims %v", c)
			}
		})
	}
	for _, r := range f.sim.Requests() {
		if strings.Contains(string(mustJSON(r)), "first") || strings.Contains(string(mustJSON(r)), "eyJ") {
			t.Errorf("the log tells a secret: %+v", r)
		}
	}
}

func (f *fixture) form(query, form url.Values) *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost,
		f.url+"/nikola-auth/tokens/login?"+query.Encode(), strings.NewReader(form.Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "*/*")
	r.Header.Set("User-Agent", "simulator-test/1.0")
	return r
}

// TestTokenExpires moves the clock over a token's life, and over a restart.
func TestTokenExpires(t *testing.T) {
	t.Parallel()
	f := start(t, Config{Seed: 5})
	token := f.login(anna)
	f.sim.SetNow(testNow.Add(24*time.Hour - time.Second))
	if got := f.get(token, "get-supplies", nil); got.status != 200 {
		t.Errorf("a second before: %d", got.status)
	}
	f.sim.SetNow(testNow.Add(24 * time.Hour))
	if got := f.get(token, "get-supplies", nil); got.status != 401 || got.kind != "application/json" {
		t.Errorf("at the end: %+v", got)
	}
	if got := start(t, Config{Seed: 5}).get(token, "get-supplies", nil); got.status != 200 {
		t.Errorf("another process of the same seed: %d", got.status)
	}
	if got := start(t, Config{Seed: 6}).get(token, "get-supplies", nil); got.status != 401 {
		t.Errorf("another seed: %d", got.status)
	}
}

// TestSpoiltLogins has the login fail in the ways that only it can.
func TestSpoiltLogins(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind   string
		status int
		check  func(f *fixture, body string) bool
	}{
		{"bad_credentials", 500, func(_ *fixture, body string) bool { return strings.Contains(body, `"message":"Bad credentials"`) }},
		{"bad_credentials_401", 401, func(_ *fixture, body string) bool { return strings.Contains(body, `"message":"Bad credentials"`) }},
		{"bad_credentials_403", 403, func(_ *fixture, body string) bool { return strings.Contains(body, `"message":"Bad credentials"`) }},
		{"504", 504, func(_ *fixture, body string) bool { return strings.HasPrefix(body, "<html>") }},
		{"html200", 200, func(_ *fixture, body string) bool { return strings.HasPrefix(strings.TrimSpace(body), "<!DOCTYPE") }},
		{"quoted_token", 200, func(f *fixture, body string) bool { return f.works(strings.Trim(body, `"`)) && body[0] == '"' }},
		{"spaced_token", 200, func(f *fixture, body string) bool { return f.works(strings.TrimSpace(body)) && body[0] == '\r' }},
		{"expired_token", 200, func(f *fixture, body string) bool { return !f.works(body) }},
	}
	for _, test := range tests {
		t.Run(test.kind, func(t *testing.T) {
			t.Parallel()
			f := start(t, Config{Faults: parseRules(t, `[{"match":{"endpoint":"login","nth":1},"fault":{"kind":"`+test.kind+`"}}]`)})
			credentials := url.Values{"username": {anna}, "password": {"first&%2"}}
			if got := f.send(f.form(nil, credentials)); got.status != test.status || !test.check(f, got.body) {
				t.Errorf("got %+v", got)
			}
			if got := f.send(f.form(nil, credentials)); got.status != 200 || !f.works(got.body) {
				t.Errorf("then %+v", got)
			}
		})
	}
}

func (f *fixture) works(token string) bool { return f.get(token, "get-supplies", nil).status == 200 }
