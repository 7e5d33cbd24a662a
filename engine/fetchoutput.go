package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/datadis-engine/datadis/sdk"
)

// fetchOutput is where the result goes: the terminal, or a file that appears
// whole when all was written.
type fetchOutput struct {
	*bufio.Writer
	held *bytes.Buffer // what the terminal gets when the bar is gone; else nil
	to   io.Writer     // where that goes
	file *os.File      // nil: standard output
	path string
}

// newFetchOutput opens the output before anything is asked of Datadis, which
// would not repeat what could not be written. The file is for its owner alone.
func newFetchOutput(stdout io.Writer, terminal bool, path string) (*fetchOutput, error) {
	switch {
	case path == "" && terminal:
		held := &bytes.Buffer{}
		return &fetchOutput{Writer: bufio.NewWriter(held), held: held, to: stdout}, nil
	case path == "":
		return &fetchOutput{Writer: bufio.NewWriter(stdout)}, nil
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, wrongUsage(fmt.Errorf("--output: %w", err))
	}
	return &fetchOutput{Writer: bufio.NewWriter(file), file: file, path: path}, nil
}

// close writes what is left, and puts the file in its place.
func (o *fetchOutput) close() error {
	err := o.Flush()
	if o.held != nil {
		_, written := o.held.WriteTo(o.to)
		err = errors.Join(err, written)
	}
	if o.file == nil {
		return err
	}
	file := o.file
	o.file = nil
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), o.path)
	}
	if err != nil {
		return fmt.Errorf("what was fetched is in %s: %w", file.Name(), err)
	}
	return nil
}

// discard leaves an older file as it is: nothing came.
func (o *fetchOutput) discard() error {
	if o.file == nil {
		return nil
	}
	file := o.file
	o.file = nil
	o.Reset(io.Discard)
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// fetchedRow is a reading, with its values as Datadis gave them.
type fetchedRow struct {
	CUPS            string      `json:"cups"`
	Series          string      `json:"series"`
	Start           string      `json:"start"` // RFC 3339, UTC
	End             string      `json:"end"`
	Consumption     json.Number `json:"consumption_kwh,omitempty"`
	Surplus         json.Number `json:"surplus_kwh,omitempty"`
	Generation      json.Number `json:"generation_kwh,omitempty"`
	SelfConsumption json.Number `json:"self_consumption_kwh,omitempty"`
	Peak            json.Number `json:"max_power_kw,omitempty"`
	Reactive        json.Number `json:"reactive_kvarh,omitempty"`
	Period          json.Number `json:"period,omitempty"` // the tariff period of the monthly series
	Method          string      `json:"method,omitempty"`
	Flags           string      `json:"flags,omitempty"`
}

var fetchedColumns = []column[fetchedRow]{
	{"cups", func(r fetchedRow) string { return r.CUPS }},
	{"series", func(r fetchedRow) string { return r.Series }},
	{"start", func(r fetchedRow) string { return r.Start }},
	{"end", func(r fetchedRow) string { return r.End }},
	{"consumption_kwh", func(r fetchedRow) string { return r.Consumption.String() }},
	{"surplus_kwh", func(r fetchedRow) string { return r.Surplus.String() }},
	{"generation_kwh", func(r fetchedRow) string { return r.Generation.String() }},
	{"self_consumption_kwh", func(r fetchedRow) string { return r.SelfConsumption.String() }},
	{"max_power_kw", func(r fetchedRow) string { return r.Peak.String() }},
	{"reactive_kvarh", func(r fetchedRow) string { return r.Reactive.String() }},
	{"period", func(r fetchedRow) string { return r.Period.String() }},
	{"method", func(r fetchedRow) string { return r.Method }},
	{"flags", func(r fetchedRow) string { return r.Flags }},
}

// rowsOf are the readings of chunks. A value that Datadis did not give is empty,
// never zero.
func rowsOf(chunks []*sdk.Chunk) []fetchedRow {
	var rows []fetchedRow
	value := func(c *sdk.Column, i int) json.Number {
		if d, ok := c.Value(i); ok {
			return json.Number(d.String())
		}
		return ""
	}
	for _, c := range chunks {
		for i := range c.Len() {
			row := fetchedRow{
				CUPS: string(c.CUPS), Series: c.Series.String(),
				Start: c.Start(i).Format(time.RFC3339), End: c.End(i).Format(time.RFC3339),
				Consumption: value(&c.Consumption, i), Surplus: value(&c.Surplus, i), Generation: value(&c.Generation, i),
				SelfConsumption: value(&c.SelfConsumption, i), Peak: value(&c.Peak, i), Reactive: value(&c.Reactive, i),
				Method: c.Method(i), Flags: c.Flag(i).String(),
			}
			if i < len(c.Periods) {
				row.Period = json.Number(fmt.Sprint(c.Periods[i]))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// fetchWriter writes rows in a format.
type fetchWriter interface {
	write(rows []fetchedRow) error
	end() error
}

func newFetchWriter(format string, out *fetchOutput) fetchWriter {
	switch format {
	case "csv":
		w := &fetchCSV{csv: csv.NewWriter(out)}
		titles := make([]string, len(fetchedColumns))
		for i, c := range fetchedColumns {
			titles[i] = c.title
		}
		_ = w.csv.Write(titles) // its error comes with the next one
		return w
	case "json":
		return &fetchJSON{out: out}
	default:
		return &fetchTable{out: out}
	}
}

// fetchCSV writes a line per reading.
type fetchCSV struct{ csv *csv.Writer }

func (w *fetchCSV) write(rows []fetchedRow) error {
	cells := make([]string, len(fetchedColumns))
	for _, row := range rows {
		for i, c := range fetchedColumns {
			cells[i] = c.cell(row)
		}
		cells[0], cells[11] = noFormula(cells[0]), noFormula(cells[11]) // what others wrote
		_ = w.csv.Write(cells)                                          // its error comes with the flush
	}
	w.csv.Flush()
	return w.csv.Error()
}

func (w *fetchCSV) end() error {
	w.csv.Flush()
	return w.csv.Error()
}

// noFormula puts an apostrophe before a text that a spreadsheet would take for a
// formula.
func noFormula(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// fetchJSON writes one array of all readings.
type fetchJSON struct {
	out  *fetchOutput
	some bool
}

func (w *fetchJSON) write(rows []fetchedRow) error {
	for _, row := range rows {
		text, err := json.Marshal(row)
		if err != nil {
			return fmt.Errorf("write a reading: %w", err)
		}
		before := ",\n  "
		if !w.some {
			w.some, before = true, "[\n  "
		}
		if _, err := fmt.Fprintf(w.out, "%s%s", before, text); err != nil {
			return err
		}
	}
	return nil
}

func (w *fetchJSON) end() error {
	if !w.some {
		_, err := fmt.Fprintln(w.out, "[]")
		return err
	}
	_, err := fmt.Fprintln(w.out, "\n]")
	return err
}

// fetchTable writes aligned columns, but for those in which nothing stands.
type fetchTable struct {
	out  *fetchOutput
	rows []fetchedRow
}

func (w *fetchTable) write(rows []fetchedRow) error {
	w.rows = append(w.rows, rows...)
	return nil
}

func (w *fetchTable) end() error {
	if len(w.rows) == 0 {
		_, err := fmt.Fprintln(w.out, "no readings came")
		return err
	}
	var columns []column[fetchedRow]
	for _, c := range fetchedColumns {
		for _, row := range w.rows {
			if c.cell(row) != "" {
				c.title = strings.ToUpper(strings.ReplaceAll(c.title, "_", " "))
				columns = append(columns, c)
				break
			}
		}
	}
	return printList(&printer{out: w.out}, w.rows, columns...)
}

// fetchBar shows how many queries were made, on a terminal.
type fetchBar struct {
	terminal io.Writer
	bars     *mpb.Progress
	bar      *mpb.Bar
	started  time.Time
}

// newFetchBar makes a bar on the given terminal; nil for none.
func newFetchBar(terminal io.Writer) *fetchBar {
	b := &fetchBar{terminal: terminal}
	if terminal != nil {
		b.bars = mpb.New(mpb.WithOutput(terminal), mpb.WithWidth(40), mpb.WithRefreshRate(150*time.Millisecond))
	}
	return b
}

// Writer is where log lines go, so that they stand above the bar.
func (b *fetchBar) Writer(otherwise io.Writer) io.Writer {
	if b.bars == nil {
		return otherwise
	}
	return b.bars
}

// begin shows the bar.
func (b *fetchBar) begin(queries int) {
	if b.bars == nil {
		return
	}
	b.started = time.Now()
	b.bar = b.bars.New(int64(queries), mpb.BarStyle(),
		mpb.PrependDecorators(decor.Name("queries", decor.WC{W: 9, C: decor.DindentRight}), decor.CountersNoUnit("%d/%d", decor.WC{W: 12})),
		mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string { return paceText(s, b.started) })))
}

func (b *fetchBar) done(queries int) {
	if b.bar != nil {
		b.bar.IncrBy(queries)
	}
}

// end leaves the bar as it is.
func (b *fetchBar) end() {
	if b.bars == nil {
		return
	}
	if b.bar != nil {
		b.bar.SetTotal(-1, true)
	}
	b.bars.Wait()
}
