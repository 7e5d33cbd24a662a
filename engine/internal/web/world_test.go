package web_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/health"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/logging"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/engine/internal/web"
	"github.com/datadis-engine/datadis/sdk"
)

const (
	cups  = "ES0031000000000001BJ"
	nif   = "12345678Z"
	token = "a-token-of-the-test"
)

// office answers as a desk would.
type office struct {
	status   view.Status
	accounts []view.Account
	letters  []view.Letter
	rows     bool
	err      error
	asked    int // how often the status was
	acted    []string
}

func (o *office) Status(context.Context) (view.Status, error) {
	o.asked++
	return o.status, o.err
}

func (o *office) Accounts(context.Context) ([]view.Account, error) { return o.accounts, o.err }

func (o *office) Letters(_ context.Context, f view.LetterFilter) ([]view.Letter, error) {
	var selected []view.Letter
	for _, l := range o.letters {
		if f.Selects(l) {
			selected = append(selected, l)
		}
	}
	return selected, o.err
}

func (o *office) Coverage(_ context.Context, r coverage.Request) (coverage.Report, error) {
	report := coverage.Report{At: started, Offset: r.Offset}
	if !o.rows {
		return report, o.err
	}
	month := sdk.NewMonth(2026, time.October)
	name := sdk.CUPS(cups).Masked()
	if r.Clear {
		name = cups
	}
	report.Supplies, report.Shown, report.Months = 90, min(40, 90-r.Offset), []sdk.Month{month}
	report.Rows = []coverage.Row{{CUPS: name, Series: sdk.EnergyHourly.String(), Complete: 1, Known: 1, Covered: 745, Expected: 745,
		Cells: []coverage.Cell{{Month: month, State: ledger.Complete, Covered: 745, Expected: 745}}}}
	return report, o.err
}

func (o *office) act(became string, f view.LetterFilter) ([]view.Acted, error) {
	o.acted = append(o.acted, became+" "+f.CUPS)
	letters, err := o.Letters(context.Background(), f)
	var acted []view.Acted
	for _, l := range letters {
		acted = append(acted, view.Acted{Letter: l, Became: became})
	}
	return acted, err
}

func (o *office) Retry(_ context.Context, f view.LetterFilter) ([]view.Acted, error) {
	return o.act("handed_over", f)
}

// Steer notes what it is told.
func (o *office) Steer(_ context.Context, order view.Order) (view.Steered, error) {
	if order.Run == "none" {
		return view.Steered{}, view.Refusal("no run none is under way")
	}
	return view.Steered{Action: order.Action, Run: "r1", Account: order.Account, Changed: true}, nil
}

// Drop forgets.
func (o *office) Drop(_ context.Context, f view.LetterFilter) ([]view.Acted, error) {
	return o.act("dropped", f)
}

var started = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)

// busy is an office with something of everything.
func busy() *office {
	return &office{
		rows: true,
		status: view.Status{
			At: started, DeadLetters: 2, HandedOver: 1,
			Runs: []view.Run{
				{ID: "20261124T020000-aaaaaaaa", Policy: "repair", State: "open", Started: started, Deadline: started.Add(20 * time.Hour),
					Accounts: view.Progress{Done: 3, Total: 4}, Supplies: view.Progress{Done: 1200, Total: 4800}, Chunks: 9000, Readings: 6_500_000,
					Rejected: 1, Dead: 1, Pace: view.Pace{PerSecond: .5, Seconds: 7200, AtLeast: true}, Notes: []string{"somebody cancelled it"}},
				{ID: "20261123T020000-bbbbbbbb", Policy: "last", State: "finished", Outcome: "partial", Started: started.AddDate(0, 0, -1),
					Finished: started.AddDate(0, 0, -1).Add(95 * time.Minute), Supplies: view.Progress{Done: 10, Total: 10}, Deferred: 2,
					Sources:       []view.Source{{Name: "north", Logins: 2, Chunks: 10}},
					FailedSources: map[string]string{"south": "<script>alert(1)</script>"},
					FailedGrants:  []view.FailedGrant{{Source: "north", User: "******78Z", Reason: "not authorised"}},
					Counts:        map[string]int64{"asked": 12}},
			},
			Queues: []view.Queue{{Run: "20261124T020000-aaaaaaaa", Policy: "repair", Name: view.Users, Waiting: 1, Done: 3}},
		},
		accounts: []view.Account{{ID: "acc1", Login: "login123", State: "done", Sources: []string{"north"}, Own: true, Supplies: 3, Stale: 1, ListedAt: started}},
		letters: []view.Letter{
			view.Letter{Run: "20261123T020000-bbbbbbbb", Queue: view.Devices, ID: cups, Sources: []string{"north"}, Class: "unauthorised",
				Reason: "not for " + cups + " of " + nif, Attempts: 4, First: started, Last: started, HandedOver: started,
				Body: `{"v":1,"item":{"accesses":[{"cups":"` + cups + `0F","nif":"` + nif + `"}]}}`}.Named(),
			view.Letter{Run: "20261124T020000-aaaaaaaa", Queue: view.Users, ID: "login.acc", Class: "schema", Reason: "unknown version", Last: started}.Named(),
		},
	}
}

// config serves what the office answers.
func config(o *office, board *health.Board) web.Config {
	return web.Config{
		Desk: o, Health: board.Report, Mask: logging.Mask, Command: "consumer", Version: "v1", Logger: slog.New(slog.DiscardHandler),
		Plugins: func() []view.Plugin {
			return []view.Plugin{{Name: "north", Plugin: "file", Version: "1.0", Kinds: []string{"source"}, Reason: "it ended: exit status 2", Restarts: 3}}
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics\n") }),
	}
}

func well() *health.Board {
	var b health.Board
	b.Set("redis users", true, "")
	return &b
}

// answer is what a handler says to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, h http.Handler, path string, header ...string) answer {
	t.Helper()
	return do(t, h, http.MethodGet, path, header...)
}

func do(t *testing.T, h http.Handler, method, path string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	r.Host = "127.0.0.1:8080"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

var errDown = errors.New("dial tcp 10.0.0.1:6379: connection refused for " + cups)

func holds(t *testing.T, where, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", where, part, text)
		}
	}
}
