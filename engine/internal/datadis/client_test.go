package datadis

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

const emptyCurve = `{"timeCurve":[],"distributorError":[]}`

func TestHeadersOnEveryCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(consumptionCall.v2, 200, emptyCurve)
	if _, err := w.session().Fetch(t.Context(), novemberQuery()); err != nil {
		t.Fatal(err)
	}
	if len(w.requests) != 2 {
		t.Fatalf("got %d requests, want a login and a query", len(w.requests))
	}
	for _, r := range w.requests {
		for name, want := range map[string]string{
			"Accept":          "*/*",
			"Accept-Encoding": "identity",
			"User-Agent":      Default().UserAgent,
		} {
			if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, want %q", r.URL.Path, name, got, want)
			}
		}
	}
	if got := w.requests[1].Header.Get("Authorization"); !strings.HasPrefix(got, "Bearer ey") {
		t.Errorf("Authorization is %q", got)
	}
	if form := w.forms[0]; form.Get("username") != "12345678Z" || form.Get("password") != "p&ss w%rd" {
		t.Errorf("the login form is %v", form)
	}
	if w.requests[0].URL.RawQuery != "" {
		t.Error("credentials stand in the URL")
	}
}

func TestParametersOfQueries(t *testing.T) {
	t.Parallel()
	from, to := sdk.NewMonth(2025, time.December), sdk.NewMonth(2026, time.February)
	query := func(series sdk.Series, nif sdk.NIF) Query {
		return Query{NIF: nif, CUPS: "es0031000000000001bj0f", Distributor: "02", Series: series, From: from, To: to, PointType: 5}
	}
	const common = "cups=es0031000000000001bj0f&distributorCode=02&endDate=2026%2F02"
	tests := []struct {
		name  string
		query Query
		path  string
		want  string
	}{
		{"hourly", query(sdk.EnergyHourly, ""), consumptionCall.v2, common + "&measurementType=0&pointType=5&startDate=2025%2F12"},
		{"quarter hours", query(sdk.EnergyQuarterHour, ""), consumptionCall.v2, common + "&measurementType=1&pointType=5&startDate=2025%2F12"},
		{"of an authorised NIF", query(sdk.EnergyHourly, "X1234567L"), consumptionCall.v2, "authorizedNif=X1234567L&" + common + "&measurementType=0&pointType=5&startDate=2025%2F12"},
		{"power", query(sdk.PowerMonthly, ""), powerCall.v2, common + "&startDate=2025%2F12"},
		{"reactive", query(sdk.ReactiveMonthly, ""), reactiveCall.v2, common + "&startDate=2025%2F12"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.say(test.path, 200, "{}")
			if _, err := w.session().Fetch(t.Context(), test.query); err != nil {
				t.Fatal(err)
			}
			if got := w.last().URL.RawQuery; got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestIncompleteQueriesAreNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(*Query){
		"CUPS":        func(q *Query) { q.CUPS = "" },
		"distributor": func(q *Query) { q.Distributor = "" },
		"point type":  func(q *Query) { q.PointType = 0 },
		"series":      func(q *Query) { q.Series.Resolution = "PT2H" },
		"months":      func(q *Query) { q.To = q.From - 1 },
	} {
		q := novemberQuery()
		change(&q)
		if _, err := w.session().Fetch(t.Context(), q); !errors.Is(err, ErrInvalidRequest) {
			t.Errorf("without %s: got %v", name, err)
		}
	}
	if len(w.requests) != 0 {
		t.Errorf("%d requests were sent", len(w.requests))
	}
}

func TestQueryKey(t *testing.T) {
	t.Parallel()
	base := novemberQuery()
	with := func(change func(*Query)) Query {
		q := base
		change(&q)
		return q
	}
	power := with(func(q *Query) { q.Series = sdk.PowerMonthly })
	tests := []struct {
		name        string
		a, b        Query
		loginA      string
		wantTheSame bool
	}{
		{"the same", base, base, "l1", true},
		{"hourly and quarter hours", base, with(func(q *Query) { q.Series = sdk.EnergyQuarterHour }), "l1", false},
		{"power and reactive", power, with(func(q *Query) { q.Series = sdk.ReactiveMonthly }), "l1", true},
		{"consumption and power", base, power, "l1", false},
		{"another window with the same month", base, with(func(q *Query) { q.From-- }), "l1", false},
		{"another NIF", base, with(func(q *Query) { q.NIF = "X1234567L" }), "l1", false},
		{"another point type", base, with(func(q *Query) { q.PointType = 4 }), "l1", false},
		{"another login", base, base, "l2", false},
		{"power of another NIF", power, with(func(q *Query) { q.Series, q.NIF = sdk.PowerMonthly, "X1234567L" }), "l1", true},
	}
	for _, test := range tests {
		if got := test.a.Key(test.loginA) == test.b.Key("l1"); got != test.wantTheSame {
			t.Errorf("%s: same key: %t", test.name, got)
		}
	}
	if got := base.Key("l1"); got != "c7fbfac6e77aa0e0aeda5fc417b3b8d4" {
		t.Errorf("the key changed to %q: queries of the last 24 hours would be repeated", got)
	}
}

func TestServerWithoutVersion2(t *testing.T) {
	t.Parallel()
	for name, missing := range map[string]http.HandlerFunc{
		"gateway":     status(403, "403 Forbidden\n"),
		"Go server":   status(404, "404 page not found\n"),
		"Spring":      status(404, `{"status":404,"error":"Not Found","message":"No message available"}`),
		"web page":    status(404, "<html><title>404 Not Found</title></html>"),
		"empty":       status(404, ""),
		"page of 403": status(403, "<html><title>Forbidden</title></html>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines bytes.Buffer
			w := newWorld(t, func(c *Config) {
				c.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelWarn}))
			})
			w.on(suppliesCall.v2, missing)
			w.say(suppliesCall.v1, 200, `[{"cups":"ES0031000000000001BJ0F","distributorCode":"2","pointType":5}]`)
			w.say(consumptionCall.v1, 200, `[]`)
			listing, err := w.session().Supplies(t.Context(), "", "")
			if err != nil || len(listing.Supplies) != 1 {
				t.Fatalf("got %v, %v", listing, err)
			}
			answer, err := w.session().Fetch(t.Context(), novemberQuery())
			if err != nil || answer.API != V1 {
				t.Fatalf("got %+v, %v", answer, err)
			}
			if n := w.count(consumptionCall.v2); n != 0 {
				t.Errorf("version 2 was asked %d times after it was found missing", n)
			}
			if n := strings.Count(lines.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings:\n%s", n, lines.String())
			}
		})
	}
}

func TestVersion2IsKept(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		v2, v1 http.HandlerFunc
		kind   Kind
	}{
		{"refused consent", status(403, "No authorized supplies"), status(200, "[]"), ErrUnauthorised},
		{"outage", status(500, ""), status(200, "[]"), ErrUnavailable},
		{"both missing", status(403, "403 Forbidden\n"), status(403, "403 Forbidden\n"), ErrUnavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.on(suppliesCall.v2, test.v2)
			w.on(suppliesCall.v1, test.v1)
			if _, err := w.session().Supplies(t.Context(), "", ""); !errors.Is(err, test.kind) {
				t.Errorf("got %v, want %v", err, test.kind)
			}
			if w.version() != V2 {
				t.Error("version 2 was given up")
			}
		})
	}
	t.Run("once seen", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.inTurn(suppliesCall.v2, status(200, `{"supplies":[]}`), status(403, "403 Forbidden\n"))
		w.say(suppliesCall.v1, 200, "[]")
		if _, err := w.session().Supplies(t.Context(), "", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := w.session().Supplies(t.Context(), "", ""); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		if n := w.count(suppliesCall.v1); n != 0 {
			t.Errorf("version 1 was asked %d times", n)
		}
	})
}

func TestVersion1HasNoReactiveEnergy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.API = V1 })
	q := novemberQuery()
	q.Series = sdk.ReactiveMonthly
	if _, err := w.session().Fetch(t.Context(), q); !errors.Is(err, ErrInvalidRequest) {
		t.Errorf("got %v", err)
	}
}

// A guarded query is sent once, whatever happens to it: Datadis may have
// registered it.
func TestGuardedQueriesAreSentOnce(t *testing.T) {
	t.Parallel()
	hangUp := func(rw http.ResponseWriter, _ *http.Request) {
		conn, _, err := rw.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	cut := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(rw, `{"timeCurve":[`)
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		maybe   bool // registered
	}{
		{"connection lost before the answer", hangUp, true},
		{"cut body", cut, true},
		{"truncated JSON", status(200, `{"timeCurve":[{"cups":"ES0031000000000001BJ0F"}`), true},
		{"web page with 200", status(200, "\n\n<!DOCTYPE html><html><title>Mantenimiento</title></html>"), true},
		{"empty body with 200", status(200, ""), true},
		{"text with 200", status(200, "No groups"), true},
		{"gateway time-out", status(504, gatewayPage), true},
		{"bad gateway", status(502, "<html><title>502 Bad Gateway</title></html>"), false},
		{"empty 500", status(500, ""), false},
		{"redirect", func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "/elsewhere", http.StatusFound)
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.on(consumptionCall.v2, test.handler)
			_, err := w.session().Fetch(t.Context(), novemberQuery()) // on the login's connection, used before
			var failure *Error
			if !errors.As(err, &failure) || failure.Kind != ErrUnavailable {
				t.Fatalf("got %v", err)
			}
			if failure.MaybeRegistered != test.maybe {
				t.Errorf("maybe registered: %t", failure.MaybeRegistered)
			}
			if n := w.count(consumptionCall.v2); n != 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
}

func TestUnguardedCallsAreTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inTurn(loginCall.v2, status(504, gatewayPage), status(200, jwt("1", testNow, time.Hour)))
	w.inTurn(suppliesCall.v2, status(500, ""), status(200, "<html></html>"), status(200, `{"supplies":[]}`))
	if _, err := w.session().Supplies(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	w.say(contractsCall.v2, 502, "")
	if _, err := w.session().Contracts(t.Context(), "", "ES0031000000000001BJ0F", "2"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if n := w.count(contractsCall.v2); n != Default().Tries {
		t.Errorf("tried %d times, want %d", n, Default().Tries)
	}
	w.say(contractsCall.v2, 400, "CUPS o distributor no válido ")
	before := w.count(contractsCall.v2)
	if _, err := w.session().Contracts(t.Context(), "", "ES0031000000000001BJ0F", "99"); !errors.Is(err, ErrInvalidRequest) {
		t.Errorf("got %v", err)
	}
	if n := w.count(contractsCall.v2) - before; n != 1 {
		t.Errorf("a request that will never be accepted was sent %d times", n)
	}
}

func TestTimeOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Timeout = 20 * time.Millisecond })
	w.on(consumptionCall.v2, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, err := w.session().Fetch(t.Context(), novemberQuery())
	var failure *Error
	if !errors.As(err, &failure) || failure.Kind != ErrUnavailable || !failure.MaybeRegistered {
		t.Fatalf("got %#v", err)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.on(consumptionCall.v2, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := w.session().Fetch(ctx, novemberQuery())
	var failure *Error
	if !errors.As(err, &failure) || failure.Kind != ErrCancelled || !failure.MaybeRegistered || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %#v", err)
	}
}

func TestUnreachableServerRegistersNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.session().Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.config.Transport.(*http.Transport).CloseIdleConnections()
	w.config.BaseURL = "http://127.0.0.1:1"
	_, err := w.session().Fetch(t.Context(), novemberQuery())
	var failure *Error
	if !errors.As(err, &failure) || failure.Kind != ErrUnavailable || failure.MaybeRegistered {
		t.Fatalf("got %#v", err)
	}
}

func TestCompressedAnswers(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = io.WriteString(zip, emptyCurve)
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, body, label string
		fails             bool
	}{
		{"labelled, but plain", emptyCurve, "gzip", false},
		{"labelled and compressed", packed.String(), "gzip", false},
		{"compressed without a label", packed.String(), "", false},
		{"compressed and cut", packed.String()[:packed.Len()-9], "gzip", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.on(consumptionCall.v2, func(rw http.ResponseWriter, _ *http.Request) {
				if test.label != "" {
					rw.Header().Set("Content-Encoding", test.label)
				}
				_, _ = io.WriteString(rw, test.body)
			})
			answer, err := w.session().Fetch(t.Context(), novemberQuery())
			switch {
			case test.fails && !errors.Is(err, ErrUnavailable):
				t.Errorf("got %v", err)
			case !test.fails && (err != nil || string(answer.Body) != emptyCurve):
				t.Errorf("got %q, %v", answer.Body, err)
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 1 << 16
	endless := readerFunc(func(p []byte) (int, error) { return len(p), nil })
	if _, err := readBody(endless, -1, limit); !errors.Is(err, errTooLarge) {
		t.Errorf("an endless body: %v", err)
	}
	if _, err := readBody(strings.NewReader(""), limit+1, limit); !errors.Is(err, errTooLarge) {
		t.Errorf("a body that says it is too large: %v", err)
	}
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, _ = zip.Write(make([]byte, limit+1))
	_ = zip.Close()
	if _, err := readBody(&bomb, -1, limit); !errors.Is(err, errTooLarge) {
		t.Errorf("a body that inflates too far: %v", err)
	}
	if body, err := readBody(strings.NewReader(strings.Repeat("a", limit)), limit, limit); err != nil || len(body) != limit {
		t.Errorf("a body that just fits: %d bytes, %v", len(body), err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestCheckComplete(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body string
		want error
	}{
		{`[]`, nil},
		{` {"a":[{"b":1}]} ` + "\n", nil},
		{"\xef\xbb\xbf[]", nil},
		{`[{"address":"CALLE {1"}]`, nil},
		{`[{"address":"CALLE \"1"}]`, nil},
		{``, errNotJSON},
		{`null`, errNotJSON},
		{`No supplies`, errNotJSON},
		{"\n<html></html>", errNotJSON},
		{`[{"a":1}`, errIncomplete},
		{`{"a":[{"b":1}`, errIncomplete},
		{`{"a":[1]`, errIncomplete},
		{`[{"address":"CALLE ]`, errIncomplete},
	}
	for _, test := range tests {
		if got := checkComplete([]byte(test.body)); got != test.want {
			t.Errorf("%q: got %v, want %v", test.body, got, test.want)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	waits := make(chan struct{}, 100)
	w := newWorld(t, func(c *Config) {
		c.MaxInFlight, c.MaxInFlightPerLogin = 3, 2
		c.Limiter = limiterFunc(func(context.Context) error {
			waits <- struct{}{}
			return nil
		})
	})
	var mu sync.Mutex
	now, most := make(map[string]int), make(map[string]int)
	full := make(chan struct{}) // closed when the process has all it may have
	fill := sync.OnceFunc(func() { close(full) })
	w.on(consumptionCall.v2, func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		for _, who := range []string{r.URL.Query().Get("authorizedNif"), "all"} {
			now[who]++
			most[who] = max(most[who], now[who])
		}
		if now["all"] == 3 {
			fill()
		}
		mu.Unlock()
		<-full
		mu.Lock()
		now[r.URL.Query().Get("authorizedNif")]--
		now["all"]--
		mu.Unlock()
		_, _ = io.WriteString(rw, emptyCurve)
	})
	var group sync.WaitGroup
	for _, who := range []string{"a", "b"} {
		s := w.Session(Login{ID: who, Username: who, Password: sdk.NewSecret("password")})
		for i := range 8 {
			group.Go(func() {
				q := novemberQuery()
				q.NIF, q.From = sdk.NIF(who), q.From-sdk.Month(i)
				if _, err := s.Fetch(t.Context(), q); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	if most["all"] != 3 || most["a"] > 2 || most["b"] > 2 {
		t.Errorf("in flight at once: %v", most)
	}
	if len(waits) != 18 {
		t.Errorf("the limiter was waited for %d times, want once per request: 18", len(waits))
	}
}

type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

func TestLimiterFails(t *testing.T) {
	t.Parallel()
	down := errors.New("redis is down")
	w := newWorld(t, func(c *Config) {
		c.Limiter = limiterFunc(func(context.Context) error { return down })
		c.Tries = 1
	})
	err := w.session().Login(t.Context())
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, down) || len(w.requests) != 0 {
		t.Errorf("got %v after %d requests", err, len(w.requests))
	}
}

func TestNothingPersonalIsSaid(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	w := newWorld(t, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	q := novemberQuery()
	q.NIF = "X1234567L"
	echo := "El cups ES0031000000000001BJ0F de X1234567L no vale, ni B12345674, token " + jwt("1", testNow, time.Hour)
	w.say(consumptionCall.v2, 400, echo)
	_, err := w.session().Fetch(t.Context(), q)
	w.say(loginCall.v2, 500, "usuario 12345678Z clave p&ss w%rd")
	w.config.BaseURL = strings.Replace(w.config.BaseURL, "127.0.0.1", "localhost", 1)
	other := w.Session(Login{ID: "2", Username: "12345678Z", Password: sdk.NewSecret("p&ss w%rd")})
	said := err.Error() + lines.String() + other.Login(t.Context()).Error()
	for _, secret := range []string{"ES0031000000000001BJ0F", "X1234567L", "B12345674", "eyJ", "12345678Z", "p&ss", "p%26ss"} {
		if strings.Contains(said, secret) {
			t.Errorf("%s is told:\n%s", secret, said)
		}
	}
	if !strings.Contains(lines.String(), "ES0031************BJ0F") && !strings.Contains(lines.String(), "cups=ES0031") {
		t.Errorf("the log does not tell the supply at all:\n%s", lines.String())
	}
}

func TestConfigTellsAllProblems(t *testing.T) {
	t.Parallel()
	if err := Default().Validate(); err != nil {
		t.Errorf("the default is not valid: %v", err)
	}
	_, err := New(Config{BaseURL: "datadis.es", API: "v3", LoginRetry: -1})
	if err == nil {
		t.Fatal("an empty configuration is accepted")
	}
	for _, field := range []string{
		"base_url", "api", "timeout", "login_timeout", "connect_timeout", "retry_delay", "login_retry",
		"max_in_flight", "max_in_flight_per_login", "tries", "user_agent",
	} {
		if !strings.Contains(err.Error(), field+": ") {
			t.Errorf("nothing is said of %s in:\n%v", field, err)
		}
	}
}

func TestCancelledBetweenTries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.RetryDelay = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	w.on(suppliesCall.v2, func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusInternalServerError)
		time.AfterFunc(10*time.Millisecond, cancel)
	})
	if _, err := w.session().Supplies(ctx, "", ""); !errors.Is(err, ErrCancelled) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
