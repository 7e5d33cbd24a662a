package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"github.com/datadis-engine/datadis/sdk"
)

// FuzzText writes a text as a cell. Any CSV reader gives it back, and no
// spreadsheet takes it for a formula.
func FuzzText(f *testing.F) {
	for _, s := range []string{"Real", "=1+1", "+1", "-1", "@x", "\tx", "\rx", `a"b`, "a,b", "a\nb", "ñ", "'", " x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || !utf8.ValidString(s) || strings.Contains(s, "\r") {
			t.Skip("is null, not a text, or changed by the reader of this test")
		}
		line := string(appendText(nil, s)) + ",next\n"
		record, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil || len(record) != 2 || record[1] != "next" {
			t.Fatalf("%q became %q: %q, %v", s, line, record, err)
		}
		if strings.ContainsRune("=+-@\t", rune(record[0][0])) {
			t.Errorf("%q is a formula", record[0])
		}
		if strings.TrimPrefix(record[0], "'") != strings.TrimPrefix(s, "'") {
			t.Errorf("%q became %q", s, record[0])
		}
	})
}

// FuzzDouble makes sure that any number of up to 15 digits comes back from a
// DOUBLE column as it was.
func FuzzDouble(f *testing.F) {
	f.Add(int64(312), int32(3))
	f.Add(int64(999_999_999_999_999), int32(6))
	f.Add(int64(-1), int32(18))
	f.Fuzz(func(t *testing.T, units int64, scale int32) {
		d := sdk.Decimal{Units: units % 1e15, Scale: (scale%19 + 19) % 19}
		got := cellOf(t, (cell{set: true, decimal: d}).parquet(number, nil), number)
		if got.decimal.String() != d.String() {
			t.Errorf("%s became %s", d, got.decimal)
		}
	})
}

// TestRevisionIn finds what the library wrote, as the library finds it.
func TestRevisionIn(t *testing.T) {
	t.Parallel()
	for _, revision := range []uint32{1, 42, 1<<32 - 1} {
		content := parquetOf(t, revision)
		file, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		want, _ := file.Lookup(revisionKey)
		if got := revisionIn(bytes.NewReader(content), int64(len(content))); got != revision || fmt.Sprint(got) != want {
			t.Errorf("got %d, want %d; the library finds %s", got, revision, want)
		}
	}
}

// parquetOf is a file with a method that pretends to be a revision.
func parquetOf(t testing.TB, revision uint32) []byte {
	t.Helper()
	c := springDay()
	c.Revision = revision
	c.Methods, c.MethodIndex = []string{revisionKey + "\x18\x0299"}, make([]uint8, c.Len())
	e := encoder{rows: readingsOf(&c, nil)}
	content, err := e.encode(parquetFormat, &c)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// FuzzRevision reads any file under the name of an earlier revision, as people
// may leave it there: it must not be in the way.
func FuzzRevision(f *testing.F) {
	f.Add(parquetOf(f, 7))
	f.Add([]byte("PAR1"))
	f.Add([]byte(revisionKey + "\x18\xff\x13\x00\x00\x00PAR1"))
	f.Fuzz(func(_ *testing.T, content []byte) {
		revisionIn(bytes.NewReader(content), int64(len(content)))
	})
}
