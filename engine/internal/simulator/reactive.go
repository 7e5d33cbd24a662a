package simulator

import (
	"fmt"
	"iter"
	"strconv"
)

// reactive answers get-reactive-data-v2. Months without any data have an error
// of the distributor instead.
func (c *call) reactive() answer {
	q, problem := c.parse()
	if problem != "" {
		return c.canned(problem)
	}
	const key, none = "reactiveEnergy", `{"cups":null,"energy":[],"code":null,"codeDescription":null}`
	company := c.sim.world.distributors[c.get("distributorCode")]
	if a, down := c.outage(company, key, none); down {
		return a
	}
	var rows []byte
	if q.supply != nil && c.kind != kindEmpty {
		for m := range c.sim.published(c.now).reactiveMonths(q.supply, q.from, q.to) {
			rows = appendReactive(rows, q.supply, m)
		}
	}
	if len(rows) == 0 {
		return wrapped(c.version, key, []byte(none), []distributorError{company.problem(nothing)}, OutcomeEmpty)
	}
	body := fmt.Appendf(nil, `{"cups":%q,"energy":[%s],"code":"001","codeDescription":"Correcto"}`, q.supply.CUPS, rows)
	return wrapped(c.version, key, body, []distributorError{}, OutcomeOK)
}

func appendReactive(b []byte, s *supply, m month) []byte {
	if len(b) > 0 {
		b = append(b, ',')
	}
	b = fmt.Appendf(b, `{"date":%q`, m)
	for period := 1; period <= 6; period++ {
		b = fmt.Appendf(b, `,"energy_p%d":%d`, period, s.reactivePower(m, period))
	}
	return append(b, '}')
}

// reactiveMonths are the whole published months of supplies that are billed
// for reactive energy, which homes are not.
func (p published) reactiveMonths(s *supply, from, to month) iter.Seq[month] {
	return func(yield func(month) bool) {
		if s.PointType == 5 || s.recording != nil {
			return
		}
		for m := from; !to.before(m); m = m.plus(1) {
			whole := !m.start().Before(s.first()) && !m.end().After(p.frontier(s.company)) &&
				(s.to.IsZero() || !m.end().After(s.to))
			if whole && !yield(m) {
				return
			}
		}
	}
}

// reactivePower is a month's reactive energy in one tariff period, in kVArh;
// capacitive one is negative.
func (s *supply) reactivePower(m month, period int) int {
	d := s.dice.word("reactive").word(m.String()).mix(uint64(period))
	return d.below(4000) - 400
}

func (p published) reactiveTruth(s *supply, from, to month) iter.Seq[Truth] {
	return func(yield func(Truth) bool) {
		for m := range p.reactiveMonths(s, from, to) {
			for period := 1; period <= 6; period++ {
				t := Truth{
					CUPS: s.CUPS, Property: propertyReactive, Resolution: monthly,
					Start: m.start().UTC(), End: m.end().UTC(),
					Value: strconv.Itoa(s.reactivePower(m, period)), Period: strconv.Itoa(period),
				}
				if !yield(t) {
					return
				}
			}
		}
	}
}
