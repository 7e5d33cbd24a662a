package datadis

import (
	"bytes"
	"slices"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/go-json-experiment/json/jsontext"
)

// The columns of a table.
const (
	consumption = iota
	surplus
	generation
	selfConsumption
	columns
)

// table is the rows of a consumption answer in the order in which they came,
// with their values in columns.
type table struct {
	shape   Shape
	rows    []row
	values  [columns]sdk.Column
	methods []string // how readings were obtained, each once
	report  Report
	seen    sighting
}

// row is what a row says about its interval, and then the interval.
type row struct {
	date   date
	label  int32 // minutes
	method uint8 // into table.methods, if told
	told   bool  // how it was obtained
	flags  sdk.Flags
	out    bool // left out
	start  int64
	span   uint32
}

// sighting remembers what the row before had, which the next one mostly has
// too.
type sighting struct {
	cups   []byte // a CUPS as it stood there
	ours   bool   // and whether it is the supply's
	date   []byte
	parsed date
}

// draft is a row while it is read.
type draft struct {
	row
	values  [columns]sdk.Decimal
	present [columns]bool
	foreign bool
	dated   bool
	timed   bool
}

// newTable reads the rows of a body.
func newTable(body []byte, shape Shape) (*table, error) {
	t := &table{shape: shape}
	// About 130 bytes a row at least, should an answer exceed what was asked.
	t.rows = make([]row, 0, min(shape.expected(), len(body)/100)+1)
	failures, err := document(body, "timeCurve", func(dec *jsontext.Decoder) error {
		return array(dec, t.read)
	})
	t.report.Errors = failures
	for i := range t.values {
		t.values[i].Close(len(t.rows))
	}
	return t, err
}

// read reads the next element of the list.
func (t *table) read(dec *jsontext.Decoder) error {
	t.report.Rows++
	if dec.PeekKind() != '{' {
		t.report.Bad++
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	var d draft
	for dec.PeekKind() != '}' {
		if err := t.member(dec, &d); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	t.add(&d)
	return nil
}

// member reads one member of a row.
func (t *table) member(dec *jsontext.Decoder, d *draft) error {
	name, err := dec.ReadValue()
	if err != nil {
		return err
	}
	column := -1
	kind := byte(0)
	switch string(name) { // compared in place, nothing is copied
	case `"cups"`:
		kind = 'c'
	case `"date"`:
		kind = 'd'
	case `"time"`:
		kind = 't'
	case `"obtainMethod"`:
		kind = 'm'
	case `"consumptionKWh"`:
		column = consumption
	case `"surplusEnergyKWh"`:
		column = surplus
	case `"generationEnergyKWh"`:
		column = generation
	case `"selfConsumptionEnergyKWh"`:
		column = selfConsumption
	}
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if column >= 0 {
		d.number(column, value)
		return nil
	}
	t.word(d, kind, value)
	return nil
}

// word takes in a member that is a text.
func (t *table) word(d *draft, kind byte, value []byte) {
	switch kind {
	case 'c':
		d.foreign = !t.isOurs(value)
	case 'd':
		d.date, d.dated = t.parseDate(value)
	case 't':
		if text, ok := plain(value); ok {
			label, ok := parseLabel(bytes.TrimSpace(text))
			d.label, d.timed = int32(label), ok
		}
	case 'm':
		d.method, d.told = t.methodIndex(value), true
	}
}

// number takes in a value. One that is there but cannot be kept is missing, and
// the row is flagged.
func (d *draft) number(column int, value jsontext.Value) {
	text := []byte(value)
	d.present[column] = false
	switch value.Kind() {
	case 'n':
		return
	case '0':
	case '"':
		inner, ok := plain(value)
		inner = bytes.TrimSpace(inner)
		if ok && (len(inner) == 0 || string(inner) == "-") {
			return // one of the ways to say nothing
		}
		text = inner
	default:
		text = nil
	}
	decimal, err := sdk.ParseDecimal(text)
	if err != nil {
		d.flags |= sdk.Unreadable
		return
	}
	d.values[column], d.present[column] = decimal, true
}

// isOurs tells whether a row's CUPS is the supply's. A row that does not say is
// taken to be.
func (t *table) isOurs(value []byte) bool {
	if t.seen.cups != nil && bytes.Equal(t.seen.cups, value) {
		return t.seen.ours
	}
	t.seen.cups = append(t.seen.cups[:0], value...)
	t.seen.ours = t.shape.isOurs(value)
	return t.seen.ours
}

// isOurs tells whether a CUPS in JSON is the shape's.
func (s Shape) isOurs(value jsontext.Value) bool {
	cups := sdk.CUPS((fields{"": value}).text("")).Key()
	return s.CUPS == "" || cups == "" || cups == s.CUPS.Key()
}

// parseDate reads the date of a row.
func (t *table) parseDate(value []byte) (date, bool) {
	if t.seen.date != nil && bytes.Equal(t.seen.date, value) {
		return t.seen.parsed, t.seen.parsed != 0
	}
	t.seen.date = append(t.seen.date[:0], value...)
	text, _ := plain(value)
	parsed, ok := parseDate(bytes.TrimSpace(text))
	t.seen.parsed = parsed
	return parsed, ok
}

// maxMethods is how many ways to obtain a reading are told apart; the index is
// a byte.
const maxMethods = 255

// methodIndex is where a method stands in the dictionary.
func (t *table) methodIndex(value []byte) uint8 {
	text, ok := plain(value)
	if !ok { // null, or a text with escapes
		text = []byte((fields{"": value}).exact(""))
	}
	return t.intern(text)
}

// intern puts a method into the dictionary, once.
func (t *table) intern(method []byte) uint8 {
	for i, known := range t.methods {
		if known == string(method) {
			return uint8(i)
		}
	}
	if len(t.methods) >= maxMethods {
		method = nil
		if i := slices.Index(t.methods, ""); i >= 0 {
			return uint8(i)
		}
	}
	t.methods = append(t.methods, string(method))
	return uint8(len(t.methods) - 1)
}

// add keeps a row that was read, if it is of use.
func (t *table) add(d *draft) {
	switch {
	case d.foreign:
		t.report.Foreign++
		return
	case !d.dated || !d.timed:
		t.report.Bad++
		return
	}
	i := len(t.rows)
	for column, present := range d.present {
		if !present {
			continue
		}
		c := &t.values[column]
		if c.Units == nil {
			c.Units = make([]int64, 0, cap(t.rows))
		}
		if !c.Set(i, d.values[column]) {
			d.flags |= sdk.Unreadable
		}
	}
	t.rows = append(t.rows, d.row)
}

// isZero tells whether a row has no value other than zero.
func (t *table) isZero(i int) bool {
	for column := range t.values {
		if value, ok := t.values[column].Value(i); ok && value.Units != 0 {
			return false
		}
	}
	return true
}
