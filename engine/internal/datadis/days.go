package datadis

import (
	"slices"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Minutes of a day, and of the two resolutions.
const (
	dayMinutes  = 24 * 60
	hourMinutes = 60
)

// placer gives rows their intervals, a local day at a time (datadis-api.md 7).
type placer struct {
	t       *table
	zone    *time.Location
	step    int32      // minutes between readings
	lead    int32      // minutes from a reading's start to its label
	guessed bool       // the lead is a guess
	usual   Convention // of the distributor
}

// place gives every row of a table its interval, or leaves it out.
func place(t *table) {
	p := &placer{
		t:     t,
		zone:  t.shape.zone(),
		step:  int32(t.shape.Series.Step() / time.Minute),
		usual: t.shape.convention(),
	}
	p.lead, p.guessed = lead(t.rows, p.step)
	order := make([]int32, len(t.rows))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return int(t.rows[a].date - t.rows[b].date) })
	for len(order) > 0 {
		day := t.rows[order[0]].date
		n := 1
		for n < len(order) && t.rows[order[n]].date == day {
			n++
		}
		p.day(day, order[:n])
		order = order[n:]
	}
}

// lead finds out how labels are made. Hours are labelled with their end.
// Quarter hours may be too (00:15 to 24:00), or with the end of their hour and
// the minute they start at (01:00 to 24:45): hour 00 exists in the first form
// only, 24:15 and later in the second only (datadis-api.md 7.4).
func lead(rows []row, step int32) (minutes int32, guessed bool) {
	if step == hourMinutes {
		return step, false
	}
	ends, starts := 0, 0
	for _, r := range rows {
		switch {
		case 0 < r.label && r.label < hourMinutes:
			ends++
		case r.label > dayMinutes:
			starts++
		}
	}
	if starts > ends {
		return hourMinutes, ends > 0
	}
	return step, len(rows) > 0 && (ends == 0 || starts > 0)
}

// day places the rows of one date, given by index.
func (p *placer) day(d date, rows []int32) {
	begin, end := d.midnight(p.zone).Unix(), d.plus(1, p.zone).Unix()
	var extra sdk.Flags
	if p.guessed || p.startsAtMidnight(rows) {
		extra = sdk.Assumed
	}
	inside := rows
	if end-begin != dayMinutes*60 {
		inside = nil
	}
	for _, i := range rows {
		r := &p.t.rows[i]
		r.flags |= extra
		r.span = uint32(p.step * 60)
		switch {
		case r.label%p.step != 0 || r.label > dayMinutes-p.step+p.lead:
			p.leaveOut(r, &p.t.report.Impossible)
		case r.label < p.lead: // before the day's first label
			r.start = begin + int64(r.label-p.lead)*60
			r.flags |= sdk.Midnight
		case inside != nil:
			r.start = begin + int64(r.label-p.lead)*60
		}
	}
	if inside == nil {
		p.changeDay(begin, end, rows)
	}
}

// startsAtMidnight tells whether a day's labels run from 00:00 to 23:00. They
// may be the starts of its hours, or ends with midnight on the next date, and
// nothing in them tells which (datadis-api.md 7.3). They are taken for ends.
func (p *placer) startsAtMidnight(rows []int32) bool {
	first, last, end := false, false, false
	for _, i := range rows {
		switch p.t.rows[i].label {
		case 0:
			first = true
		case dayMinutes - p.step:
			last = true
		case dayMinutes:
			end = true
		}
	}
	return first && last && !end
}

// leaveOut drops a row and counts why.
func (p *placer) leaveOut(r *row, count *int) {
	r.out = true
	*count++
}
