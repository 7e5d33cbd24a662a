package envelope

import (
	"strconv"

	"github.com/datadis-engine/datadis/sdk"
)

// peakSpan is how long the reading of a power maximum lasts, in seconds.
const peakSpan = 15 * 60

// month appends the one row of a power or reactive-energy chunk: a value per
// tariff period, and for power when it was. Of several values of one period the
// row has the highest; and where the row alone would not tell everything, as
// then, it lists all readings in the field "readings".
func (e *encoder) month(int) {
	c := e.c
	start := c.Month.Start().Unix()
	b := append(e.buf, e.head...)
	b = e.calendar.append(b, start)
	b = append(b, `","timestamp":`...)
	b = strconv.AppendInt(b, start, 10)
	highest := highestByPeriod(c)
	for period, i := range highest {
		if i >= 0 {
			b = appendPeriod(b, c, period, i)
		}
	}
	if !plainMonth(c) {
		b = e.appendReadings(b)
	}
	e.buf = append(b, e.tail...)
}

// monthlyColumn is the column that a monthly chunk's values are in.
func monthlyColumn(c *sdk.Chunk) *sdk.Column {
	if c.Series.Property == sdk.Power {
		return &c.Peak
	}
	return &c.Reactive
}

// period is the tariff period of reading i, 0 if it has none.
func period(c *sdk.Chunk, i int) int {
	if i >= len(c.Periods) {
		return 0
	}
	return int(c.Periods[i])
}

// highestByPeriod is the index of the reading that a row shows for each tariff
// period, -1 for none; entry 0 stands for "no period".
func highestByPeriod(c *sdk.Chunk) [7]int {
	highest := [7]int{-1, -1, -1, -1, -1, -1, -1}
	column := monthlyColumn(c)
	for i := range c.Len() {
		p := period(c, i)
		value, ok := column.Value(i)
		if p == 0 || p >= len(highest) || !ok {
			continue
		}
		if top := highest[p]; top < 0 || value.Units > column.Units[top] {
			highest[p] = i
		}
	}
	return highest
}

// appendPeriod appends the fields of one tariff period.
func appendPeriod(b []byte, c *sdk.Chunk, period, i int) []byte {
	name := `,"reactiveEnergy_period_`
	if c.Series.Property == sdk.Power {
		name = `,"maxPower_period_`
		b = append(b, `,"datetime_period_`...)
		b = strconv.AppendInt(b, int64(period), 10)
		b = append(b, `":`...)
		b = strconv.AppendInt(b, c.Starts[i], 10)
	}
	b = append(b, name...)
	b = strconv.AppendInt(b, int64(period), 10)
	b = append(b, `":`...)
	return appendValue(b, monthlyColumn(c), i)
}

// plainMonth tells whether the fields per period say all that the chunk holds,
// in its order: see plainReadings.
func plainMonth(c *sdk.Chunk) bool {
	if c.MethodIndex != nil || c.Spans == nil {
		return false
	}
	var seen [7]bool
	for i := range c.Len() {
		p := period(c, i)
		_, ok := monthlyColumn(c).Value(i)
		if !ok || p == 0 || p >= len(seen) || seen[p] || c.Flag(i) != 0 || int64(c.Spans[i]) != plainSpan(c) {
			return false
		}
		seen[p] = true
		if c.Series.Property != sdk.Power && c.Starts[i] != c.Month.Start().Unix() {
			return false
		}
		if i > 0 && !inOrder(c.Starts[i-1], period(c, i-1), c.Starts[i], p) {
			return false
		}
	}
	return true
}

// plainSpan is how long a reading of a monthly series usually lasts: a quarter
// of an hour for power, the month for reactive energy.
func plainSpan(c *sdk.Chunk) int64 {
	if c.Series.Property == sdk.Power {
		return peakSpan
	}
	return int64(c.Month.Hours()) * 3600
}

// inOrder is the order in which readings are rebuilt from a row.
func inOrder(start int64, period int, nextStart int64, nextPeriod int) bool {
	return start < nextStart || start == nextStart && period < nextPeriod
}

// appendReadings appends all readings of a monthly chunk.
func (e *encoder) appendReadings(b []byte) []byte {
	c := e.c
	b = append(b, `,"readings":[`...)
	for i := range c.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"timestamp":`...)
		b = strconv.AppendInt(b, c.Starts[i], 10)
		b = append(b, `,"period":`...)
		b = strconv.AppendInt(b, int64(period(c, i)), 10)
		b = append(b, `,"value":`...)
		b = appendValue(b, monthlyColumn(c), i)
		b = append(b, `,"obtainMethod":`...)
		b = e.appendMethod(b, i)
		if c.Spans != nil {
			b = e.appendEnd(b, i)
		}
		b = append(appendFlags(b, c.Flag(i)), '}')
	}
	return append(b, ']')
}
