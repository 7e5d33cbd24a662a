package main

import (
	"cmp"
	"errors"
	"slices"

	"github.com/datadis-engine/datadis/sdk"
)

// reading is a row of a chunk's table.
type reading struct {
	chunk *sdk.Chunk
	i     int
	flags sdk.Flags
}

// readingsOf lists a chunk's rows in time order, one for each interval. Where
// the distributor sent several readings of an interval, the first that is
// nothing but a plain one is taken, and flagged as a duplicate.
func readingsOf(c *sdk.Chunk, rows []reading) []reading {
	for i := range c.Len() {
		rows = append(rows, reading{chunk: c, i: i, flags: c.Flag(i)})
	}
	if !slices.IsSortedFunc(rows, reading.compare) {
		slices.SortStableFunc(rows, reading.compare)
	}
	kept := rows[:0]
	for _, r := range rows {
		last := len(kept) - 1
		if last < 0 || kept[last].compare(r) != 0 {
			kept = append(kept, r)
			continue
		}
		if kept[last].doubtful() && !r.doubtful() {
			kept[last] = r
		}
		kept[last].flags |= sdk.Duplicate
	}
	return kept
}

// compare orders readings by start, end and tariff period.
func (r reading) compare(other reading) int {
	return cmp.Or(
		cmp.Compare(r.chunk.Starts[r.i], other.chunk.Starts[other.i]),
		cmp.Compare(r.chunk.Span(r.i), other.chunk.Span(other.i)),
		cmp.Compare(r.period(), other.period()))
}

func (r reading) period() uint8 {
	if r.chunk.Periods == nil {
		return 0
	}
	return r.chunk.Periods[r.i]
}

// doubtful tells whether another reading of the same interval is to be
// preferred.
func (r reading) doubtful() bool {
	return r.flags&(sdk.Duplicate|sdk.Padding|sdk.Unreadable) != 0
}

// columnsOf are the columns of a series' table; nil for a series that is not
// known here.
func columnsOf(series sdk.Series) []column[reading] {
	switch series {
	case sdk.EnergyHourly, sdk.EnergyQuarterHour:
		return energyColumns
	case sdk.PowerMonthly:
		return powerColumns
	case sdk.ReactiveMonthly:
		return reactiveColumns
	}
	return nil
}

var (
	energyColumns = tidy(
		valueColumn("consumption_kwh", func(c *sdk.Chunk) *sdk.Column { return &c.Consumption }),
		valueColumn("surplus_kwh", func(c *sdk.Chunk) *sdk.Column { return &c.Surplus }),
		valueColumn("generation_kwh", func(c *sdk.Chunk) *sdk.Column { return &c.Generation }),
		valueColumn("self_consumption_kwh", func(c *sdk.Chunk) *sdk.Column { return &c.SelfConsumption }),
	)
	powerColumns = tidy(
		periodColumn,
		valueColumn("max_power_kw", func(c *sdk.Chunk) *sdk.Column { return &c.Peak }),
	)
	reactiveColumns = tidy(
		periodColumn,
		valueColumn("reactive_kvarh", func(c *sdk.Chunk) *sdk.Column { return &c.Reactive }),
	)
	periodColumn = column[reading]{
		name: "period", kind: integer,
		cell: func(r reading) cell { return integerCell(int64(r.period())) },
	}
)

// tidy puts the columns that all tables have around the values.
func tidy(values ...column[reading]) []column[reading] {
	columns := []column[reading]{
		{"cups", text, true, func(r reading) cell { return textCell(string(r.chunk.CUPS)) }},
		{"start", instant, true, func(r reading) cell { return cell{set: true, whole: r.chunk.Starts[r.i]} }},
		{"end", instant, true, func(r reading) cell {
			return cell{set: true, whole: r.chunk.Starts[r.i] + int64(r.chunk.Span(r.i).Seconds())}
		}},
	}
	columns = append(columns, values...)
	return append(columns,
		column[reading]{"method", text, false, func(r reading) cell { return textCell(r.chunk.Method(r.i)) }},
		column[reading]{"flags", text, false, func(r reading) cell { return flagCell(r.flags) }})
}

// flagCell joins the names of flags, if there are any; String allocates.
func flagCell(flags sdk.Flags) cell {
	if flags == 0 {
		return cell{}
	}
	return textCell(flags.String())
}

func valueColumn(name string, of func(*sdk.Chunk) *sdk.Column) column[reading] {
	return column[reading]{name, number, false, func(r reading) cell { return numberCell(of(r.chunk).Value(r.i)) }}
}

// The first and the last instant that can be a reading's: 1970 and 2242. Beyond
// them the number is no time.
const (
	firstInstant = 0
	lastInstant  = 1 << 33
)

// checkShape makes sure that the chunk's columns belong together.
func checkShape(c *sdk.Chunk) error {
	n := c.Len()
	switch {
	case c.Spans != nil && len(c.Spans) != n,
		c.Flags != nil && len(c.Flags) != n,
		c.Periods != nil && len(c.Periods) != n:
		return errors.New("its columns do not have the same length")
	}
	for _, column := range []*sdk.Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive} {
		if column.Scale < 0 || column.Scale > sdk.MaxScale || len(column.Units) > n {
			return errors.New("one of its columns is damaged")
		}
	}
	for _, start := range c.Starts {
		if start < firstInstant || start > lastInstant {
			return errors.New("one of its readings lies outside any time")
		}
	}
	return nil
}
