// Package health knows whether a process can do its work: each part reports
// what it finds, and a [Board] holds the last of it.
package health

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Check is what is known of one part.
type Check struct {
	Name   string    `json:"name"`
	OK     bool      `json:"ok"`
	Reason string    `json:"reason,omitempty"` // why it is not
	Since  time.Time `json:"since"`            // of the last change
}

// Report is how a process is.
type Report struct {
	Ready    bool    `json:"ready"`
	Draining bool    `json:"draining,omitempty"` // it was told to stop
	Checks   []Check `json:"checks"`             // by name
}

// Reasons says why the process is not ready; nothing if it is.
func (r Report) Reasons() []string {
	var reasons []string
	if r.Draining {
		reasons = append(reasons, "draining")
	}
	for _, c := range r.Checks {
		if !c.OK {
			reasons = append(reasons, c.Name+": "+cmp.Or(c.Reason, "not ok"))
		}
	}
	return reasons
}

// Board holds the checks of a process. The zero Board is ready to use, and for
// concurrent use.
type Board struct {
	mu       sync.Mutex
	checks   map[string]Check
	until    map[string]time.Time // when a failure is no longer believed
	draining bool
}

// Set notes how a part is. The reason, for a part that is not ok, is one
// sentence without secrets.
func (b *Board) Set(name string, ok bool, reason string) {
	b.set(name, ok, reason, time.Time{})
}

// Fail notes that a part is not ok. Unless that is said again, it counts as ok
// after the given time: for failures that nobody reports the end of.
func (b *Board) Fail(name, reason string, lasts time.Duration) {
	b.set(name, false, reason, time.Now().Add(lasts))
}

func (b *Board) set(name string, ok bool, reason string, until time.Time) {
	if ok {
		reason = ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.checks == nil {
		b.checks, b.until = make(map[string]Check), make(map[string]time.Time)
	}
	known, seen := b.checks[name]
	since := known.Since
	if !seen || known.OK != ok {
		since = time.Now().UTC()
	}
	b.checks[name] = Check{name, ok, reason, since}
	delete(b.until, name)
	if !until.IsZero() {
		b.until[name] = until
	}
}

// Drain says that the process was told to stop: it is not ready any more.
func (b *Board) Drain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.draining = true
}

// Report is how the process is now. A process of which nothing was checked is
// not ready.
func (b *Board) Report() Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	r := Report{Ready: !b.draining && len(b.checks) > 0, Draining: b.draining, Checks: make([]Check, 0, len(b.checks))}
	for name, c := range b.checks {
		if until, bounded := b.until[name]; bounded && now.After(until) {
			c = Check{Name: name, OK: true, Since: until.UTC()}
			b.checks[name] = c
			delete(b.until, name)
		}
		r.Ready = r.Ready && c.OK
		r.Checks = append(r.Checks, c)
	}
	slices.SortFunc(r.Checks, func(a, b Check) int { return cmp.Compare(a.Name, b.Name) })
	return r
}
