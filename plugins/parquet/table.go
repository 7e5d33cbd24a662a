package main

import (
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// column is one column of a table whose rows are R. CSV and Parquet are both
// written from it, so that they cannot differ.
type column[R any] struct {
	name     string
	kind     kind
	required bool // has a value in every row
	cell     func(R) cell
}

// kind is what a column holds.
type kind uint8

const (
	text    kind = iota // string
	number              // decimal: as it is in CSV, DOUBLE in Parquet
	integer             // small whole number
	instant             // epoch seconds: ISO 8601 in UTC, TIMESTAMP in Parquet
	day                 // days since 1970: ISO 8601, DATE in Parquet
)

// cell is one value. Which field counts is up to the column's kind. The zero
// cell is null.
type cell struct {
	set     bool
	text    string
	whole   int64
	decimal sdk.Decimal
}

// textCell is a text; the empty one is null.
func textCell(s string) cell { return cell{set: s != "", text: s} }

func numberCell(d sdk.Decimal, ok bool) cell { return cell{set: ok, decimal: d} }

// pointerCell is a number that may be missing.
func pointerCell(d *sdk.Decimal) cell {
	if d == nil {
		return cell{}
	}
	return numberCell(*d, true)
}

// integerCell is a whole number; zero is null.
func integerCell(n int64) cell { return cell{set: n != 0, whole: n} }

func instantCell(t time.Time) cell {
	if t.IsZero() {
		return cell{}
	}
	return cell{set: true, whole: t.Unix()}
}

// dayCell is the day in Madrid that t lies in. Datadis's dates are such days.
func dayCell(t time.Time) cell {
	if t.IsZero() {
		return cell{}
	}
	year, month, d := t.In(sdk.Madrid).Date()
	return cell{set: true, whole: time.Date(year, month, d, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay}
}

const secondsPerDay = 24 * 60 * 60

// appendCSV appends a table with its header.
func appendCSV[R any](to []byte, columns []column[R], rows []R) []byte {
	for i := range columns {
		to = append(to, columns[i].name...)
		to = append(to, separator(i, len(columns)))
	}
	for _, row := range rows {
		for i := range columns {
			to = columns[i].cell(row).appendCSV(to, columns[i].kind)
			to = append(to, separator(i, len(columns)))
		}
	}
	return to
}

func separator(i, n int) byte {
	if i == n-1 {
		return '\n'
	}
	return ','
}

// appendCSV appends the cell; nothing, if it is null.
func (c cell) appendCSV(to []byte, k kind) []byte {
	if !c.set {
		return to
	}
	switch k {
	case number:
		return c.decimal.Append(to)
	case integer:
		return sdk.Decimal{Units: c.whole}.Append(to)
	case instant:
		return appendInstant(to, c.whole)
	case day:
		return appendDay(to, time.Unix(c.whole*secondsPerDay, 0).UTC())
	default:
		return appendText(to, c.text)
	}
}

// appendInstant appends 2006-01-02T15:04:05Z. Two of them stand in each row, and
// [time.Time.AppendFormat] would take half of the time that a row takes.
func appendInstant(to []byte, seconds int64) []byte {
	t := time.Unix(seconds, 0).UTC()
	hour, minute, second := t.Clock()
	to = append(appendDay(to, t), 'T')
	to = append(appendTwo(to, hour), ':')
	to = append(appendTwo(to, minute), ':')
	return append(appendTwo(to, second), 'Z')
}

// appendDay appends 2006-01-02.
func appendDay(to []byte, t time.Time) []byte {
	year, month, day := t.Date()
	to = appendTwo(appendTwo(to, year/100), year%100)
	to = append(appendTwo(append(to, '-'), int(month)), '-')
	return appendTwo(to, day)
}

// appendTwo appends the two digits of a number below a hundred.
func appendTwo(to []byte, n int) []byte { return append(to, byte('0'+n/10), byte('0'+n%10)) }

// appendText appends a text, quoted where it has to be. One that a spreadsheet
// would take for a formula gets an apostrophe before it.
func appendText(to []byte, s string) []byte {
	formula := strings.IndexByte("=+-@\t\r", s[0]) >= 0
	quoted := strings.ContainsAny(s, ",\"\r\n") || s[0] == ' '
	if quoted {
		to = append(to, '"')
	}
	if formula {
		to = append(to, '\'')
	}
	if !quoted {
		return append(to, s...)
	}
	for i := range len(s) {
		if s[i] == '"' {
			to = append(to, '"')
		}
		to = append(to, s[i])
	}
	return append(to, '"')
}
