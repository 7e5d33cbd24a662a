package view

import (
	"sync"
	"time"
)

// Pace is how fast a run goes, as measured. What is not known is zero.
type Pace struct {
	PerSecond float64       `json:"supplies_per_second,omitempty"`
	Left      time.Duration `json:"-"`
	Seconds   float64       `json:"seconds_left,omitempty"` // Left, for JSON
	// AtLeast says that more supplies may still be listed.
	AtLeast bool `json:"at_least,omitempty"`
}

// paceOf is the pace of a run that did so many supplies in that time.
func paceOf(r Run, done int64, in time.Duration) Pace {
	if done <= 0 || in <= 0 {
		return Pace{}
	}
	p := Pace{PerSecond: float64(done) / in.Seconds(), AtLeast: r.Accounts.Done < r.Accounts.Total}
	if left := r.Supplies.Total - r.Supplies.Done; left > 0 {
		p.Seconds = float64(left) / p.PerSecond
		p.Left = time.Duration(p.Seconds * float64(time.Second))
	}
	return p
}

// How far back a pace looks: long enough to be steady while single calls take
// minutes.
const (
	window  = 5 * time.Minute
	watched = time.Minute // after which what was watched says more than the whole run
)

// Pacer measures the pace of runs from how far they had come at several
// instants. It is for concurrent use.
type Pacer struct {
	mu    sync.Mutex
	marks map[string][]mark // by run, the oldest first
}

type mark struct {
	at   time.Time
	done int64
}

// Note fills in the pace of the runs as they are at an instant. Until a run was
// watched for a while, its pace is that since its start, which began tells; the
// zero time: not known.
func (p *Pacer) Note(at time.Time, runs []Run, began func(Run) time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	marks := make(map[string][]mark, len(runs))
	for i := range runs {
		r := &runs[i]
		if r.Over() {
			continue
		}
		known := append(p.marks[r.ID], mark{at, r.Supplies.Done})
		for len(known) > 1 && at.Sub(known[0].at) > window {
			known = known[1:]
		}
		marks[r.ID] = known
		first := known[0]
		if start := began(*r); !start.IsZero() && at.Sub(first.at) < watched {
			first = mark{at: start}
		}
		r.Pace = paceOf(*r, r.Supplies.Done-first.done, at.Sub(first.at))
	}
	p.marks = marks
}
