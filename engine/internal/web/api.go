package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/health"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/sdk"
)

// site is everything that is served on TCP.
type site struct {
	Config
	status   *cache[view.Status]
	accounts *cache[[]view.Account]
	coverage *cache[coverage.Report]
	letters  *cache[[]view.Letter]
}

func newSite(c Config) *site {
	return &site{
		Config: c, status: newCache[view.Status](briefly), accounts: newCache[[]view.Account](awhile),
		coverage: newCache[coverage.Report](awhile), letters: newCache[[]view.Letter](briefly),
	}
}

// Handler serves probes, metrics, API and page to whom Access lets.
func Handler(c Config, a Access) http.Handler {
	s := newSite(c)
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("/readyz", s.ready)
	mux.Handle("/metrics", c.Metrics)
	s.api(mux)
	s.pages(mux)
	return guard(mux, a)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// ready answers 200 or 503, and why: as JSON to whoever asks for it.
func (s *site) ready(w http.ResponseWriter, r *http.Request) {
	report := s.Health()
	for i := range report.Checks {
		report.Checks[i].Reason = s.Mask(report.Checks[i].Reason)
	}
	status := http.StatusOK
	if !report.Ready {
		status = http.StatusServiceUnavailable
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") || r.FormValue("format") == "json" {
		writeJSON(w, status, report)
		return
	}
	plain(w, status, readyText(report))
}

// readyText is the report as lines.
func readyText(r health.Report) string {
	if r.Ready {
		return "ready"
	}
	return strings.Join(append([]string{"not ready"}, r.Reasons()...), "\n- ")
}

// api serves what the commands show.
func (s *site) api(mux *http.ServeMux) {
	answer := func(path string, get func(r *http.Request) (any, error)) {
		mux.HandleFunc("/api/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			value, err := get(r)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			writeJSON(w, http.StatusOK, value)
		})
	}
	answer("status", func(r *http.Request) (any, error) { return s.getStatus(r.Context()) })
	answer("runs", func(r *http.Request) (any, error) {
		status, err := s.getStatus(r.Context())
		return status.Runs, err
	})
	answer("queues", func(r *http.Request) (any, error) {
		status, err := s.getStatus(r.Context())
		return status.Queues, err
	})
	answer("accounts", func(r *http.Request) (any, error) { return s.getAccounts(r.Context()) })
	answer("coverage", func(r *http.Request) (any, error) { return s.getCoverage(r) })
	answer("dead", func(r *http.Request) (any, error) { return s.getLetters(r.Context(), filterOf(r)) })
	answer("plugins", func(*http.Request) (any, error) { return s.getPlugins(), nil })
	answer("health", func(*http.Request) (any, error) { return s.Health(), nil })
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusNotFound, problem{"there is status, runs, queues, accounts, coverage, dead, plugins and health below /api/v1/"})
	})
}

// problem is an error as the API tells it.
type problem struct {
	Error string `json:"error"`
}

// errAsked marks an error as the fault of whoever asks.
var errAsked = errors.New("wrong parameter")

func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, errAsked):
		status = http.StatusBadRequest
	case errors.As(err, new(view.Refusal)):
		status = http.StatusConflict
	default:
		s.Logger.Warn("cannot answer", "path", r.URL.Path, "error", err)
	}
	writeJSON(w, status, problem{s.Mask(err.Error())})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(value) // whoever reads is gone
}

func (s *site) getStatus(ctx context.Context) (view.Status, error) {
	return s.status.get(ctx, "", s.Desk.Status)
}

func (s *site) getAccounts(ctx context.Context) ([]view.Account, error) {
	return s.accounts.get(ctx, "", func(ctx context.Context) ([]view.Account, error) {
		accounts, err := s.Desk.Accounts(ctx)
		if accounts == nil {
			accounts = []view.Account{}
		}
		return accounts, err
	})
}

func (s *site) getPlugins() []view.Plugin {
	plugins := s.Plugins()
	if plugins == nil {
		plugins = []view.Plugin{}
	}
	return plugins
}

// getLetters masks what it gives, unless personal data is shown.
func (s *site) getLetters(ctx context.Context, f view.LetterFilter) ([]view.Letter, error) {
	all, err := s.letters.get(ctx, "", func(ctx context.Context) ([]view.Letter, error) {
		return s.Desk.Letters(ctx, view.LetterFilter{})
	})
	letters := []view.Letter{}
	for _, l := range all {
		if !f.Selects(l) {
			continue
		}
		if !s.Clear {
			l = l.Masked(s.Mask)
		}
		letters = append(letters, l)
	}
	return letters, err
}

// mostMonths is more than any ledger has.
const mostMonths = 120

// perPage is how many supplies the coverage shows at once.
const perPage = 40

func (s *site) getCoverage(r *http.Request) (coverage.Report, error) {
	request := coverage.Request{Limit: perPage, Clear: s.Clear}
	var err error
	for name, to := range map[string]*int{"offset": &request.Offset, "limit": &request.Limit} {
		if text := r.FormValue(name); text != "" {
			if *to, err = strconv.Atoi(text); err != nil || *to < 0 || *to > 100_000_000 {
				return coverage.Report{}, fmt.Errorf("%w: %s is no number", errAsked, name)
			}
		}
	}
	request.Limit = min(max(request.Limit, 1), 1000)
	for name, to := range map[string]*sdk.Month{"from": &request.From, "to": &request.To} {
		if text := r.FormValue(name); text != "" {
			if *to, err = sdk.ParseMonth(text); err != nil {
				return coverage.Report{}, fmt.Errorf("%w: %s: %w", errAsked, name, err)
			}
		}
	}
	if request.From > 0 && request.To > 0 && request.To-request.From > mostMonths {
		return coverage.Report{}, fmt.Errorf("%w: more than %d months", errAsked, mostMonths)
	}
	name := fmt.Sprint(request)
	return s.coverage.get(r.Context(), name, func(ctx context.Context) (coverage.Report, error) {
		return s.Desk.Coverage(ctx, request)
	})
}

// filterOf reads a filter of dead letters. A CUPS is none of it: addresses end
// up in logs.
func filterOf(r *http.Request) view.LetterFilter {
	return view.LetterFilter{
		Letter: r.FormValue("letter"), Run: r.FormValue("run"), Queue: r.FormValue("queue"),
		Class: r.FormValue("class"), Account: r.FormValue("account"), Source: r.FormValue("source"),
	}
}
