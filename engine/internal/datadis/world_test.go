package datadis

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// world is a server of a test's own, and a client for it.
type world struct {
	*Client
	clock *clockwork

	mu       sync.Mutex
	requests []*http.Request
	forms    []url.Values
	handlers map[string]http.HandlerFunc // by path
}

// clockwork is a clock that stands still until it is moved.
type clockwork struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clockwork) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clockwork) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// newWorld starts a server that logs everybody in and answers other calls as
// the test says with on.
func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	w := &world{clock: &clockwork{now: testNow}, handlers: make(map[string]http.HandlerFunc)}
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	config := Default()
	config.BaseURL = server.URL
	config.RetryDelay = time.Millisecond
	config.Now = w.clock.Now
	for _, f := range change {
		f(&config)
	}
	client, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if transport, ok := client.config.Transport.(*http.Transport); ok {
		t.Cleanup(transport.CloseIdleConnections)
	}
	w.Client = client
	w.on(loginCall.v2, func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, jwt(fmt.Sprint(w.count(loginCall.v2)), testNow, 24*time.Hour))
	})
	return w
}

// on says how a path is answered.
func (w *world) on(path string, handler http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers[path] = handler
}

// say answers a path with a status and a body.
func (w *world) say(path string, status int, body string) {
	w.on(path, func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	})
}

// inTurn answers a path differently each time, the last way for ever.
func (w *world) inTurn(path string, handlers ...http.HandlerFunc) {
	var mu sync.Mutex
	w.on(path, func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		handler := handlers[0]
		if len(handlers) > 1 {
			handlers = handlers[1:]
		}
		mu.Unlock()
		handler(rw, r)
	})
}

func status(code int, body string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(code)
		_, _ = io.WriteString(rw, body)
	}
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	w.mu.Lock()
	w.requests = append(w.requests, r)
	w.forms = append(w.forms, form)
	handler := w.handlers[r.URL.Path]
	w.mu.Unlock()
	if handler == nil {
		rw.Header().Set("Content-Type", "text/plain")
		rw.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(rw, "403 Forbidden\n")
		return
	}
	handler(rw, r)
}

// count is how many requests for a path came.
func (w *world) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.requests {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

// last is the latest request.
func (w *world) last() *http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests[len(w.requests)-1]
}

// session is a session of the one login.
func (w *world) session() *Session {
	return w.Session(Login{ID: "login1", Username: "12345678Z", Password: sdk.NewSecret("p&ss w%rd")})
}

// jwt is a token like those of Datadis.
func jwt(id string, issued time.Time, life time.Duration) string {
	claims := fmt.Sprintf(`{"sub":"12345678Z","jti":%q,"iat":%d,"exp":%d}`, id, issued.Unix(), issued.Add(life).Unix())
	encode := base64.RawURLEncoding.EncodeToString
	return strings.Join([]string{encode([]byte(`{"alg":"HS512"}`)), encode([]byte(claims)), encode([]byte("signature"))}, ".")
}

// novemberQuery is a query for one month of consumption.
func novemberQuery() Query {
	m := sdk.NewMonth(2026, time.November)
	return Query{
		CUPS: "ES0031000000000001BJ0F", Distributor: "2", Series: sdk.EnergyHourly,
		From: m, To: m, PointType: 5,
	}
}

const (
	unauthorizedJSON = `{"timestamp":"2026-09-30T00:22:50.912+0000","status":401,"error":"Unauthorized","message":"No message available","path":"/api-private/api/get-supplies"}`
	badCredentials   = `{"timestamp":"2023-12-11T23:18:37.513+0000","status":500,"error":"Internal Server Error","message":"Bad credentials","path":"/nikola-auth/tokens/login"}`
	gatewayPage      = "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>nginx/1.22.0</body></html>"
)
