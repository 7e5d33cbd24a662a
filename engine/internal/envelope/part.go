package envelope

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datadis-engine/datadis/sdk"
)

// maxReadings is how many readings a chunk may have: far more than the 2,980
// quarter hours of an October.
const maxReadings = 1 << 16

// Part is one message of a chunk.
type Part struct {
	Index, Count int // the part, from 0, of so many
	First, Total int // its first reading, of so many
	// Chunk has the facts of the chunk and the readings of this part only.
	Chunk *sdk.Chunk
}

// ParsePart reads a time-series message. Its errors are [ErrSchema] and
// [ErrMalformed]. The part does not refer to the message.
func ParsePart(m *Message) (Part, error) {
	if err := checkSchema(m); err != nil {
		return Part{}, err
	}
	p, err := parseHeaders(m)
	if err != nil {
		return Part{}, err
	}
	r := newRowReader(p.Chunk, m.Value, p.Total-p.First)
	if err := r.envelope(); err != nil {
		return Part{}, err
	}
	if n := p.Chunk.Len(); n == 0 || p.First+n > p.Total || p.Index+1 == p.Count && p.First+n != p.Total {
		return Part{}, malformed("%d readings from %d on, of %d", n, p.First, p.Total)
	}
	return p, nil
}

// parseHeaders reads all that a message says of its chunk outside its value.
func parseHeaders(m *Message) (Part, error) {
	c := &sdk.Chunk{
		ID:     m.Header(HeaderChunk),
		Run:    m.Header(HeaderRun),
		Source: m.Header(HeaderSource),
		CUPS:   sdk.CUPS(m.Key),
	}
	p := Part{Chunk: c}
	index, count, ok := fraction(m.Header(HeaderPart))
	if !ok || index < 1 || index > count {
		return Part{}, malformed("header %s is no fraction", HeaderPart)
	}
	p.Index, p.Count = index-1, count
	if p.First, p.Total, ok = fraction(m.Header(HeaderRows)); !ok || p.First >= p.Total || count > p.Total {
		return Part{}, malformed("header %s does not fit", HeaderRows)
	}
	property, resolution, ok := strings.Cut(m.Header(HeaderSeries), "/")
	if !ok || c.ID == "" || len(m.Key) == 0 {
		return Part{}, malformed("without series, chunk id or CUPS")
	}
	c.Series = sdk.Series{Property: sdk.Property(property), Resolution: sdk.Resolution(resolution)}
	return p, parseVersion(c, m)
}

// parseVersion reads what tells one version of a chunk from another.
func parseVersion(c *sdk.Chunk, m *Message) error {
	revision, err := strconv.ParseUint(m.Header(HeaderRevision), 10, 32)
	if err != nil {
		return malformed("header %s is no number", HeaderRevision)
	}
	c.Revision = uint32(revision)
	if c.Hash, err = parseHash(m.Header(HeaderHash)); err != nil {
		return err
	}
	if c.Month, err = sdk.ParseMonth(m.Header(HeaderMonth)); err != nil {
		return malformed("header %s is no month", HeaderMonth)
	}
	fetched, err := time.Parse(time.RFC3339Nano, m.Header(HeaderFetched))
	if err != nil {
		return malformed("header %s is no time", HeaderFetched)
	}
	c.FetchedAt = fetched.UTC()
	return nil
}

// fraction reads "2/3".
func fraction(text string) (above, below int, ok bool) {
	first, second, _ := strings.Cut(text, "/")
	a, errA := strconv.ParseUint(first, 10, 31)
	b, errB := strconv.ParseUint(second, 10, 31)
	return int(a), int(b), errA == nil && errB == nil && b > 0 && b <= maxReadings
}

// rowReader reads the value of a time-series message into a chunk.
type rowReader struct {
	d       *jsontext.Decoder
	c       *sdk.Chunk
	room    int // for how many readings
	ends    bool
	methods methodReader
	months  int // monthly rows seen
}

func newRowReader(c *sdk.Chunk, value []byte, room int) *rowReader {
	d := jsontext.NewDecoder(bytes.NewBuffer(value), jsontext.AllowDuplicateNames(true))
	return &rowReader{d: d, c: c, room: room}
}

// envelope reads the whole value.
func (r *rowReader) envelope() error {
	data := false
	err := r.object(func(name []byte) error {
		switch string(name) {
		case `"data"`:
			if data {
				return malformed("data twice")
			}
			data = true
			return r.array(r.dataRow)
		case `"kwargs"`:
			return r.kwargs()
		default:
			return r.skip()
		}
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// dataRow reads one row.
func (r *rowReader) dataRow() error {
	if r.c.Series.Property == sdk.Energy {
		return r.energyRow()
	}
	return r.monthRow()
}

// kwargs checks that the value is what the headers say.
func (r *rowReader) kwargs() error {
	return r.object(func(name []byte) error {
		want := ""
		switch string(name) {
		case `"collection_type"`:
			want = timeSeries
		case `"property"`:
			want = string(r.c.Series.Property)
		case `"freq"`:
			want = string(r.c.Series.Resolution)
		default:
			return r.skip()
		}
		got, _, err := r.text()
		if err == nil && got != want {
			err = malformed("kwargs and headers differ")
		}
		return err
	})
}

// finish fills in what is only known once all rows were read.
func (r *rowReader) finish() error {
	c := r.c
	if r.ends {
		step := uint32(c.Series.Step().Seconds())
		for i, span := range c.Spans {
			if span == 0 && c.Series.Property == sdk.Energy {
				c.Spans[i] = step
			}
		}
	} else if c.Series.Property == sdk.Energy {
		c.Spans = nil
	}
	c.Methods, c.MethodIndex = r.methods.finish(c.Len())
	columnsClose(c)
	return nil
}

// columnsOf lists the columns of a chunk.
func columnsOf(c *sdk.Chunk) [6]*sdk.Column {
	return [6]*sdk.Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive}
}
