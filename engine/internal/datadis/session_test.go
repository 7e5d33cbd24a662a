package datadis

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

func TestParseToken(t *testing.T) {
	t.Parallel()
	day := jwt("1", testNow, 24*time.Hour)
	ahead := jwt("1", testNow.Add(48*time.Hour), 24*time.Hour)
	tests := []struct {
		name, body string
		fails      bool
		life       time.Duration // until it is no longer used
	}{
		{"bare", day, false, 24*time.Hour - 5*time.Minute},
		{"with spaces", " \r\n" + day + "\n", false, 24*time.Hour - 5*time.Minute},
		{"quoted", `"` + day + `"` + "\n", false, 24*time.Hour - 5*time.Minute},
		{"short-lived", jwt("1", testNow, 10*time.Minute), false, 9 * time.Minute},
		{"issued by a clock that is ahead", ahead, false, 24*time.Hour - 5*time.Minute},
		{"unreadable claims", "aaa.%%%.ccc", true, 0},
		{"claims that are no JSON", "aaa.bbbb.ccc", false, 24*time.Hour - 5*time.Minute},
		{"expired when it was issued", jwt("1", testNow, -time.Hour), false, 24*time.Hour - 5*time.Minute},
		{"empty", "", true, 0},
		{"quotes only", `""`, true, 0},
		{"web page", "<html>a.b.c</html>", true, 0},
		{"JSON", `{"token":"a.b.c"}`, true, 0},
		{"two parts", "aaa.bbb", true, 0},
		{"four parts", "aaa.bbb.ccc.ddd", true, 0},
		{"two lines", "aaa.bbb.\nccc", true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseToken([]byte(test.body), testNow)
			if test.fails {
				if err == nil {
					t.Fatalf("accepted as %v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if life := got.until.Sub(testNow); life != test.life {
				t.Errorf("used for %s, want %s", life, test.life)
			}
		})
	}
}

func TestTokenIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(consumptionCall.v2, 200, emptyCurve)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := w.session().Fetch(t.Context(), novemberQuery()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := w.count(loginCall.v2); n != 1 {
		t.Fatalf("logged in %d times for 8 calls", n)
	}
	w.clock.forward(24*time.Hour - 6*time.Minute)
	_ = w.session().Login(t.Context())
	if n := w.count(loginCall.v2); n != 1 {
		t.Errorf("logged in again while the token is good")
	}
	w.clock.forward(2 * time.Minute)
	_ = w.session().Login(t.Context())
	if n := w.count(loginCall.v2); n != 2 {
		t.Errorf("did not log in again before the token expires")
	}
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]string{"JSON": unauthorizedJSON, "text": "401 Unauthorized\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.inTurn(consumptionCall.v2, status(401, refusal), status(200, emptyCurve))
			if _, err := w.session().Fetch(t.Context(), novemberQuery()); err != nil {
				t.Fatal(err)
			}
			w.say(consumptionCall.v2, 401, refusal)
			_, err := w.session().Fetch(t.Context(), novemberQuery())
			if !errors.Is(err, ErrUnauthorised) {
				t.Errorf("got %v", err)
			}
			if logins, queries := w.count(loginCall.v2), w.count(consumptionCall.v2); logins != 3 || queries != 4 {
				t.Errorf("%d logins and %d queries, want 3 and 4", logins, queries)
			}
		})
	}
}

func TestLoginFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		code  int
		body  string
		kind  Kind
		tries int
	}{
		{"wrong password", 500, badCredentials, ErrBadCredentials, 1},
		{"401", 401, unauthorizedJSON, ErrBadCredentials, 1},
		{"403", 403, `{"status":403,"message":"Access Denied"}`, ErrBadCredentials, 1},
		{"empty 403", 403, "", ErrBadCredentials, 1},
		{"blocked by the gateway", 403, "<html>403</html>", ErrUnavailable, 1},
		{"gateway", 504, gatewayPage, ErrUnavailable, 3},
		{"empty 500", 500, "", ErrUnavailable, 3},
		{"web page", 200, "<html></html>", ErrUnavailable, 3},
		{"throttled", 429, "Too many requests", ErrThrottled, 1},
		{"not accepted", 400, "", ErrInvalidRequest, 1},
		{"no such path", 404, "404 page not found", ErrUnavailable, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.say(loginCall.v2, test.code, test.body)
			_, err := w.session().Fetch(t.Context(), novemberQuery())
			if !errors.Is(err, test.kind) {
				t.Errorf("got %v, want %v", err, test.kind)
			}
			if n := w.count(loginCall.v2); n != test.tries {
				t.Errorf("tried %d times, want %d", n, test.tries)
			}
			if n := w.count(consumptionCall.v2); n != 0 {
				t.Error("asked without a token")
			}
		})
	}
}

func TestRefusedLoginIsNotHammered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inTurn(loginCall.v2, status(500, badCredentials), status(200, jwt("1", testNow, time.Hour)))
	for range 5 {
		if err := w.session().Login(t.Context()); !errors.Is(err, ErrBadCredentials) {
			t.Fatalf("got %v", err)
		}
	}
	if n := w.count(loginCall.v2); n != 1 {
		t.Errorf("sent %d times", n)
	}
	w.clock.forward(Default().LoginRetry)
	if err := w.session().Login(t.Context()); err != nil {
		t.Errorf("the second try, later: %v", err)
	}
}

// Whoever waits for a login that its own caller gives up takes it over.
func TestLoginOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arrived := make(chan struct{})
	w.inTurn(loginCall.v2, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}, status(200, jwt("1", testNow, time.Hour)))
	first, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if err := w.session().Login(first); !errors.Is(err, ErrCancelled) {
			t.Errorf("the first caller got %v", err)
		}
	})
	<-arrived
	group.Go(func() {
		if err := w.session().Login(t.Context()); err != nil {
			t.Errorf("the second caller got %v", err)
		}
	})
	cancel()
	group.Wait()
}

func TestSessionsAreShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	login := Login{ID: "1", Username: "12345678Z", Password: sdk.NewSecret("one")}
	first := w.Session(login)
	if w.Session(login) != first {
		t.Error("one login has two sessions")
	}
	changed := login
	changed.Password = sdk.NewSecret("two")
	if w.Session(changed) == first {
		t.Error("another password got the same session")
	}
	w.clock.forward(25 * time.Hour)
	w.Session(Login{ID: "2"})
	if len(w.sessions) != 1 {
		t.Errorf("%d sessions are remembered, want the new one only", len(w.sessions))
	}
}

func TestWaitingForASlotCanBeCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MaxInFlightPerLogin = 1 })
	s := w.session()
	arrived, leave := make(chan struct{}), make(chan struct{})
	w.on(consumptionCall.v2, func(rw http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-leave
		_, _ = io.WriteString(rw, emptyCurve)
	})
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := s.Fetch(t.Context(), novemberQuery()); err != nil {
			t.Error(err)
		}
	})
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Fetch(ctx, novemberQuery())
	close(leave)
	group.Wait()
	var failure *Error
	if !errors.As(err, &failure) || failure.Kind != ErrCancelled || failure.MaybeRegistered {
		t.Errorf("got %v", err)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	guarded := request{endpoint: consumptionCall}
	tests := []struct {
		name       string
		code       int
		body       string
		retryAfter string
		kind       Kind
		wait       time.Duration
	}{
		{"no token", 401, unauthorizedJSON, "", ErrUnauthorised, 0},
		{"no supplies", 404, "No supplies", "", ErrNoData, 0},
		{"no data", 404, "Data not found", "", ErrNoData, 0},
		{"unknown path", 403, "403 Forbidden\n", "", ErrUnavailable, 0},
		{"nothing authorised", 403, "No authorized supplies", "", ErrUnauthorised, 0},
		{"CUPS not authorised", 400, "No se encuentra autorizado el cups introducido", "", ErrUnauthorised, 0},
		{"dates", 400, "Fechas incorrectas revise: Formato de fechas YYYY/MM", "", ErrInvalidRequest, 0},
		{"out of range", 400, "Parámetro requerido en estado vacío, con formato erróneo", "", ErrInvalidRequest, 0},
		{"unknown distributor", 400, "CUPS o distributor no válido ", "", ErrInvalidRequest, 0},
		{"repeated", 429, "Consulta ya realizada en las últimas 24 horas. ", "", ErrRepeated, 0},
		{"repeated, as Latin-1", 429, "Consulta ya realizada en las \xfaltimas 24 horas. ", "", ErrRepeated, 0},
		{"too many", 429, "Too Many Requests", "", ErrThrottled, 0},
		{"too many, for a while", 429, "", "90", ErrThrottled, 90 * time.Second},
		{"repeated with a wait", 429, "Consulta ya realizada", "60", ErrThrottled, time.Minute},
		{"until a date", 429, "", testNow.Add(time.Hour).Format(http.TimeFormat), ErrThrottled, time.Hour},
		{"until a date gone by", 429, "", testNow.Add(-time.Hour).Format(http.TimeFormat), ErrThrottled, 0},
		{"for ever", 429, "", "99999999999", ErrThrottled, maxRetryAfter},
		{"generic", 500, `{"status":500,"error":"INTERNAL_SERVER_ERROR","timestamp":"2022-08-11T12:10:44.091+0200"}`, "", ErrUnavailable, 0},
		{"empty 500", 500, "", "", ErrUnavailable, 0},
		{"gateway", 502, "<html>502 Bad Gateway</html>", "", ErrUnavailable, 0},
		{"maintenance", 503, "", "120", ErrUnavailable, 2 * time.Minute},
		{"unknown refusal", 418, "", "", ErrInvalidRequest, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{}
			if test.retryAfter != "" {
				header.Set("Retry-After", test.retryAfter)
			}
			err := classify(guarded, reply{status: test.code, header: header, body: []byte(test.body), received: testNow})
			var failure *Error
			if !errors.As(err, &failure) {
				t.Fatalf("got %v", err)
			}
			if failure.Kind != test.kind || failure.RetryAfter != test.wait {
				t.Errorf("got %v after %s, want %v after %s", failure.Kind, failure.RetryAfter, test.kind, test.wait)
			}
			if !errors.Is(err, test.kind) || failure.Status != test.code || failure.Endpoint != "consumption" {
				t.Errorf("got %#v", failure)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Información ", 40)
	tests := []struct{ name, body, want string }{
		{"text", "  Consulta  ya\nrealizada ", "Consulta ya realizada"},
		{"Latin-1", "Par\xe1metro", "Parámetro"},
		{"Spring", badCredentials, "Bad credentials"},
		{"Spring without a message", unauthorizedJSON, "Unauthorized"},
		{"other JSON", `{"a":1}`, `{"a":1}`},
		{"broken JSON", `{"a":`, `{"a":`},
		{"web page", gatewayPage, "a web page, 504 Gateway Time-out"},
		{"page without a title", "\n<!DOCTYPE html>", "a web page"},
		{"long", long, long[:200] + "…"},
		{"empty", "", ""},
		{"CUPS of 20", "cups es0021000000000001rk", "cups ***"},
		{"NIE", "nif X1234567L.", "nif ***."},
		{"hidden", "clave secreta", "clave ***"},
	}
	for _, test := range tests {
		if got := message([]byte(test.body), []string{"secreta", "", "a"}); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
