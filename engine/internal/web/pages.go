package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/health"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

//go:embed page
var pageFiles embed.FS

var pageTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"n": Grouped, "many": many, "clock": clock, "ago": ago, "took": Took, "left": Left, "join": strings.Join, "rate": rate,
}).ParseFS(pageFiles, "page/*.tmpl"))

// refreshEvery is how often a page of something under way is loaded again, in
// seconds.
const refreshEvery = 5

// sheet is what every page is made of.
type sheet struct {
	Title   string
	Here    string // the path
	Command string
	Version string
	Health  health.Report
	Refresh int // seconds; 0: not
	Paused  bool
	At      time.Time
	Body    any
}

// Reasons says why the process is not ready.
func (s sheet) Reasons() []string { return s.Health.Reasons() }

// pages serves the page. Each part of it is an address of its own, so that it
// needs no script.
func (s *site) pages(mux *http.ServeMux) {
	mux.HandleFunc("/style.css", func(w http.ResponseWriter, _ *http.Request) {
		style, err := pageFiles.ReadFile("page/style.css")
		if err != nil {
			panic(err) // the file is compiled in
		}
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = fmt.Fprintf(w, "%s\n%s", style, coverage.Style)
	})
	for path, page := range map[string]struct {
		title, name string
		body        func(*http.Request) (any, bool, error)
	}{
		"/{$}":       {"Runs", "overview.tmpl", s.overview},
		"/runs/{id}": {"Run", "run.tmpl", s.oneRun},
		"/accounts":  {"Accounts", "accounts.tmpl", s.accountsPage},
		"/coverage":  {"Coverage", "coverage.tmpl", s.coveragePage},
		"/dead":      {"Dead letters", "dead.tmpl", s.deadPage},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			body, moving, err := page.body(r)
			s.show(w, r, page.name, sheet{Title: page.title, Body: body}, moving, err)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.show(w, r, "missing.tmpl", sheet{Title: "Nothing here"}, false, errNothing)
	})
}

// show writes a page, or what kept it from being made.
func (s *site) show(w http.ResponseWriter, r *http.Request, name string, page sheet, moving bool, err error) {
	status := http.StatusOK
	if err != nil {
		name, status = "failed.tmpl", http.StatusServiceUnavailable
		page.Body = s.Mask(err.Error())
		if errors.Is(err, errNothing) {
			name, status = "missing.tmpl", http.StatusNotFound
		} else {
			s.Logger.Warn("cannot show the page", "path", r.URL.Path, "error", err)
		}
	}
	page.Here, page.Command, page.Version, page.Health, page.At = r.URL.Path, s.Command, s.Version, s.Health(), time.Now().UTC()
	page.Paused = r.FormValue("refresh") == "off"
	if moving {
		page.Refresh = refreshEvery
	}
	var out bytes.Buffer
	if err := pageTemplates.ExecuteTemplate(&out, name, page); err != nil {
		s.Logger.Error("cannot draw the page", "path", r.URL.Path, "error", err)
		plain(w, http.StatusInternalServerError, "the page cannot be drawn; the log says why")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// overview is the first page: runs, queues and plugins.
type overview struct {
	view.Status
	Moving, Past []view.Run
	Plugins      []view.Plugin
}

func (s *site) overview(r *http.Request) (any, bool, error) {
	status, err := s.getStatus(r.Context())
	if err != nil {
		return nil, false, err
	}
	o := overview{Status: status, Plugins: s.getPlugins()}
	for _, run := range status.Runs {
		if run.Over() {
			o.Past = append(o.Past, run)
		} else {
			o.Moving = append(o.Moving, run)
		}
	}
	o.Past = o.Past[:min(len(o.Past), mostPast)]
	return o, len(o.Moving) > 0, nil
}

// mostPast is how many runs that are over the page shows.
const mostPast = 30

func (s *site) oneRun(r *http.Request) (any, bool, error) {
	status, err := s.getStatus(r.Context())
	if err != nil {
		return nil, false, err
	}
	at := slices.IndexFunc(status.Runs, func(run view.Run) bool { return run.ID == r.PathValue("id") })
	if at < 0 {
		return nil, false, errNothing
	}
	run := status.Runs[at]
	return run, !run.Over(), nil
}

func (s *site) accountsPage(r *http.Request) (any, bool, error) {
	accounts, err := s.getAccounts(r.Context())
	return struct {
		Accounts []view.Account
		All      int
	}{accounts[:min(len(accounts), mostRows)], len(accounts)}, false, err
}

// mostRows is how many rows a page shows; the API has all.
const mostRows = 500

func (s *site) deadPage(r *http.Request) (any, bool, error) {
	letters, err := s.getLetters(r.Context(), filterOf(r))
	return struct {
		Letters []view.Letter
		All     int
	}{letters[:min(len(letters), mostRows)], len(letters)}, false, err
}

func (s *site) coveragePage(r *http.Request) (any, bool, error) {
	report, err := s.getCoverage(r)
	if err != nil {
		return nil, false, err
	}
	drawn, err := coverage.Map(report)
	body := struct {
		coverage.Report
		Map            template.HTML
		First, Last    int
		Before, Behind string // addresses
	}{Report: report, Map: drawn, First: report.Offset + 1, Last: report.Offset + report.Shown}
	at := func(offset int) string { return "/coverage?offset=" + strconv.Itoa(offset) }
	if report.Offset > 0 {
		body.Before = at(max(0, report.Offset-perPage))
	}
	if body.Last < report.Supplies {
		body.Behind = at(body.Last)
	}
	return body, false, err
}
