package simulator

import (
	"iter"
	"strconv"
	"time"
)

// peak is the highest quarter of an hour of a tariff period in a month.
type peak struct {
	end    time.Time // of the quarter; its label
	period int       // from 1
	watts  int64
}

// power answers get-max-power.
func (c *call) power() answer {
	q, problem := c.parse()
	if problem != "" {
		return c.canned(problem)
	}
	if c.kind == kindEmpty || q.supply == nil {
		return wrapped(c.version, "maxPower", []byte("[]"), []distributorError{}, OutcomeEmpty)
	}
	if a, down := c.outage(q.supply.company, "maxPower", "[]"); down {
		return a
	}
	body, outcome := []byte{'['}, OutcomeEmpty
	for p := range c.sim.published(c.now).peaks(q.supply, q.from, q.to) {
		if outcome == OutcomeOK {
			body = append(body, ',')
		}
		outcome = OutcomeOK
		body = p.append(body, q.supply)
	}
	return wrapped(c.version, "maxPower", append(body, ']'), []distributorError{}, outcome)
}

// append writes a peak as Datadis does.
func (p peak) append(b []byte, s *supply) []byte {
	b = append(append(append(b, `{"cups":"`...), s.CUPS...), `","date":"`...)
	b = p.end.AppendFormat(b, slashDate)
	b = p.end.AppendFormat(append(b, `","time":"`...), "15:04")
	b = append(b, `","maxPower":`...)
	if s.company.Watts {
		b = appendThousandths(b, p.watts*1000)
	} else {
		b = appendThousandths(b, p.watts)
	}
	name := strconv.Itoa(p.period)
	if s.company.NamedPeak && p.period <= 3 {
		name = []string{"PUNTA", "LLANO", "VALLE"}[p.period-1]
	}
	return append(append(append(b, `,"period":"`...), name...), `"}`...)
}

// peaks are what is published of the months' maxima: of each contract one row
// per tariff period and month. A month that has not ended has the maxima of
// its days so far.
func (p published) peaks(s *supply, from, to month) iter.Seq[peak] {
	return func(yield func(peak) bool) {
		if s.recording != nil {
			return // nobody recorded any
		}
		frontier := p.frontier(s.company)
		for m := from; !to.before(m); m = m.plus(1) {
			for k, contract := range s.contracts(p.now) {
				begin, end := later(m.start(), contract.from), earlier(m.end(), frontier)
				if !contract.to.IsZero() {
					end = earlier(end, contract.to)
				}
				if !s.yieldPeaks(begin, end, k, yield) {
					return
				}
			}
		}
	}
}

func (s *supply) yieldPeaks(begin, end time.Time, contract int, yield func(peak) bool) bool {
	periods := 2 // of homes
	if s.PointType < 5 {
		periods = 6
	}
	for period := 1; period <= periods; period++ {
		if top, found := s.peak(begin, end, period, contract); found && !yield(top) {
			return false
		}
	}
	return true
}

// peak is the greatest of the days' peaks, of the whole days from begin to end.
func (s *supply) peak(begin, end time.Time, period, contract int) (top peak, found bool) {
	dice := s.dice.word("peak").mix(uint64(period)).mix(uint64(contract))
	for d := midnight(begin); !d.AddDate(0, 0, 1).After(end); d = d.AddDate(0, 0, 1) {
		roll := dice.mix(uint64(d.Unix()))
		watts := int64(s.Powers[(period-1)%len(s.Powers)] * (400 + 650*roll.share()))
		if watts > top.watts {
			top, found = peak{s.peakTime(d, roll), period, watts}, true
		}
	}
	return top, found
}

// peakTime is the end of the quarter of a day's peak. On the days on which
// clocks change it is at noon, so that no peak has a label that two instants
// share; on the month's last day it is before midnight, so that the label
// stays within the month.
func (s *supply) peakTime(midnight time.Time, d dice) time.Time {
	next := midnight.AddDate(0, 0, 1)
	if next.Sub(midnight) != day {
		return midnight.Add(next.Sub(midnight) - 12*time.Hour)
	}
	quarters := 96
	if next.Day() == 1 {
		quarters--
	}
	return midnight.Add(time.Duration(1+d.mix(0).below(quarters)) * 15 * time.Minute)
}

func (p published) powerTruth(s *supply, from, to month) iter.Seq[Truth] {
	return func(yield func(Truth) bool) {
		for top := range p.peaks(s, from, to) {
			t := Truth{
				CUPS: s.CUPS, Property: propertyPower, Resolution: monthly,
				Start: top.end.Add(-15 * time.Minute).UTC(), End: top.end.UTC(),
				Value: decimal(top.watts), Period: strconv.Itoa(top.period),
			}
			if !yield(t) {
				return
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
