package envelope

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/datadis-engine/datadis/sdk"
)

// opening is all of a time-series envelope that precedes its rows.
const opening = `{"data":[`

// Chunk is a chunk as messages for the source that it names: as many parts as
// keep each value under [MaxValue]. The given headers, such as [HeaderTrace],
// are added to each. The messages share one buffer; they do not refer to the
// chunk.
//
// Consumption has a row per reading, power and reactive energy one per month.
// The chunk must not be empty.
func Chunk(c *sdk.Chunk, route sdk.Route, headers ...Header) ([]Message, error) {
	if err := errors.Join(checkChunk(c), CheckRoute(route)); err != nil {
		return nil, fmt.Errorf("chunk %s as messages: %w", c.ID, err)
	}
	e, err := newEncoder(c, route)
	if err != nil {
		return nil, err
	}
	parts, err := e.parts()
	if err != nil {
		return nil, fmt.Errorf("chunk %s as messages: %w", c.ID, err)
	}
	common := append(chunkHeaders(c), headers...)
	key := []byte(c.CUPS)
	messages := make([]Message, len(parts))
	for i, p := range parts {
		own := make([]Header, 0, len(common)+2)
		own = append(own,
			Header{HeaderPart, strconv.Itoa(i+1) + "/" + strconv.Itoa(len(parts))},
			Header{HeaderRows, strconv.Itoa(p.first) + "/" + strconv.Itoa(c.Len())})
		messages[i] = Message{
			Topic: route.Topic, Key: key,
			Value:   e.buf[p.from:p.to:p.to],
			Headers: append(own, common...),
		}
	}
	return messages, nil
}

func chunkHeaders(c *sdk.Chunk) []Header {
	return []Header{
		{HeaderSchema, Schema},
		{HeaderRun, c.Run},
		{HeaderSource, c.Source},
		{HeaderChunk, c.ID},
		{HeaderSeries, string(c.Series.Property) + "/" + string(c.Series.Resolution)},
		{HeaderHash, hashText(c.Hash)},
		{HeaderRevision, strconv.FormatUint(uint64(c.Revision), 10)},
		{HeaderMonth, c.Month.String()},
		{HeaderFetched, c.FetchedAt.UTC().Format(time.RFC3339Nano)},
	}
}

// checkChunk tells whether a chunk can be written and read back.
func checkChunk(c *sdk.Chunk) error {
	n := c.Len()
	columns := []*sdk.Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive}
	oneEach := func(entries int) bool { return entries == 0 || entries == n }
	switch {
	case n == 0:
		return errors.New("it has no readings")
	case !oneEach(len(c.Spans)) || !oneEach(len(c.Flags)) || !oneEach(len(c.Periods)) || !oneEach(len(c.MethodIndex)):
		return errors.New("a column has not one entry per reading")
	case slices.Min(c.Starts) < earliest || slices.Max(c.Starts) > latest-1<<32:
		return errors.New("a reading starts in no year of four digits")
	case c.Series.Property == sdk.Energy && slices.Contains(c.Spans, 0):
		return errors.New("a reading has no length")
	case c.Month < 0 || c.Month.Year() > 9999:
		return errors.New("its month is in no year of four digits")
	case !utf8.ValidString(string(c.CUPS)) || slices.ContainsFunc(c.Methods, notText):
		return errors.New("its CUPS or a method is no UTF-8")
	}
	for i, column := range columns {
		energy := i < 4 // the others are for the monthly series
		switch {
		case !oneEach(len(column.Units)):
			return errors.New("a column has not one entry per reading")
		case column.Scale < 0 || column.Scale > sdk.MaxScale:
			return errors.New("a column's scale is out of range")
		case !column.Empty() && energy != (c.Series.Property == sdk.Energy):
			return fmt.Errorf("a column does not belong to %s", c.Series)
		}
	}
	return nil
}

func notText(s string) bool { return !utf8.ValidString(s) }

// encoder writes the rows of one chunk into one buffer.
type encoder struct {
	c        *sdk.Chunk
	buf      []byte
	head     []byte   // a row up to its datetime
	tail     []byte   // a row after its values, with the closing brace
	end      []byte   // the envelope after its rows
	methods  [][]byte // Methods as JSON
	calendar calendar
}

// part is a stretch of the buffer, and the index of its first reading.
type part struct{ from, to, first int }

func newEncoder(c *sdk.Chunk, route sdk.Route) (*encoder, error) {
	fill := filler(c)
	tables := make([]string, len(route.Tables))
	for i, table := range route.Tables {
		tables[i] = fill.Replace(table)
	}
	end, err := closing(tables, route.RowKeys, kwargs{
		timeSeries, string(c.Series.Property), string(c.Series.Resolution), []string{c.Source},
	})
	if err != nil {
		return nil, err
	}
	end = append([]byte{']'}, end...)
	e := &encoder{c: c, end: end, methods: make([][]byte, len(c.Methods))}
	e.head = append(appendText([]byte(`{"cups":`), string(c.CUPS)), `,"datetime":"`...)
	e.tail = appendText([]byte(`,"freq":`), string(c.Series.Resolution))
	e.tail = appendText(append(e.tail, `,"prop":`...), string(c.Series.Property))
	e.tail = append(appendExtra(e.tail, route.Extra, fill), '}')
	for i, method := range c.Methods {
		e.methods[i] = appendText(nil, method)
	}
	return e, nil
}

// parts writes all rows, and cuts them between two rows where a value would
// reach [MaxValue].
func (e *encoder) parts() ([]part, error) {
	rows, write := e.c.Len(), e.row
	if e.c.Series.Property != sdk.Energy {
		rows, write = 1, e.month
	}
	e.buf = append(make([]byte, 0, 2048), opening...)
	parts := []part{{}}
	for i := range rows {
		current := &parts[len(parts)-1]
		before := len(e.buf)
		if i > current.first {
			e.buf = append(e.buf, ',')
		}
		write(i)
		if len(e.buf)-current.from+len(e.end) >= MaxValue {
			if i == current.first {
				return nil, fmt.Errorf("row %d alone exceeds %d bytes", i, MaxValue)
			}
			e.buf = append(e.buf[:before], e.end...)
			current.to = len(e.buf)
			parts = append(parts, part{from: current.to, first: i})
			e.buf = append(e.buf, opening...)
			write(i)
		}
		if i == 0 { // rows are about alike: room for all of them at once
			size := len(e.buf) + 16
			e.buf = slices.Grow(e.buf, rows*size+(rows*size/MaxValue+1)*len(e.end))
		}
	}
	e.buf = append(e.buf, e.end...)
	parts[len(parts)-1].to = len(e.buf)
	return parts, nil
}
