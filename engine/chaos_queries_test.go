package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/simulator"
)

// reasons count why queries were repeated.
type reasons map[string]int

// String is the counts in one line.
func (r reasons) String() string {
	var words []string
	for _, reason := range slices.Sorted(maps.Keys(r)) {
		words = append(words, fmt.Sprintf("%s %d", reason, r[reason]))
	}
	return strings.Join(words, ", ")
}

// checkQueries looks at each query that came again within a simulated day, and
// for what made the engine ask again: a fault of Datadis, a call that was given
// up, or the end of the process that had asked, before it went on.
func (c *chaos) checkQueries(n *chaosCounts) {
	c.Helper()
	n.reasons = make(reasons)
	lives := who(c.crowd.all())
	previous := make(map[string]simulator.Request)
	asked := make(map[string][]time.Time) // client and CUPS → when
	var calls []simulator.Request
	for _, r := range c.simulator.Requests() {
		if r.Query != "" {
			calls = append(calls, r)
			asked[r.Client+" "+r.CUPS] = append(asked[r.Client+" "+r.CUPS], r.Real)
		}
	}
	slices.SortStableFunc(calls, func(a, b simulator.Request) int { return a.Real.Compare(b.Real) })
	n.queries = len(calls)
	for _, r := range calls {
		if r.Real.Before(c.over) {
			n.inChaos++
		}
		before, again := previous[r.Query]
		previous[r.Query] = r
		if !again || r.Real.Sub(before.Real) >= chaosDay {
			continue
		}
		n.repeated++
		goneOn := wentOn(asked[before.Client+" "+before.CUPS], before.Real)
		if reason := c.reason(before, r, lives, goneOn); reason != "" {
			n.reasons[reason]++
			continue
		}
		n.unmatched++
		c.Errorf("asked again after %s without a reason: %+v\nfirst %+v", r.Real.Sub(before.Real), r, before)
	}
}

// wentOn is when a process made its next query about the same supply: whatever
// it knew of the one before was recorded then. Zero: never.
func wentOn(asked []time.Time, after time.Time) time.Time {
	var next time.Time
	for _, at := range asked {
		if at.After(after) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// reason is why a query was made again; "" if there is none. Who asks again may
// also have been frozen with the call in its hand, while another took over.
func (c *chaos) reason(before, again simulator.Request, lives map[string]*life, goneOn time.Time) string {
	l, second := lives[before.Client], lives[again.Client]
	until := again.Real // what happened must have happened before the process went on
	if !goneOn.IsZero() && goneOn.Before(until) {
		until = goneOn
	}
	switch {
	case strings.HasPrefix(before.Outcome, "fault:"):
		return "fault"
	case l == nil || second == nil:
		return ""
	case !l.killed.IsZero() && (outage{l.killed, l.killed}).overlaps(before.Real, until):
		return "kill"
	case l.wasFrozen(before.Real, until), second != l && second.wasFrozen(before.Real, again.Real):
		return "freeze"
	case before.Abandoned:
		return "time-out"
	case c.outages.overlap(before.Real, until):
		return "outage"
	default:
		return ""
	}
}
