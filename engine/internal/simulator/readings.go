package simulator

import (
	"iter"
	"slices"
	"time"
)

// reading is a slot with what was counted in it.
type reading struct {
	slot
	energies
	method string
}

// published says what of the world can be seen at a moment.
type published struct {
	now         time.Time
	lag         time.Duration
	partialDay  bool
	corrections Corrections
}

// frontier is the instant up to which a distributor has published.
func (p published) frontier(d *Distributor) time.Time {
	lag := p.lag
	if d.LagDays != nil {
		lag = time.Duration(*d.LagDays * float64(day))
	}
	t := p.now.Add(-lag)
	if p.partialDay {
		return t.Truncate(time.Hour)
	}
	return midnight(t)
}

// curve is what is published of a supply's months, in the order in which it is
// sent. It is the one source of both the answers and the truth.
func (p published) curve(s *supply, from, to month, step time.Duration) iter.Seq[reading] {
	return func(yield func(reading) bool) {
		if step < time.Hour && !s.hasQuarters() {
			return
		}
		begin, end := s.first().Unix(), p.frontier(s.company).Unix()
		if !s.to.IsZero() {
			end = min(end, s.to.Unix())
		}
		for d := from.start(); d.Before(to.end()) && d.Unix() < end; d = d.AddDate(0, 0, 1) {
			for _, slot := range s.company.slots(d, step) {
				if slot.start < begin || slot.end > end {
					continue
				}
				if !yield(p.read(s, slot)) {
					return
				}
			}
		}
	}
}

// read is what stands in a slot's row.
func (p published) read(s *supply, at slot) reading {
	r := reading{slot: at}
	hour := at.start / hourSeconds
	var estimate bool
	r.method, estimate = s.method(hour, p.corrections, p.now)
	if at.kind == padding {
		r.energies = energies{surplus: null, generation: null, self: null}
		return r
	}
	r.energies = s.meter(at.start, at.end)
	if estimate {
		r.consumption += 1 + r.consumption/8
	}
	if s.company.NullHours > 0 && s.dice.word("null").mix(uint64(hour)).share() < s.company.NullHours {
		r.consumption = null
	}
	return r
}

// hasQuarters tells whether quarters of an hour are to be had: of point types
// 1 and 2, and of 3 at E-distribución.
func (s *supply) hasQuarters() bool {
	return s.PointType <= 2 || s.PointType == 3 && s.Distributor == "2"
}

// months are those from one to another, both included.
func months(from, to month) iter.Seq[month] {
	return func(yield func(month) bool) {
		for m := from; !to.before(m) && yield(m); m = m.plus(1) {
		}
	}
}

// collect is the readings of a sequence as a slice.
func collect(readings iter.Seq[reading]) []reading { return slices.Collect(readings) }
