package simulator

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Who and what the tests' world has.
const (
	anna  = "12345678Z" // owns a home and a shop
	bert  = "00000000T" // owns nothing; may look at the company's
	firm  = "A58818501" // has no login; lets anna see one supply and bert all
	home  = "ES0031000000000001BJ0F"
	shop  = "ES0021000000000001RK"
	plant = "ES0031000000000002BZ0F"
	tower = "ES0022000000000003FJ"
)

// testNow is Tuesday, 10 November 2026, 10:00 in Madrid.
var testNow = time.Date(2026, 11, 10, 9, 0, 0, 0, time.UTC)

func testWorld() *World {
	return &World{
		Logins: []Login{{anna, "first&%2"}, {bert, "second"}},
		Supplies: []Supply{
			{CUPS: home, Holders: []string{anna}, Distributor: "2", PointType: 5, From: "2025-03-10"},
			{CUPS: shop, Holders: []string{anna}, Distributor: "8", PointType: 4, From: "2019-01-01", Surplus: true},
			{CUPS: plant, Holders: []string{firm}, Distributor: "2", PointType: 1, From: "2020-05-05", Surplus: true, Generation: true},
			{CUPS: tower, Holders: []string{firm}, Distributor: "5", PointType: 3, From: "2020-05-05"},
		},
		Consents: []Consent{
			{Holder: firm, Login: anna, CUPS: []string{plant}, To: "2026-11-20"},
			{Holder: firm, Login: bert},
			{Holder: anna, Login: bert, Status: "CANCELADA"},
		},
	}
}

// youngWorld is the same with little history, where a test reads all of it.
func youngWorld() *World {
	w := testWorld()
	for i := range w.Supplies {
		w.Supplies[i].From = "2026-09-20"
	}
	return w
}

// fixture is a simulator of its own for a test, behind HTTP.
type fixture struct {
	t   *testing.T
	sim *Simulator
	url string
}

// start serves a simulator until the test ends. A config without a clock gets
// a stopped one.
func start(t *testing.T, config Config) *fixture {
	t.Helper()
	if config.Now == nil {
		config.Now = func() time.Time { return testNow }
	}
	if config.World == nil && config.Recorded == nil && config.Accounts == 0 {
		config.World = testWorld()
	}
	sim, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() {
		sim.LetGo()
		server.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return &fixture{t: t, sim: sim, url: server.URL}
}

// reply is what came back.
type reply struct {
	status int
	kind   string // Content-Type
	body   string
	err    error // of the transport
}

// request builds a call as a well-behaved client does.
func (f *fixture) request(method, path, token string, params url.Values) *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path+"?"+params.Encode(), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("User-Agent", "simulator-test/1.0")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// send sends a call and reads all that comes back.
func (f *fixture) send(r *http.Request) reply {
	f.t.Helper()
	// On a connection that is used again Go's transport would, behind our
	// back, repeat a GET that the server cut off.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	response, err := client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header.Get("Content-Type"), string(body), err}
}

// login returns a token of a user of the world.
func (f *fixture) login(username string) string {
	f.t.Helper()
	for _, l := range f.sim.World().Logins {
		if l.Username == username {
			got := f.send(f.request("POST", "/nikola-auth/tokens/login", "", url.Values{"username": {username}, "password": {l.Password}}))
			if got.status != 200 {
				f.t.Fatalf("login of %s: %+v", username, got)
			}
			return strings.TrimSpace(got.body)
		}
	}
	f.t.Fatalf("the world has no login %s", username)
	return ""
}

// get asks an endpoint of the private API.
func (f *fixture) get(token, name string, params url.Values) reply {
	f.t.Helper()
	return f.send(f.request("GET", apiPath+name, token, params))
}

// hourly are the parameters of a consumption query that is answered.
func hourly(cups, code, from, to string, more ...string) url.Values {
	params := url.Values{
		"cups": {cups}, "distributorCode": {code}, "startDate": {from}, "endDate": {to},
		"measurementType": {"0"}, "pointType": {"5"},
	}
	for i := 0; i < len(more); i += 2 {
		params.Set(more[i], more[i+1])
	}
	return params
}

// window are the parameters of a query of maximum power or reactive energy.
func window(cups, code, from, to string, more ...string) url.Values {
	params := hourly(cups, code, from, to, more...)
	params.Del("measurementType")
	params.Del("pointType")
	return params
}

// claimsOf reads a token without checking it.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q has not three parts", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}
