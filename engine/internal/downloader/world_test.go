package downloader

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/sdk"
)

const testCUPS sdk.CUPS = "ES0031000000000001BJ0F"

var start = time.Date(2026, 9, 15, 12, 0, 0, 0, time.UTC)

// world is a downloader with a real client and ledger, a Datadis that answers
// as the test says, and a record of everything in its order.
type world struct {
	*Downloader
	t       *testing.T
	server  *httptest.Server
	datadis *datadis.Client
	now     time.Time
	memory  ledger.Store

	mu      sync.Mutex
	events  []string
	answers map[string][]http.HandlerFunc // by what is asked; the last one stays
	raw     map[ledger.Location]Copy
	chunks  []*sdk.Chunk
	statics []*sdk.Supply
	broken  map[string]error // what fails, by its event
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, now: start, answers: make(map[string][]http.HandlerFunc),
		raw: make(map[ledger.Location]Copy), broken: make(map[string]error),
	}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	w.memory = store.NewRedis(redistest.Mini(t).Client(t), "dd:")
	w.reconnect()
	config := ledger.Config{Now: w.clock}
	w.Downloader = New(Config{
		Run: "run1", Policy: ledger.Last, Window: ledger.Window{From: month("2026-07"), To: month("2026-09")},
		Series: []sdk.Series{sdk.EnergyHourly}, Ledger: ledger.New(recorded{w.memory, w}, config),
		Sessions: w, Outlet: w, Copies: w, Statics: ledger.NewStatics(w.memory, config), Holds: w,
		Now: w.clock, Logger: slog.New(slog.DiscardHandler),
	})
	return w
}

// reconnect is a process that knows nothing of Datadis yet.
func (w *world) reconnect() {
	config := datadis.Default()
	config.BaseURL, config.RetryDelay, config.LoginRetry, config.Now = w.server.URL, time.Millisecond, 0, w.clock
	var err error
	if w.datadis, err = datadis.New(config); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) forward(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// note records an event, and fails if it is to fail.
func (w *world) note(event string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, event)
	return w.broken[event]
}

// take returns what happened since it was called last: events of these kinds,
// or all.
func (w *world) take(kinds ...string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var taken []string
	for _, event := range w.events {
		kind, _, _ := strings.Cut(event, " ")
		if len(kinds) == 0 || slices.Contains(kinds, kind) {
			taken = append(taken, event)
		}
	}
	w.events = nil
	return strings.Join(taken, ", ")
}

// recorded is a store that tells of the ledger's writes.
type recorded struct {
	ledger.Store
	w *world
}

var outcomes = []string{"intended", "answered", "refused", "failed", "kept"}

func (r recorded) Put(ctx context.Context, key string, set map[string][]byte, del ...string) error {
	event := "delivered"
	for field, value := range set {
		if strings.HasPrefix(field, "?") {
			event = outcomes[value[0]&0xf]
		}
	}
	return errors.Join(r.w.note(event), r.Store.Put(ctx, key, set, del...))
}

// Session implements Sessions: a login's id is its user name.
func (w *world) Session(_ context.Context, id string) (*datadis.Session, sdk.NIF, error) {
	if err := w.broken["session "+id]; err != nil {
		return nil, "", err
	}
	return w.datadis.Session(datadis.Login{ID: id, Username: id, Password: sdk.NewSecret("x")}), sdk.NIF(id), nil
}

// Raw implements Outlet.
func (w *world) Raw(_ context.Context, c Copy) (*ledger.Location, error) {
	if err := w.note("raw"); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := ledger.Location{Partition: 1, Offset: int64(len(w.raw) + 1)}
	w.raw[at] = c
	return &at, nil
}

// Chunks implements Outlet.
func (w *world) Chunks(_ context.Context, chunks []*sdk.Chunk) error {
	var all []string
	for _, c := range chunks {
		all = append(all, fmt.Sprintf("%s/%s/%d", c.Source, c.Month, c.Revision))
	}
	if err := w.note("published " + strings.Join(all, " ")); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chunks = append(w.chunks, chunks...)
	return w.broken["published"]
}

// Supply implements Outlet.
func (w *world) Supply(_ context.Context, s *sdk.Supply) error {
	w.mu.Lock()
	w.statics = append(w.statics, s)
	w.mu.Unlock()
	return w.note("static " + strings.Join(s.Sources, "+"))
}

// Open implements Copies.
func (w *world) Open(_ context.Context, at ledger.Location) (Copy, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, "opened")
	c, ok := w.raw[at]
	if !ok {
		return Copy{}, ErrGone
	}
	return c, w.broken["opened"]
}

// Take implements Holds.
func (w *world) Take(ctx context.Context, _ sdk.CUPS) (context.Context, func(), error) {
	held, release := context.WithCancel(ctx)
	return held, release, w.broken["hold"]
}

// ServeHTTP implements [http.Handler]. What is asked is named as in
// "u1 hour 2026-08", "u1 power 2026-07..2026-09", "u1 contract".
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/tokens/login") {
		w.logIn(rw, r)
		return
	}
	what := w.asked(r)
	if what == "" {
		rw.WriteHeader(http.StatusTeapot)
		return
	}
	_ = w.note("asked " + what)
	_, plain, _ := strings.Cut(what, " ")
	w.mu.Lock()
	var handler http.HandlerFunc
	for _, name := range []string{what, plain} {
		if list := w.answers[name]; handler == nil && len(list) > 0 {
			handler = list[0]
			if len(list) > 1 {
				w.answers[name] = list[1:]
			}
		}
	}
	w.mu.Unlock()
	if handler == nil {
		handler = says(200, `{"timeCurve":[],"maxPower":[],"contract":[],"distributorError":[]}`)
	}
	handler(rw, r)
}

func (w *world) asked(r *http.Request) string {
	q := r.URL.Query()
	dash := func(name string) string { return strings.ReplaceAll(q.Get(name), "/", "-") }
	window := dash("startDate")
	if end := dash("endDate"); end != window {
		window += ".." + end
	}
	// The token that logIn gives says who asks.
	claims, _ := base64.RawURLEncoding.DecodeString(strings.Split(r.Header.Get("Authorization"), ".")[1])
	var who struct {
		Sub string `json:"sub"`
	}
	_ = json.Unmarshal(claims, &who)
	switch {
	case strings.Contains(r.URL.Path, "consumption"):
		return who.Sub + " " + map[string]string{"0": "hour ", "1": "quarter "}[q.Get("measurementType")] + window
	case strings.Contains(r.URL.Path, "max-power"):
		return who.Sub + " power " + window
	case strings.Contains(r.URL.Path, "contract"):
		return who.Sub + " contract"
	}
	return ""
}

func (w *world) logIn(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	name := form.Get("username")
	if w.broken["login "+name] != nil {
		says(500, `{"message":"Bad credentials"}`)(rw, r)
		return
	}
	encode := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, name, w.clock().Unix(), w.clock().Add(24*time.Hour).Unix())
	_, _ = io.WriteString(rw, strings.Join([]string{encode([]byte(`{"alg":"HS512"}`)), encode([]byte(claims)), encode([]byte("s"))}, "."))
}

// on says how something is answered, in turn.
func (w *world) on(what string, answers ...http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[what] = answers
}

func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			rw.Header().Set(headers[i], headers[i+1])
		}
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}
}

// cut breaks the connection in the middle of an answer.
func cut(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(rw, `{"timeCurve":[`)
	panic(http.ErrAbortHandler)
}

// hours is a month of hours, each of that many kWh, up to a day of it: 0 for
// all. It is no month in which the clocks change.
func hours(text string, kwh float64, upTo int) http.HandlerFunc {
	m := month(text)
	var rows []string
	for day := m.Start().Add(12 * time.Hour); day.Before(m.End()) && (upTo == 0 || day.Day() <= upTo); day = day.AddDate(0, 0, 1) {
		for hour := 1; hour <= 24; hour++ {
			rows = append(rows, fmt.Sprintf(`{"cups":%q,"date":%q,"time":"%02d:00","consumptionKWh":%g,"obtainMethod":"Real"}`,
				testCUPS, day.Format("2006/01/02"), hour, kwh))
		}
	}
	return says(200, `{"timeCurve":[`+strings.Join(rows, ",")+`],"distributorError":[]}`)
}

// peaks is maximum power of these months.
func peaks(months ...string) http.HandlerFunc {
	var rows []string
	for _, m := range months {
		rows = append(rows, fmt.Sprintf(`{"cups":%q,"date":"%s/10","time":"11:15","maxPower":3.5,"period":"1"}`, testCUPS, strings.ReplaceAll(m, "-", "/")))
	}
	return says(200, `{"maxPower":[`+strings.Join(rows, ",")+`],"distributorError":[]}`)
}

// full lets Datadis have all of the usual window.
func (w *world) full() {
	for _, m := range []string{"2026-07", "2026-08"} {
		w.on("hour "+m, hours(m, 0.5, 0))
	}
	w.on("hour 2026-09", hours("2026-09", 0.5, 14))
}

func month(text string) sdk.Month {
	m, err := sdk.ParseMonth(text)
	if err != nil {
		panic(err)
	}
	return m
}

func hourly(text string) ledger.Key { return ledger.Key{Series: sdk.EnergyHourly, Month: month(text)} }
func power(text string) ledger.Key  { return ledger.Key{Series: sdk.PowerMonthly, Month: month(text)} }

// access is what an account sees of the supply, for these sources.
func access(login string, sources ...string) job.Access {
	return job.Access{
		Account: "a-" + login, Login: login, Sources: sources, CUPS: testCUPS, Distributor: "2", PointType: 5,
		Supply: json.RawMessage(`{"cups":"` + string(testCUPS) + `","distributorCode":"2","pointType":5,"address":"CALLE EJEMPLO 1","new":1}`),
	}
}

// handle downloads the supply through these accounts.
func (w *world) handle(attempt int, accesses ...job.Access) job.Verdict {
	w.t.Helper()
	return w.device(attempt, job.Device{Accesses: accesses})
}

func (w *world) device(attempt int, d job.Device) job.Verdict {
	w.t.Helper()
	body, err := d.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Handle(w.t.Context(), body, attempt)
}

// done downloads the supply, which must go well.
func (w *world) done(accesses ...job.Access) map[string]int64 {
	w.t.Helper()
	verdict := w.handle(1, accesses...)
	if verdict.Action != job.Done {
		w.t.Fatalf("the verdict is %+v; so far %s", verdict, w.take())
	}
	return verdict.Counts
}

// book is what the ledger has.
func (w *world) book() *ledger.Book {
	w.t.Helper()
	b, err := ledger.New(w.memory, ledger.Config{Now: w.clock}).Open(w.t.Context(), testCUPS)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) cell(key ledger.Key) ledger.Cell {
	w.t.Helper()
	c, _ := w.book().Cell(key)
	return c
}

// want compares two texts.
func (w *world) want(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: %s\nwant %s", what, got, want)
	}
}

// counted compares counters; those that are not named must be zero, but for
// those of sources.
func (w *world) counted(got map[string]int64, want map[string]int64) {
	w.t.Helper()
	for _, name := range []string{job.Asked, job.Refused, job.Failed, job.Left, job.Unchanged, job.Shrunk, job.FromRaw} {
		if got[name] != want[name] {
			w.t.Errorf("%s: counted %d, want %d", name, got[name], want[name])
		}
	}
	for name, n := range want {
		if got[name] != n {
			w.t.Errorf("%s: counted %d, want %d", name, got[name], n)
		}
	}
}
