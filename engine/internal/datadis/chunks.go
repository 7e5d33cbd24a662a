package datadis

import (
	"cmp"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// decodeConsumption reads the body of a consumption answer.
func decodeConsumption(body []byte, shape Shape) ([]*sdk.Chunk, Report, error) {
	t, err := newTable(body, shape)
	if err != nil {
		return nil, Report{}, err
	}
	place(t)
	order := t.inOrder()
	chunks := make([]*sdk.Chunk, 0, shape.To-shape.From+1)
	for m := shape.From; m <= shape.To; m++ {
		chunk := newChunk(shape, m)
		n := t.until(order, monthStart(m+1, shape.zone()))
		t.fill(chunk, order[:n])
		order = order[n:]
		chunks = append(chunks, chunk)
	}
	return chunks, t.report, nil
}

// monthStart is when a month begins in a zone.
func monthStart(m sdk.Month, zone *time.Location) int64 {
	return time.Date(m.Year(), m.Month(), 1, 0, 0, 0, 0, zone).Unix()
}

// inOrder is the rows to keep, in time order, each interval once.
func (t *table) inOrder() []int32 {
	first := monthStart(t.shape.From, t.shape.zone())
	last := monthStart(t.shape.To+1, t.shape.zone())
	order := make([]int32, 0, len(t.rows))
	for i := range t.rows {
		switch r := &t.rows[i]; {
		case r.out:
		case r.start < first || r.start >= last:
			t.report.Outside++
		default:
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(t.rows[a].start, t.rows[b].start) })
	return t.withoutDuplicates(order)
}

// withoutDuplicates keeps the first of the readings of one interval, or the
// first that has a value, and flags it.
func (t *table) withoutDuplicates(order []int32) []int32 {
	kept := order[:0]
	for _, i := range order {
		n := len(kept) - 1
		if n < 0 || t.rows[kept[n]].start != t.rows[i].start {
			kept = append(kept, i)
			continue
		}
		t.report.Duplicates++
		_, had := t.values[consumption].Value(int(kept[n]))
		if _, has := t.values[consumption].Value(int(i)); has && !had {
			kept[n] = i
		}
		t.rows[kept[n]].flags |= sdk.Duplicate
	}
	return kept
}

// until is how many of the rows start before a time.
func (t *table) until(order []int32, end int64) int {
	n, _ := slices.BinarySearchFunc(order, end, func(i int32, end int64) int {
		return cmp.Compare(t.rows[i].start, end)
	})
	return n
}

// fill puts rows into a chunk.
func (t *table) fill(chunk *sdk.Chunk, order []int32) {
	if len(order) == 0 {
		return
	}
	step := uint32(chunk.Series.Step() / time.Second)
	chunk.Starts = make([]int64, len(order))
	for n, i := range order {
		r := &t.rows[i]
		chunk.Starts[n] = r.start
		if r.flags != 0 && chunk.Flags == nil {
			chunk.Flags = make([]sdk.Flags, len(order))
		}
		if r.span != step && chunk.Spans == nil {
			chunk.Spans = slices.Repeat([]uint32{step}, len(order))
		}
		if chunk.Flags != nil {
			chunk.Flags[n] = r.flags
		}
		if chunk.Spans != nil {
			chunk.Spans[n] = r.span
		}
	}
	t.fillMethods(chunk, order)
	chunk.Consumption = t.column(consumption, order)
	chunk.Surplus = t.column(surplus, order)
	chunk.Generation = t.column(generation, order)
	chunk.SelfConsumption = t.column(selfConsumption, order)
}

// isWhole tells whether the rows are all of the table, in its own order.
func (t *table) isWhole(order []int32) bool {
	return len(order) == len(t.rows) && slices.IsSorted(order)
}

// column is a column of the rows. The usual answer, one month in order, is
// handed over as it was read.
func (t *table) column(column int, order []int32) sdk.Column {
	from := &t.values[column]
	if from.Empty() || t.isWhole(order) {
		return *from
	}
	var to sdk.Column
	for n, i := range order {
		if value, ok := from.Value(int(i)); ok {
			if to.Units == nil {
				to.Units = make([]int64, 0, len(order))
			}
			to.Set(n, shortest(value)) // it fitted the wider column
		}
	}
	to.Close(len(order))
	return to
}

// shortest drops the zeros at the end of a fraction, so that a value is the
// same whatever stood beside it.
func shortest(d sdk.Decimal) sdk.Decimal {
	for d.Scale > 0 && d.Units%10 == 0 {
		d.Units /= 10
		d.Scale--
	}
	return d
}

// fillMethods says how the readings were obtained, unless none of them does.
func (t *table) fillMethods(chunk *sdk.Chunk, order []int32) {
	index := make([]uint8, len(order))
	var translate [maxMethods + 1]int16 // from the table's dictionary, plus one
	said := false
	var methods []string
	for n, i := range order {
		r := &t.rows[i]
		if !r.told {
			r.method = t.intern(nil)
		}
		if translate[r.method] == 0 {
			methods = append(methods, t.methods[r.method])
			translate[r.method] = int16(len(methods))
			said = said || t.methods[r.method] != ""
		}
		index[n] = uint8(translate[r.method] - 1)
	}
	if said {
		chunk.Methods, chunk.MethodIndex = methods, index
	}
}
