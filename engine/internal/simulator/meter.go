package simulator

import "time"

// null is the absence of a value among thousandths.
const null = int64(-1) << 62

// energies are what a meter counted in an interval, in thousandths of a kWh.
type energies struct{ consumption, surplus, generation, self int64 }

func (e *energies) add(o energies) {
	e.consumption += o.consumption
	e.surplus = addOrNull(e.surplus, o.surplus)
	e.generation = addOrNull(e.generation, o.generation)
	e.self = addOrNull(e.self, o.self)
}

func addOrNull(a, b int64) int64 {
	if a == null || b == null {
		return null
	}
	return a + b
}

const (
	quarterSeconds = 15 * 60
	hourSeconds    = 60 * 60
)

// meter is what the supply's meter counted from start to end: the sum of its
// quarters, so that hours and quarters of one supply agree.
func (s *supply) meter(start, end int64) energies {
	sum := s.quarter(start)
	for t := start + quarterSeconds; t < end; t += quarterSeconds {
		sum.add(s.quarter(t))
	}
	return sum
}

// quarter is what one quarter of an hour counted. It depends on the seed, the
// CUPS and the instant alone.
func (s *supply) quarter(start int64) energies {
	hour := start / hourSeconds
	e := energies{surplus: null, generation: null, self: null}
	d := s.dice.mix(uint64(start / quarterSeconds))
	if s.dice.word("idle").mix(uint64(hour)).below(211) != 0 {
		e.consumption = s.load(hour) * int64(500+d.below(1000)) / 1000
	}
	if !s.Surplus {
		return e
	}
	sun := sunshine(int(hour % 24))
	e.surplus = s.load(hour) * sun * int64(d.mix(1).below(1000)) / 10_000
	if s.Generation {
		e.self = s.load(hour) * sun * int64(d.mix(2).below(500)) / 10_000
		e.generation = e.surplus + e.self
	}
	return e
}

// load is what the supply usually takes in a quarter of the given hour.
func (s *supply) load(hour int64) int64 {
	base := []int64{600_000, 40_000, 9_000, 1_200, 90}[s.PointType-1]
	curve := []int64{6, 5, 5, 5, 5, 6, 9, 12, 11, 10, 10, 11, 13, 14, 12, 10, 10, 11, 13, 16, 18, 17, 13, 9}
	return base * curve[hour%24] / 10
}

// sunshine of an hour of the day, in tenths.
func sunshine(hour int) int64 {
	return []int64{0, 0, 0, 0, 0, 0, 1, 3, 5, 7, 9, 10, 10, 9, 7, 5, 3, 1, 0, 0, 0, 0, 0, 0}[hour]
}

// method says how a value of an hour was obtained, and whether it is an
// estimate that a later measurement corrects.
func (s *supply) method(hour int64, c Corrections, now time.Time) (text string, estimate bool) {
	d := s.dice.word("method").mix(uint64(hour))
	if d.share() < c.Share && now.Unix() < (hour+1)*hourSeconds+int64(c.After/time.Second) {
		return "Estimada", true
	}
	if s.company.Method != nil {
		return *s.company.Method, false
	}
	if s.dice.word("day").mix(uint64(hour/24)).below(40) == 0 {
		return "Estimada", false
	}
	return "Real", false
}
