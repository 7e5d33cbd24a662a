package simulator

import (
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Request is a call as the request log has it. It holds neither passwords nor
// tokens.
type Request struct {
	Time       time.Time `json:"time"` // simulated
	Real       time.Time `json:"real"`
	Client     string    `json:"client,omitempty"` // the address that the call came from
	Endpoint   string    `json:"endpoint"`
	Version    int       `json:"version,omitempty"`
	Username   string    `json:"username,omitempty"`
	NIF        string    `json:"nif,omitempty"`
	CUPS       string    `json:"cups,omitempty"`
	Query      string    `json:"query,omitempty"` // of guarded calls: what the 24-hour rule tells apart
	From       string    `json:"from,omitempty"`  // startDate
	To         string    `json:"to,omitempty"`    // endDate
	Status     int       `json:"status,omitempty"`
	Outcome    string    `json:"outcome"`
	Fault      string    `json:"fault,omitempty"` // its kind, also where the outcome is not the fault's
	Registered bool      `json:"registered"`      // the 24-hour rule counts it
	Abandoned  bool      `json:"abandoned,omitempty"`
	Nth        int       `json:"nth,omitempty"` // time that this was asked since the start
}

// keptRequests is how many calls are kept in memory; the file has all.
const keptRequests = 200_000

// requestLog keeps the calls.
type requestLog struct {
	out    io.Writer // may be nil
	logger *slog.Logger

	mu     sync.Mutex
	kept   []Request
	counts map[string]map[string]int
	total  int
	broken bool // out failed; said once
}

// Summary counts calls by endpoint and outcome.
type Summary struct {
	Total     int                       `json:"total"`
	Refused   int                       `json:"refused"` // by the 24-hour rule
	Endpoints map[string]map[string]int `json:"endpoints"`
}

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if l.counts == nil {
		l.counts = make(map[string]map[string]int)
	}
	if l.counts[r.Endpoint] == nil {
		l.counts[r.Endpoint] = make(map[string]int)
	}
	l.counts[r.Endpoint][r.Outcome]++
	if len(l.kept) >= keptRequests {
		l.kept = slices.Delete(l.kept, 0, keptRequests/10)
	}
	l.kept = append(l.kept, r)
	l.write(r)
}

func (l *requestLog) write(r Request) {
	if l.out == nil || l.broken {
		return
	}
	if err := json.NewEncoder(l.out).Encode(r); err != nil {
		l.broken = true
		l.logger.Error("cannot write the request log", "error", err)
	}
}

func (l *requestLog) requests() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.kept)
}

func (l *requestLog) summarize() Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Summary{Total: l.total, Endpoints: make(map[string]map[string]int, len(l.counts))}
	for name, outcomes := range l.counts {
		s.Endpoints[name] = make(map[string]int, len(outcomes))
		for outcome, n := range outcomes {
			s.Endpoints[name][outcome] = n
		}
		s.Refused += outcomes[OutcomeRefused]
	}
	return s
}

// log writes a call down before it is answered: whoever has the answer finds
// the call in the log.
func (c *call) log(a answer) {
	outcome := a.outcome
	if c.fault != nil && c.loses() {
		outcome = "fault:" + c.kind
	}
	c.sim.log.add(Request{
		Time: c.now.UTC(), Real: c.began.UTC(),
		Client: c.client, Endpoint: c.name, Version: c.version,
		Username: c.account, NIF: c.get("authorizedNif"), CUPS: c.get("cups"),
		Query: c.ruleKey(), From: c.get("startDate"), To: c.get("endDate"),
		Status: a.status, Outcome: outcome, Fault: c.kind,
		Registered: c.registered, Abandoned: c.abandoned, Nth: c.nth,
	})
}
