package envelope

import (
	"math"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datadis-engine/datadis/sdk"
)

// reading is what a row tells besides its values.
type reading struct {
	start, end int64
	started    bool
	ended      bool
	period     int64
	flags      sdk.Flags
}

// energyRow reads a row of a consumption chunk.
func (r *rowReader) energyRow() error {
	i, c := r.c.Len(), r.c
	var row reading
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case `"consumptionKWh"`:
			return r.value(&c.Consumption, i)
		case `"surplusEnergyKWh"`:
			return r.value(&c.Surplus, i)
		case `"generationEnergyKWh"`:
			return r.value(&c.Generation, i)
		case `"selfConsumptionEnergyKWh"`:
			return r.value(&c.SelfConsumption, i)
		default:
			return r.readingMember(name, &row, i)
		}
	})
	if err != nil {
		return err
	}
	return r.add(&row)
}

// readingMember reads what every kind of reading has.
func (r *rowReader) readingMember(name []byte, row *reading, i int) (err error) {
	switch string(name) {
	case `"timestamp"`:
		row.started = true
		row.start, err = r.instant()
	case `"obtainMethod"`:
		return r.method(i)
	case `"end"`:
		row.ended = true
		row.end, err = r.end()
	case `"flags"`:
		row.flags, err = r.flags()
	default:
		return r.skip()
	}
	return err
}

// add appends a reading to the chunk's columns; its values are there already.
func (r *rowReader) add(row *reading) error {
	c := r.c
	i := c.Len()
	switch span := row.end - row.start; {
	case !row.started:
		return malformed("a reading without timestamp")
	case i >= r.room:
		return malformed("more readings than the header says")
	case row.ended && (span < 0 || span > math.MaxUint32):
		return malformed("a reading that ends before it starts, or never")
	case row.ended:
		r.ends = true
		c.Spans = append(grown(c.Spans, i, r.room), uint32(span))
	case r.ends:
		c.Spans = append(c.Spans, 0)
	}
	if row.flags != 0 {
		c.Flags = grown(c.Flags, i, r.room)
	}
	if c.Flags != nil {
		c.Flags = append(c.Flags, row.flags)
	}
	if c.Starts == nil {
		r.reserve()
	}
	c.Starts = append(c.Starts, row.start)
	return nil
}

// grown makes a column that was not needed so far n entries long.
func grown[T any](column []T, n, room int) []T {
	if column != nil {
		return column
	}
	return make([]T, n, min(room, 1024))
}

// reserve makes room for the readings that a message of usual size has.
func (r *rowReader) reserve() {
	room := min(r.room, 1024)
	r.c.Starts = make([]int64, 0, room)
	for _, column := range columnsOf(r.c) {
		if len(column.Units) > 0 {
			column.Units = append(make([]int64, 0, room), column.Units...)
		}
	}
}

// noMethod is the index that points to no method, where others of the chunk
// have one.
const noMethod = math.MaxUint8

// methodReader collects the methods of a chunk as dictionary and indexes.
type methodReader struct {
	names   []string
	indexes []uint8
	raw     []byte // the last method, quoted: mostly the next one too
	last    uint8
}

// method reads how reading i was obtained.
func (r *rowReader) method(i int) error {
	raw, err := r.d.ReadValue()
	if err != nil {
		return broken(err)
	}
	m := &r.methods
	switch {
	case raw[0] == 'n':
		return nil
	case raw[0] != '"':
		return malformed("no text where one should be")
	case m.raw == nil || string(m.raw) != string(raw):
		name, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return broken(err)
		}
		index, ok := m.lookUp(string(name))
		if !ok {
			return malformed("more methods than a chunk can have")
		}
		m.raw, m.last = append(m.raw[:0], raw...), index
	}
	m.set(i, m.last)
	return nil
}

// lookUp finds a method in the dictionary, or adds it.
func (m *methodReader) lookUp(name string) (index uint8, ok bool) {
	for i, known := range m.names {
		if known == name {
			return uint8(i), true
		}
	}
	if len(m.names) > math.MaxUint8 {
		return 0, false
	}
	m.names = append(m.names, name)
	return uint8(len(m.names) - 1), true
}

// set gives reading i a method; readings before it that have none stay so.
func (m *methodReader) set(i int, index uint8) {
	for len(m.indexes) <= i {
		m.indexes = append(m.indexes, noMethod)
	}
	m.indexes[i] = index
}

// finish is the dictionary and the indexes of n readings, nil if none has a
// method.
func (m *methodReader) finish(n int) ([]string, []uint8) {
	if m.names == nil {
		return nil, nil
	}
	for len(m.indexes) < n {
		m.indexes = append(m.indexes, noMethod)
	}
	return m.names, m.indexes[:n]
}
