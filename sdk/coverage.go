package sdk

import "time"

// Expected is how many steps of the series a complete month has: 743 hours in
// a March, 2,980 quarter hours in an October, 1 for monthly series.
func (s Series) Expected(month Month) int {
	step := s.Step()
	if step == 0 {
		return 1
	}
	return month.Hours() * int(time.Hour/step)
}

// Covered is how many steps of its series the chunk has values for: compare it
// with Series.Expected. A reading that merges two hours covers both; one
// without any value covers nothing.
func (c *Chunk) Covered() int {
	step := c.Series.Step()
	covered := 0
	for i := range c.Starts {
		if !c.hasValue(i) {
			continue
		}
		if step == 0 {
			return 1
		}
		covered += max(1, int(c.Span(i)/step))
	}
	return covered
}

// hasValue tells whether any column has a value for reading i.
func (c *Chunk) hasValue(i int) bool {
	for _, column := range []*Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive} {
		if _, ok := column.Value(i); ok {
			return true
		}
	}
	return false
}
