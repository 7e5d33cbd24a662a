package envelope

import (
	"strconv"

	"github.com/datadis-engine/datadis/sdk"
)

// row appends reading i of a consumption chunk.
func (e *encoder) row(i int) {
	c, start := e.c, e.c.Starts[i]
	b := append(e.buf, e.head...)
	b = e.calendar.append(b, start)
	b = append(b, `","timestamp":`...)
	b = strconv.AppendInt(b, start, 10)
	b = append(b, `,"consumptionKWh":`...)
	b = appendValue(b, &c.Consumption, i)
	b = append(b, `,"obtainMethod":`...)
	b = e.appendMethod(b, i)
	b = append(b, `,"surplusEnergyKWh":`...)
	b = appendValue(b, &c.Surplus, i)
	b = append(b, `,"generationEnergyKWh":`...)
	b = appendValue(b, &c.Generation, i)
	b = append(b, `,"selfConsumptionEnergyKWh":`...)
	b = appendValue(b, &c.SelfConsumption, i)
	if step := int64(c.Series.Step().Seconds()); c.Spans != nil && (step == 0 || int64(c.Spans[i]) != step) {
		b = e.appendEnd(b, i)
	}
	b = appendFlags(b, c.Flag(i))
	e.buf = append(b, e.tail...)
}

func (e *encoder) appendEnd(to []byte, i int) []byte {
	to = append(to, `,"end":"`...)
	to = e.calendar.append(to, e.c.Starts[i]+int64(e.c.Spans[i]))
	return append(to, '"')
}

// appendMethod appends how reading i was obtained: null where the distributor
// said nothing, "" where it said that.
func (e *encoder) appendMethod(to []byte, i int) []byte {
	if i < len(e.c.MethodIndex) && int(e.c.MethodIndex[i]) < len(e.methods) {
		return append(to, e.methods[e.c.MethodIndex[i]]...)
	}
	return append(to, "null"...)
}

func appendFlags(to []byte, f sdk.Flags) []byte {
	if f == 0 {
		return to
	}
	return appendNames(append(to, `,"flags":`...), f.Names())
}

func appendValue(to []byte, column *sdk.Column, i int) []byte {
	value, ok := column.Value(i)
	if !ok {
		return append(to, "null"...)
	}
	return value.Append(to)
}
