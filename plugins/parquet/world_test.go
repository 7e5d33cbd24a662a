package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// world is a folder and a harmonizer that writes into it.
type world struct {
	*testing.T
	dir    string
	config Config
	h      *harmonizer
}

func newWorld(t *testing.T, config Config) *world {
	t.Helper()
	w := &world{T: t, dir: filepath.Join(t.TempDir(), "out"), config: config}
	w.restart()
	return w
}

// restart is what happens when the plugin's process is started again.
func (w *world) restart() {
	w.Helper()
	h, err := newHarmonizer(w.Context(), sdk.Instance{Name: "parquet", Dir: filepath.Dir(w.dir)}, w.config)
	if err != nil {
		w.Fatal(err)
	}
	w.h = h
}

// write hands chunks over and expects these reasons for those not written.
func (w *world) write(chunks []sdk.Chunk, reasons ...string) {
	w.Helper()
	result, err := w.h.HarmonizeTimeSeries(w.Context(), sdk.Batch[sdk.Chunk]{Run: "run", ID: "batch", Items: chunks})
	if err != nil {
		w.Fatal(err)
	}
	w.expect(result, reasons)
}

func (w *world) writeSupplies(supplies []sdk.Supply, reasons ...string) {
	w.Helper()
	result, err := w.h.HarmonizeSupplies(w.Context(), sdk.Batch[sdk.Supply]{Run: "run", ID: "batch", Items: supplies})
	if err != nil {
		w.Fatal(err)
	}
	w.expect(result, reasons)
}

func (w *world) expect(result sdk.Result, reasons []string) {
	w.Helper()
	var got []string
	for _, item := range result.Items {
		got = append(got, item.Reason)
	}
	if !slices.Equal(got, reasons) {
		w.Errorf("not written for %q, want %q", got, reasons)
	}
}

// files lists all files below the folder but the lock.
func (w *world) files() []string {
	w.Helper()
	var files []string
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != lockName {
			files = append(files, strings.TrimPrefix(path, w.dir+"/"))
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return files
}

func (w *world) read(path string) string {
	w.Helper()
	content, err := os.ReadFile(filepath.Join(w.dir, path))
	if err != nil {
		w.Fatal(err)
	}
	return string(content)
}

// golden compares a CSV file, and the Parquet file beside it written as CSV,
// with a golden file.
func (w *world) golden(path, name string, asCSV func(*testing.T, string) string) {
	w.Helper()
	got := w.read(path + ".csv")
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			w.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		w.Fatal(err)
	}
	if got != string(want) {
		w.Errorf("%s.csv:\n%s\nwant:\n%s", path, got, want)
	}
	if got := asCSV(w.T, filepath.Join(w.dir, path+".parquet")); got != string(want) {
		w.Errorf("%s.parquet:\n%s\nwant:\n%s", path, got, want)
	}
}

// parquetAsCSV reads a Parquet file as any reader would, and writes what it
// finds as the CSV file beside it should be.
func parquetAsCSV[R any](columns []column[R]) func(*testing.T, string) string {
	return func(t *testing.T, path string) string {
		t.Helper()
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		for i, path := range file.Schema().Columns() {
			if len(path) != 1 || path[0] != columns[i].name {
				t.Errorf("column %d is %v, want %s", i, path, columns[i].name)
			}
			out = append(append(out, path[0]...), separator(i, len(columns)))
		}
		for _, group := range file.RowGroups() {
			rows := group.Rows()
			defer rows.Close()
			buffer := make([]parquet.Row, 100)
			for err = nil; err == nil; {
				var n int
				n, err = rows.ReadRows(buffer)
				for _, row := range buffer[:n] {
					for i, value := range row {
						out = cellOf(t, value, columns[i].kind).appendCSV(out, columns[i].kind)
						out = append(out, separator(i, len(columns)))
					}
				}
			}
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
		return string(out)
	}
}

// cellOf is the cell that a Parquet value was made from.
func cellOf(t *testing.T, v parquet.Value, k kind) cell {
	t.Helper()
	if v.IsNull() {
		return cell{}
	}
	switch k {
	case number:
		d, err := sdk.ParseDecimal(v.String())
		if err != nil {
			t.Fatal(err)
		}
		return numberCell(d, true)
	case integer, day:
		return cell{set: true, whole: int64(v.Int32())}
	case instant:
		return cell{set: true, whole: v.Int64() / 1e6}
	default:
		return textCell(string(v.ByteArray()))
	}
}

const (
	cups1 sdk.CUPS = "ES0031000000000001BJ0F"
	cups2 sdk.CUPS = "ES0021000000000001RK"
)

// chunkOf is a chunk of north's hourly energy without readings.
func chunkOf(cups sdk.CUPS, month string, revision uint32) sdk.Chunk {
	m, err := sdk.ParseMonth(month)
	if err != nil {
		panic(err)
	}
	return sdk.Chunk{
		ID: sdk.ChunkID(cups, sdk.EnergyHourly, m), Revision: revision, Hash: uint64(revision) * 0x1234567,
		Run: "run", Source: "north", CUPS: cups, Series: sdk.EnergyHourly, Month: m,
		FetchedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// monthOf is a chunk with a reading for each step of the month; their values
// are the revision and the reading's number.
func monthOf(cups sdk.CUPS, month string, revision uint32, series sdk.Series) sdk.Chunk {
	c := chunkOf(cups, month, revision)
	c.Series = series
	c.ID = sdk.ChunkID(cups, series, c.Month)
	c.Methods = []string{"Real"}
	for i := range series.Expected(c.Month) {
		c.Starts = append(c.Starts, c.Month.Start().Add(time.Duration(i)*series.Step()).Unix())
		c.Consumption.Set(i, sdk.Decimal{Units: int64(revision)*1_000_000 + int64(i), Scale: 3})
		c.MethodIndex = append(c.MethodIndex, 0)
	}
	return c
}

// decimal reads a number of a test.
func decimal(text string) sdk.Decimal {
	d, err := sdk.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

// checkSupplies makes sure that both tables of supplies are whole.
func (w *world) checkSupplies() {
	w.Helper()
	for _, content := range []string{
		w.read("north/supplies.csv"),
		parquetAsCSV(supplyColumns)(w.T, filepath.Join(w.dir, "north/supplies.parquet")),
	} {
		if rows := strings.Count(content, "\n") - 1; rows < 1 || rows > 2 || !strings.HasSuffix(content, "\n") {
			w.Errorf("half a table of supplies:\n%s", content)
		}
	}
}
