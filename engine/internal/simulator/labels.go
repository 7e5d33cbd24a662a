package simulator

import "time"

// How distributors label the intervals of the days on which clocks change.
const (
	labelA       = "A"        // the local hour at the start, plus one
	labelB       = "B"        // the clock at the end
	labelBMerged = "B-merged" // as B, the two hours of one label added into one row
)

// Labels of quarters of an hour.
const (
	quartersEnd  = "end"  // the end of the quarter: 00:15 … 24:00
	quartersHour = "hour" // the end of the hour and the minute of the start: 01:00 … 24:45
)

// What a distributor makes of 24:00.
const (
	midnightSame  = ""          // 24:00
	midnightNext  = "next-day"  // 00:00 of the next date
	midnightShort = "short"     // the same, written 0:00
	midnightStart = "start"     // every label one hour earlier: 00:00 … 23:00
	midnightExtra = "extra-row" // 24:00, and the row once more as 00:00 of the next date
)

// slot is an interval as a distributor labels it.
type slot struct {
	start, end int64     // epoch seconds
	date       time.Time // a midnight in Madrid
	minute     int       // the label, in minutes: 24:00 is 1440
	kind       slotKind
}

// slotKind says what is odd about a slot.
type slotKind uint8

const (
	plain     slotKind = iota
	merged             // two hours in one row
	padding            // an hour that the day does not have
	duplicate          // a row that has been sent already
)

const lastMinute = 24 * 60

// slots are the intervals of the day that begins at midnight, in the order in
// which they are sent.
func (d *Distributor) slots(midnight time.Time, step time.Duration) []slot {
	next := midnight.AddDate(0, 0, 1)
	slots := make([]slot, 0, 100)
	for t := midnight; t.Before(next); t = t.Add(step) {
		slots = append(slots, slot{
			start:  t.Unix(),
			end:    t.Add(step).Unix(),
			date:   midnight,
			minute: d.minute(t, step),
		})
	}
	return d.nightfall(d.changeDay(slots), next)
}

// minute is the label of the interval of the given length that begins at t.
func (d *Distributor) minute(t time.Time, step time.Duration) int {
	offset := 0
	if step < time.Hour && d.Quarters == quartersHour {
		offset = wallMinutes(t) % 60
		t, step = t.Add(-time.Duration(offset)*time.Minute), time.Hour
	}
	label := wallMinutes(t) + int(step/time.Minute)
	if d.DST != labelA {
		label = wallMinutes(t.Add(step))
	}
	if label == 0 {
		label = lastMinute
	}
	return label + offset
}

// changeDay does to the hours of a 23 or 25 hour day what the distributor does.
// Nobody is known to do anything to the quarters of such days, of which there
// are 92 or 100.
func (d *Distributor) changeDay(hours []slot) []slot {
	switch len(hours) {
	case 25:
		return d.autumn(hours)
	case 23:
		return d.spring(hours)
	default:
		return hours
	}
}

func (d *Distributor) autumn(hours []slot) []slot {
	for i := 1; i < len(hours); i++ {
		if hours[i].minute != hours[i-1].minute {
			continue
		}
		if d.DST == labelBMerged {
			hours[i-1].end, hours[i-1].kind = hours[i].end, merged
			return append(hours[:i], hours[i+1:]...)
		}
		if d.DropAutumn {
			return append(hours[:i], hours[i+1:]...)
		}
	}
	return hours
}

func (d *Distributor) spring(hours []slot) []slot {
	if !d.PadSpring {
		return hours
	}
	for i := 1; i < len(hours); i++ {
		if hours[i].minute == hours[i-1].minute+60 {
			continue
		}
		pad := hours[i]
		pad.end, pad.kind, pad.minute = pad.start, padding, hours[i-1].minute+60
		return append(hours[:i], append([]slot{pad}, hours[i:]...)...)
	}
	return hours
}

// nightfall labels the row of 24:00 as the distributor does.
func (d *Distributor) nightfall(slots []slot, next time.Time) []slot {
	last := &slots[len(slots)-1]
	switch d.Midnight {
	case midnightNext, midnightShort:
		last.date, last.minute = next, last.minute-lastMinute
	case midnightStart:
		for i := range slots {
			slots[i].minute -= 60
		}
	case midnightExtra:
		again := *last
		again.date, again.minute, again.kind = next, 0, duplicate
		slots = append(slots, again)
	}
	return slots
}

// appendLabel writes a label as it is sent.
func (d *Distributor) appendLabel(b []byte, minute int) []byte {
	h, m := minute/60, minute%60
	if h >= 10 || d.Midnight != midnightShort || h > 0 {
		b = append(b, byte('0'+h/10))
	}
	return append(b, byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10))
}
