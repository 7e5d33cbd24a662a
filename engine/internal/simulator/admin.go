package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"time"
)

// maxAdminBody bounds what checkers may send.
const maxAdminBody = 1 << 20

// handleAdmin serves what is for checkers.
func (s *Simulator) handleAdmin(mux *http.ServeMux) {
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /simulator/clock":        s.showClock,
		"POST /simulator/clock":       s.moveClock,
		"GET /simulator/requests":     s.showRequests,
		"GET /simulator/summary":      func(w http.ResponseWriter, _ *http.Request) { sendJSON(w, s.Summary()) },
		"GET /simulator/truth":        table(s.WriteTruth),
		"GET /simulator/entitlements": table(s.WriteEntitlements),
		"GET /simulator/users":        table(s.WriteUsers),
		"GET /simulator/faults":       s.showFaults,
		"POST /simulator/faults":      s.replaceFaults,
		"DELETE /simulator/faults":    s.clearFaults,
	} {
		mux.HandleFunc(pattern, loopback(handler))
	}
	mux.HandleFunc("/simulator/", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
}

// loopback lets only this machine in.
func loopback(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			http.Error(w, "only loopback addresses may use this", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
		handler(w, r)
	}
}

// table serves a CSV file, whole or, if it cannot be made, not at all.
func table(write func(io.Writer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv;charset=UTF-8")
		if err := write(w); err != nil {
			panic(http.ErrAbortHandler) // the client has gone, or must not take a part for the whole
		}
	}
}

func (s *Simulator) showClock(w http.ResponseWriter, _ *http.Request) {
	sendJSON(w, struct {
		Now     time.Time `json:"now"`
		Stopped bool      `json:"stopped"`
	}{s.clock.now().UTC(), s.clock.isStopped()})
}

func (s *Simulator) moveClock(w http.ResponseWriter, r *http.Request) {
	var move struct {
		Now     *time.Time `json:"now"`
		Advance Duration   `json:"advance"`
		Stopped *bool      `json:"stopped"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&move); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if move.Stopped != nil {
		s.clock.stop(*move.Stopped)
	}
	if move.Now != nil {
		s.clock.set(*move.Now)
	}
	if move.Advance != 0 {
		s.clock.advance(time.Duration(move.Advance))
	}
	s.showClock(w, r)
}

func (s *Simulator) showRequests(w http.ResponseWriter, r *http.Request) {
	outcome := r.URL.Query().Get("outcome")
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	for _, request := range s.Requests() {
		if outcome != "" && request.Outcome != outcome {
			continue
		}
		if enc.Encode(request) != nil {
			return // the client has gone
		}
	}
}

func (s *Simulator) showFaults(w http.ResponseWriter, _ *http.Request) {
	type state struct {
		Rule
		Struck int `json:"struck"`
	}
	s.faults.mu.Lock()
	states := make([]state, len(s.faults.rules))
	for i, rule := range s.faults.rules {
		states[i] = state{rule, s.faults.struck[i]}
	}
	s.faults.mu.Unlock()
	sendJSON(w, states)
}

func (s *Simulator) replaceFaults(w http.ResponseWriter, r *http.Request) {
	rules, err := ReadFaults(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.faults.replace(rules)
	s.showFaults(w, r)
}

func (s *Simulator) clearFaults(w http.ResponseWriter, r *http.Request) {
	s.faults.replace(nil)
	s.showFaults(w, r)
}

func sendJSON(w http.ResponseWriter, v any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = body.WriteTo(w) // the client may have gone
}
