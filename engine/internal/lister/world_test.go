package lister

import (
	"context"
	"encoding/base64"
	"encoding/json"
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

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/entitlement"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/login"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/sdk"
)

// site is a Datadis that answers as a test says.
type site struct {
	mu      sync.Mutex
	asked   []string // user name, or the distributor asked alone, in order
	wrong   map[string]int
	answers map[string][]answer // by distributor asked alone, "" for all; the last one stays
	server  *httptest.Server
}

type answer struct {
	status int
	body   string
	header http.Header
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{wrong: make(map[string]int), answers: make(map[string][]answer)}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// ServeHTTP implements [http.Handler].
func (s *site) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/tokens/login") {
		s.logIn(rw, r)
		return
	}
	distributor := r.URL.Query().Get("distributorCode")
	what := "list " + distributor
	if nif := r.URL.Query().Get("authorizedNif"); nif != "" {
		what += "as " + nif
	}
	s.asked = append(s.asked, strings.TrimSpace(what))
	list := s.answers[distributor]
	if len(list) == 0 {
		list = []answer{rows()}
	}
	if len(list) > 1 {
		s.answers[distributor] = list[1:]
	}
	for name, values := range list[0].header {
		rw.Header()[name] = values
	}
	rw.WriteHeader(list[0].status)
	_, _ = io.WriteString(rw, list[0].body)
}

// logIn refuses a user as often as the test says.
func (s *site) logIn(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	user := form.Get("username")
	s.asked = append(s.asked, "login "+user)
	if s.wrong[user] > 0 {
		s.wrong[user]--
		rw.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(rw, `{"status":500,"message":"Bad credentials"}`)
		return
	}
	encode := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, user, start.Unix(), start.Add(24*time.Hour).Unix())
	_, _ = io.WriteString(rw, strings.Join([]string{encode([]byte(`{"alg":"HS512"}`)), encode([]byte(claims)), encode([]byte("s"))}, "."))
}

func (s *site) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// say lets the site answer a listing, of one distributor or of all, in turn.
func (s *site) say(distributor string, answers ...answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[distributor] = answers
}

// row is a supply as Datadis lists it.
func row(distributor, cups, from, to string) string {
	return fmt.Sprintf(`{"cups":%q,"address":"CALLE EJEMPLO 1","postalCode":"8001","distributor":"D","validDateFrom":%q,"validDateTo":%q,"pointType":5,"distributorCode":%q}`,
		cups, from, to, distributor)
}

func supply(distributor, cups string) string { return row(distributor, cups, "2024/02/01", "") }

// rows is a whole list.
func rows(list ...string) answer { return failing("", list...) }

// failing is a list with an error of a distributor: code and distributor as in
// "10/5".
func failing(failure string, list ...string) answer {
	errors := ""
	if code, distributor, ok := strings.Cut(failure, "/"); ok {
		text := map[string]string{"2": "La distribuidora no puede facilitar información a ese NIF"}[code]
		if text == "" {
			text = "Error interno distribuidora"
		}
		errors = fmt.Sprintf(`{"distributorCode":%q,"distributorName":"X","errorCode":%q,"errorDescription":%q}`, distributor, code, text)
	}
	return answer{status: 200, body: `{"supplies":[` + strings.Join(list, ",") + `],"distributorError":[` + errors + `]}`}
}

func status(code int, body string) answer { return answer{status: code, body: body} }

// world is a lister with all that it works with. The queue of devices is a
// fake, as are the sessions; the rest is real, on a stand-in for Redis.
type world struct {
	*Lister
	*site
	t        *testing.T
	client   redis.UniversalClient
	datadis  *datadis.Client
	store    store.Store
	register *entitlement.Register
	now      time.Time

	mu      sync.Mutex
	devices map[string]job.Device
	failed  []sdk.FailedGrant
	broken  error // what the sessions, and the queue of devices, fail with
}

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{site: newSite(t), t: t, client: redistest.Mini(t).Client(t), now: start, devices: make(map[string]job.Device)}
	w.refreshed()
	w.store = store.NewRedis(w.client, "dd:")
	w.register = entitlement.NewRegister(w.store)
	w.begin("run1")
	return w
}

// refreshed is a process that has no tokens yet.
func (w *world) refreshed() {
	w.t.Helper()
	config := datadis.Default()
	config.BaseURL, config.RetryDelay, config.LoginRetry = w.server.URL, time.Millisecond, 0
	config.Now = func() time.Time { return start }
	var err error
	if w.datadis, err = datadis.New(config); err != nil {
		w.t.Fatal(err)
	}
}

// begin starts a run.
func (w *world) begin(run string) {
	w.failed, w.devices = nil, make(map[string]job.Device)
	w.Lister = New(Config{
		Run: run, Sessions: w, Logins: login.NewBook(w.client, run, 0),
		Streaks:     entitlement.NewLogins(w.store, func() time.Time { return w.now }),
		Entitlement: w.register, Devices: w, Failures: w,
		Now: func() time.Time { return w.now }, Pauses: []time.Duration{0, 0}, Logger: slog.New(slog.DiscardHandler),
	})
}

// Session implements Sessions: a login's id is its user name.
func (w *world) Session(_ context.Context, id string) (*datadis.Session, sdk.NIF, error) {
	if w.broken != nil {
		return nil, "", w.broken
	}
	return w.datadis.Session(datadis.Login{ID: id, Username: id, Password: sdk.NewSecret("x")}), sdk.NIF(id), nil
}

// Merge implements Devices.
func (w *world) Merge(_ context.Context, access job.Access) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	device := w.devices[string(access.CUPS.Key())]
	device.Unite(access)
	w.devices[string(access.CUPS.Key())] = device
	return nil
}

// Add implements Failures.
func (w *world) Add(_ context.Context, failed ...sdk.FailedGrant) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = append(w.failed, failed...)
	return nil
}

// user is the account of a user's own supplies, which north wants.
func user(name string) job.User {
	return job.User{Account: "a-" + name, Login: name, Wants: []job.Want{{Source: "north"}}, LoginSources: []string{"north"}}
}

// handle lists an account.
func (w *world) handle(u job.User, attempt int) job.Verdict {
	w.t.Helper()
	body, err := u.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Handle(w.t.Context(), body, attempt)
}

// queued lists what is on the queue of devices.
func (w *world) queued() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, d := range w.devices {
		all = append(all, string(d.Accesses[0].CUPS))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// entitled lists what the account may see.
func (w *world) entitled(u job.User) string {
	w.t.Helper()
	current, err := w.register.Current(w.t.Context(), u.Listing())
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range current {
		all = append(all, string(e.CUPS))
	}
	return strings.Join(all, " ")
}

// is compares a verdict, but for its sentence.
func (w *world) is(got, want job.Verdict) {
	w.t.Helper()
	got.Failure.Reason = ""
	if !sameJSON(got, want) {
		w.t.Errorf("the verdict is %+v\nwant %+v", got, want)
	}
}

func sameJSON(a, b any) bool {
	one, _ := json.Marshal(a)
	other, _ := json.Marshal(b)
	return string(one) == string(other)
}

// done is the verdict on an account that was listed.
func done(counts map[string]int64) job.Verdict { return job.Verdict{Counts: counts} }

// first are the counters of a login's first account with so many supplies.
func first(supplies int64) map[string]int64 {
	counts := map[string]int64{
		job.Logins: 1, job.PerSource(job.Logins, "north"): 1, job.Accounts: 1, job.PerSource(job.Accounts, "north"): 1,
	}
	if supplies > 0 {
		counts[job.PerSource(job.Supplies, "north")] = supplies
	}
	return counts
}

const (
	cupsA = "ES0031000000000001BJ0F"
	cupsB = "ES0031000000000002BD0F"
	cupsC = "ES0021000000000003CC"
)
