package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// parquetTable writes tables of the same columns, one file after the other. It
// is not safe for concurrent use.
type parquetTable[R any] struct {
	columns []column[R]
	schema  *parquet.Schema
	values  []parquet.Value
	out     bytes.Buffer
}

// pageBytes is enough for a month of quarter hours in one page, and bounds the
// buffers that a writer keeps for each column.
const pageBytes = 64 << 10

func newParquetTable[R any](columns []column[R]) *parquetTable[R] {
	root := record{Group: make(parquet.Group, len(columns))}
	for _, c := range columns {
		node := c.kind.node()
		if !c.required {
			node = parquet.Optional(node)
		}
		root.Group[c.name] = node
		root.names = append(root.names, c.name)
	}
	return &parquetTable[R]{
		columns: columns,
		schema:  parquet.NewSchema("datadis", root),
	}
}

// record is a group whose fields keep their order. [parquet.Group] sorts them
// by name.
type record struct {
	parquet.Group
	names []string
}

// Fields implements [parquet.Node].
func (r record) Fields() []parquet.Field {
	fields := r.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(r.names, a.Name()) - slices.Index(r.names, b.Name())
	})
	return fields
}

// node is the Parquet type of a kind. Numbers are DOUBLE, which every reader
// sums and plots at once, and which gives any decimal of up to 15 digits back
// as it was; DECIMAL columns would turn into slow objects in pandas.
func (k kind) node() parquet.Node {
	switch k {
	case number:
		return parquet.Leaf(parquet.DoubleType)
	case integer:
		return parquet.Int(32)
	case instant:
		return parquet.Encoded(parquet.Timestamp(parquet.Microsecond), &parquet.DeltaBinaryPacked)
	case day:
		return parquet.Date()
	default:
		return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	}
}

// encode is a table as a Parquet file. It stays valid until the next one.
func (t *parquetTable[R]) encode(rows []R, metadata ...parquetPair) ([]byte, error) {
	t.out.Reset()
	// A writer that is reset leaves the columns' names out of the next file's
	// footer (parquet-go 0.32), so each file has one of its own.
	writer := parquet.NewWriter(&t.out, t.schema, parquet.Compression(&parquet.Zstd), parquet.PageBufferSize(pageBytes))
	for _, pair := range metadata {
		writer.SetKeyValueMetadata(pair.key, pair.value)
	}
	writers := writer.ColumnWriters()
	for i := range t.columns {
		if err := t.writeColumn(writers[i], i, rows); err != nil {
			return nil, fmt.Errorf("encoding column %s as Parquet: %w", t.columns[i].name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("encoding as Parquet: %w", err)
	}
	return t.out.Bytes(), nil
}

// parquetPair is an entry of a Parquet file's own metadata.
type parquetPair struct{ key, value string }

// writeColumn hands over the values of column i, page by page.
func (t *parquetTable[R]) writeColumn(w *parquet.ColumnWriter, i int, rows []R) error {
	c := t.columns[i]
	defined := 1
	if c.required {
		defined = 0
	}
	var last textValue
	for rows := range slices.Chunk(rows, pageBytes/8) {
		t.values = t.values[:0]
		for _, row := range rows {
			v, level := parquet.NullValue(), 0
			if cell := c.cell(row); cell.set || c.required {
				v, level = cell.parquet(c.kind, &last), defined
			}
			t.values = append(t.values, v.Level(0, level, i))
		}
		if _, err := w.WriteRowValues(t.values); err != nil {
			return err
		}
	}
	return nil
}

// textValue remembers the value of a text: most columns repeat theirs, and each
// new one costs an allocation.
type textValue struct {
	text  string
	value parquet.Value
	set   bool
}

func (t *textValue) of(s string) parquet.Value {
	if !t.set || t.text != s {
		*t = textValue{text: s, value: parquet.ByteArrayValue([]byte(s)), set: true}
	}
	return t.value
}

// parquet is the cell's value.
func (c cell) parquet(k kind, last *textValue) parquet.Value {
	switch k {
	case number:
		return parquet.DoubleValue(c.decimal.Float())
	case integer, day:
		return parquet.Int32Value(int32(c.whole))
	case instant:
		return parquet.Int64Value(c.whole * 1e6)
	default:
		return last.of(c.text)
	}
}
