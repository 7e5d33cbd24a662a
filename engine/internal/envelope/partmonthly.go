package envelope

import (
	"math"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// periodValue is what a monthly row says of one tariff period.
type periodValue struct {
	period int
	start  int64
	value  sdk.Column // one entry, or none
}

// monthRow reads the one row of a power or reactive-energy chunk.
func (r *rowReader) monthRow() error {
	if r.months++; r.months > 1 {
		return malformed("more than one row for a month")
	}
	var periods [7]periodValue
	listed := false
	err := r.object(func(name []byte) error {
		if string(name) == `"readings"` {
			if listed {
				return malformed("readings twice")
			}
			listed = true
			return r.array(r.monthReading)
		}
		return r.periodMember(strings.Trim(string(name), `"`), &periods)
	})
	if err != nil || listed {
		return err
	}
	return r.fromPeriods(periods[1:])
}

// periodMember reads a field such as maxPower_period_2.
func (r *rowReader) periodMember(name string, periods *[7]periodValue) (err error) {
	what, number, ok := strings.Cut(name, "_period_")
	if !ok || len(number) != 1 || number[0] < '1' || number[0] > '6' {
		return r.skip()
	}
	p := &periods[number[0]-'0']
	p.period = int(number[0] - '0')
	switch what {
	case "datetime":
		p.start, err = r.instant()
	case "maxPower", "reactiveEnergy":
		err = r.value(&p.value, 0)
	default:
		err = r.skip()
	}
	return err
}

// monthReading reads one entry of the list of readings.
func (r *rowReader) monthReading() error {
	i := r.c.Len()
	var row reading
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case `"period"`:
			row.period, err = r.number()
			return err
		case `"value"`:
			return r.value(monthlyColumn(r.c), i)
		default:
			return r.readingMember(name, &row, i)
		}
	})
	if err != nil {
		return err
	}
	if row.period < 0 || row.period > math.MaxUint8 {
		return malformed("a tariff period out of range")
	}
	if err := r.add(&row); err != nil {
		return err
	}
	if row.period > 0 || r.c.Periods != nil {
		r.c.Periods = append(grown(r.c.Periods, i, r.room), uint8(row.period))
	}
	return nil
}

// fromPeriods rebuilds the readings from the fields per period.
func (r *rowReader) fromPeriods(periods []periodValue) error {
	c := r.c
	power := c.Series.Property == sdk.Power
	slices.SortStableFunc(periods, func(a, b periodValue) int {
		if power && a.start != b.start {
			return int(min(1, max(-1, a.start-b.start)))
		}
		return a.period - b.period
	})
	for _, p := range periods {
		value, ok := p.value.Value(0)
		if !ok {
			continue
		}
		start := p.start
		if !power {
			start = c.Month.Start().Unix()
		}
		if !monthlyColumn(c).Set(c.Len(), value) {
			return malformed("no value that a column can hold")
		}
		row := reading{start: start, started: true, end: start + plainSpan(c), ended: true}
		if err := r.add(&row); err != nil {
			return err
		}
		c.Periods = append(c.Periods, uint8(p.period))
	}
	return nil
}
