package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

// maxRequest bounds what a command sends.
const maxRequest = 1 << 20

// Private serves the engine's own commands on the socket that only its owner can
// open: the same API, with nothing masked and nothing kept back, and what
// changes dead letters and steers runs. Filters come in bodies, as they may name a CUPS.
func Private(c Config, act Actions) http.Handler {
	c.Clear = true
	s := newSite(c)
	mux := http.NewServeMux()
	s.api(mux)
	post(mux, s, "coverage", func(r *http.Request, q coverage.Request) (any, error) {
		return s.Desk.Coverage(r.Context(), q)
	})
	post(mux, s, "dead", func(r *http.Request, f view.LetterFilter) (any, error) {
		letters, err := s.Desk.Letters(r.Context(), f)
		if letters == nil {
			letters = []view.Letter{}
		}
		return letters, err
	})
	post(mux, s, "dead/retry", func(r *http.Request, f view.LetterFilter) (any, error) {
		return act.Retry(r.Context(), f)
	})
	post(mux, s, "dead/drop", func(r *http.Request, f view.LetterFilter) (any, error) {
		return act.Drop(r.Context(), f)
	})
	post(mux, s, "runs/steer", func(r *http.Request, o view.Order) (any, error) {
		done, err := act.Steer(r.Context(), o)
		s.status.forget() // whoever gave the order looks next
		s.accounts.forget()
		return done, err
	})
	return mux
}

// post adds a call that takes a T as JSON.
func post[T any](mux *http.ServeMux, s *site, path string, do func(*http.Request, T) (any, error)) {
	mux.HandleFunc("POST /api/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
		var asked T
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err == nil {
			err = json.Unmarshal(body, &asked)
		}
		if err != nil {
			s.fail(w, r, fmt.Errorf("%w: %w", errAsked, err))
			return
		}
		value, err := do(r, asked)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, value)
	})
}
