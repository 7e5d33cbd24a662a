package main

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/datadis-engine/datadis/sdk"
)

// reading is a row of a chunk's.
type reading struct {
	i     int
	flags sdk.Flags
}

// readingsOf lists a chunk's rows in time order, one for each start and tariff
// period. Where the distributor sent several, the first that is nothing but a
// plain one is taken, and flagged as a duplicate.
func readingsOf(c *sdk.Chunk) []reading {
	compare := func(a, b reading) int {
		return cmp.Or(cmp.Compare(c.Starts[a.i], c.Starts[b.i]), cmp.Compare(period(c, a.i), period(c, b.i)))
	}
	rows := make([]reading, c.Len())
	for i := range rows {
		rows[i] = reading{i: i, flags: c.Flag(i)}
	}
	if !slices.IsSortedFunc(rows, compare) {
		slices.SortStableFunc(rows, compare)
	}
	kept := rows[:0]
	for _, r := range rows {
		last := len(kept) - 1
		if last < 0 || compare(kept[last], r) != 0 {
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

func period(c *sdk.Chunk, i int) uint8 {
	if c.Periods == nil {
		return 0
	}
	return c.Periods[i]
}

// doubtful tells whether another reading of the same interval is to be
// preferred.
func (r reading) doubtful() bool {
	return r.flags&(sdk.Duplicate|sdk.Padding|sdk.Unreadable) != 0
}

// appendCopy appends the job's readings as COPY takes them: a line each, cells
// separated by tabs, \N for null (PostgreSQL manual, COPY, text format).
func (j *job) appendCopy(to []byte) []byte {
	c := j.chunk
	series := strconv.AppendInt(nil, int64(j.seriesID), 10)
	values := valuesOf(c)
	for _, r := range j.readings {
		to = append(to, series...)
		to = strconv.AppendInt(append(to, '\t'), c.Starts[r.i], 10)
		to = strconv.AppendInt(append(to, '\t'), c.Starts[r.i]+int64(c.Span(r.i).Seconds()), 10)
		to = strconv.AppendUint(append(to, '\t'), uint64(period(c, r.i)), 10)
		for _, column := range values {
			to = append(to, '\t')
			if d, ok := column.Value(r.i); ok {
				to = d.Append(to)
			} else {
				to = append(to, `\N`...)
			}
		}
		to = appendText(append(to, '\t'), c.Method(r.i))
		flags := ""
		if r.flags != 0 { // String allocates
			flags = r.flags.String()
		}
		to = append(appendText(append(to, '\t'), flags), '\n')
	}
	return to
}

// appendText appends a text of a COPY; the empty one is null.
func appendText(to []byte, text string) []byte {
	if text == "" {
		return append(to, `\N`...)
	}
	for i := range len(text) {
		switch c := text[i]; c {
		case '\\', '\t', '\n', '\r':
			to = append(to, '\\', map[byte]byte{'\\': '\\', '\t': 't', '\n': 'n', '\r': 'r'}[c])
		default:
			to = append(to, c)
		}
	}
	return to
}
