package main

import "github.com/datadis-engine/datadis/sdk"

// encoder turns chunks into files. It keeps its buffers.
type encoder struct {
	rows   []reading
	csv    []byte
	tables map[sdk.Property]*parquetTable[reading]
}

// encode is the content of a file that holds the rows. It stays valid until the
// next call.
func (e *encoder) encode(format string, c *sdk.Chunk) ([]byte, error) {
	columns := columnsOf(c.Series)
	if format == csvFormat {
		e.csv = appendCSV(e.csv[:0], columns, e.rows)
		return e.csv, nil
	}
	table := e.tables[c.Series.Property]
	if table == nil {
		table = newParquetTable(columns)
		if e.tables == nil {
			e.tables = map[sdk.Property]*parquetTable[reading]{}
		}
		e.tables[c.Series.Property] = table
	}
	return table.encode(e.rows, metadataOf(c)...)
}
