package datadis

import (
	"slices"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Convention is how a distributor labels the days on which the clocks change
// (datadis-api.md 7.2). On all other days both are the same.
type Convention uint8

// The conventions.
const (
	// UsualConvention is B for i-DE and A for everybody else.
	UsualConvention Convention = iota
	// ConventionA labels an interval with the local clock at its start, plus
	// its length: 03:00 comes twice in autumn and is missing in spring.
	ConventionA
	// ConventionB labels an interval with the local clock at its end: 02:00
	// comes twice in autumn, mostly merged into one reading, and is missing in
	// spring.
	ConventionB
)

// convention is the one that decides where labels do not.
func (s Shape) convention() Convention {
	switch {
	case s.Convention != UsualConvention:
		return s.Convention
	case s.Distributor == sdk.IDE:
		return ConventionB
	default:
		return ConventionA
	}
}

// slots says when the intervals with a label start: one time, two in the
// repeated hours, none for a label that the day does not have.
type slots map[int32][]int64

// changeLabels is what a convention labels the intervals of a day with.
func changeLabels(c Convention, begin, end int64, step, lead int32, zone *time.Location) slots {
	all := make(slots)
	for start := begin; start < end; start += int64(step) * 60 {
		var label int32
		if c == ConventionA {
			label = clock(start, zone) + lead
		} else {
			at := start + int64(lead)*60
			label = clock(at, zone)
			if at >= end {
				label += dayMinutes
			}
		}
		all[label] = append(all[label], start)
	}
	return all
}

// clock is the local time of day, in minutes.
func clock(at int64, zone *time.Location) int32 {
	t := time.Unix(at, 0).In(zone)
	return int32(t.Hour()*60 + t.Minute())
}

// change is a day on which the clocks change, while its rows are placed.
type change struct {
	*placer
	begin, end int64
	rows       []int32       // those that have a place on the day
	count      map[int32]int // of rows per label
	labels     [3]slots      // by convention
	by         Convention    // the one that the rows follow
	sure       bool          // and the rows themselves say so
	placed     map[int32]int // of rows so far, per label
	last       int32         // the greatest label
}

// changeDay places the rows of a day of 23 or 25 hours. Those that belong to
// the day before have been placed.
func (p *placer) changeDay(begin, end int64, rows []int32) {
	c := &change{placer: p, begin: begin, end: end, count: make(map[int32]int), placed: make(map[int32]int)}
	for _, convention := range []Convention{ConventionA, ConventionB} {
		c.labels[convention] = changeLabels(convention, begin, end, p.step, p.lead, p.zone)
	}
	for _, i := range rows {
		r := p.t.rows[i]
		if r.out || r.label < p.lead {
			continue
		}
		c.rows = append(c.rows, i)
		c.count[r.label]++
		c.last = max(c.last, r.label)
	}
	if end-begin > dayMinutes*60 {
		c.autumn()
	} else {
		c.spring()
	}
}

// other is the convention that is not the given one.
func other(c Convention) Convention { return ConventionA + ConventionB - c }

// autumn places the rows of the 25-hour day.
func (c *change) autumn() {
	a, b := c.doubled(ConventionA), c.doubled(ConventionB)
	switch {
	case a && !b:
		c.by, c.sure = ConventionA, true
	case b && !a:
		c.by, c.sure = ConventionB, true
	default:
		c.by = c.usual
		// The form in which i-DE is known to send this day.
		c.sure = c.usual == ConventionB && c.step == hourMinutes && len(c.rows) == 24 && len(c.count) == 24
	}
	for _, i := range c.rows {
		c.placeAutumn(&c.t.rows[i])
	}
}

// doubled tells whether a label came twice that only the given convention
// repeats.
func (c *change) doubled(convention Convention) bool {
	for label, starts := range c.labels[convention] {
		if len(starts) == 2 && len(c.labels[other(convention)][label]) == 1 && c.count[label] >= 2 {
			return true
		}
	}
	return false
}

// placeAutumn gives a row of the 25-hour day its interval. Rows with one label
// take its intervals in the order in which they came.
func (c *change) placeAutumn(r *row) {
	starts := c.labels[c.by][r.label]
	if len(starts) == 0 {
		c.leaveOut(r, &c.t.report.Impossible)
		return
	}
	nth := c.placed[r.label]
	c.placed[r.label]++
	r.start = starts[min(nth, len(starts)-1)]
	if !c.sure && !slices.Equal(starts, c.labels[other(c.by)][r.label]) {
		r.flags |= sdk.Assumed
	}
	if c.count[r.label] >= len(starts) {
		return
	}
	// One row for two intervals: it holds both, or one did not come.
	if adjacent := starts[1]-starts[0] == int64(r.span); adjacent && r.label < c.last {
		r.span *= 2
		r.flags |= sdk.Merged
		return
	}
	r.flags |= sdk.Assumed
}

// spring places the rows of the 23-hour day.
func (c *change) spring() {
	a, b := c.has(ConventionA), c.has(ConventionB)
	switch {
	case a && !b:
		c.by, c.sure = ConventionA, true
	case b && !a:
		c.by, c.sure = ConventionB, true
	default: // both: one of them is padding; none: both mean the same
		c.by, c.sure = c.usual, true
		if !c.isPadded(c.usual) {
			c.sure = c.isPadded(other(c.usual))
			if c.sure {
				c.by = other(c.usual)
			}
		}
	}
	for _, i := range c.rows {
		c.placeSpring(i)
	}
}

// has tells whether there is a label that only the given convention has.
func (c *change) has(convention Convention) bool {
	for label := range c.labels[convention] {
		if c.count[label] > 0 && c.labels[other(convention)][label] == nil {
			return true
		}
	}
	return false
}

// isPadded tells whether, by a convention, nothing but zeros stand in the hour
// that the day does not have.
func (c *change) isPadded(convention Convention) bool {
	for _, i := range c.rows {
		if c.labels[convention][c.t.rows[i].label] == nil && !c.t.isZero(int(i)) {
			return false
		}
	}
	return true
}

// placeSpring gives a row of the 23-hour day its interval, or leaves it out if
// it stands in the missing hour.
func (c *change) placeSpring(i int32) {
	r := &c.t.rows[i]
	starts := c.labels[c.by][r.label]
	switch {
	case starts != nil:
		r.start = starts[0]
	case c.t.isZero(int(i)):
		c.leaveOut(r, &c.t.report.Padding)
		return
	default:
		c.leaveOut(r, &c.t.report.Impossible)
		return
	}
	if !c.sure && c.isBesideGap(r) {
		r.flags |= sdk.Assumed | sdk.Padding
	}
}

// isBesideGap tells whether a reading begins or ends when the clocks are put
// forward: one that a value in the missing hour may belong to.
func (c *change) isBesideGap(r *row) bool {
	return c.changesAt(r.start) || c.changesAt(r.start+int64(r.span))
}

// changesAt tells whether the clocks change at a time.
func (c *change) changesAt(at int64) bool {
	_, before := time.Unix(at-1, 0).In(c.zone).Zone()
	_, after := time.Unix(at, 0).In(c.zone).Zone()
	return before != after
}
