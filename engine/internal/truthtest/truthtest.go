// Package truthtest compares what the engine wrote with what the simulator
// says that it should have. It is for tests, and linked into no binary.
package truthtest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Reading is one reading, as texts: times in ISO 8601, UTC, and the value in
// its shortest decimal form.
type Reading struct {
	CUPS, Series, Start, End, Period string
}

// Readings maps each reading to its value. A reading that came twice is counted
// in Doubled.
type Readings struct {
	Values  map[Reading]string
	Doubled int
}

// Difference between what there is and what there should be.
type Difference struct {
	Right, Missing, Wrong, Doubled, Extra int
	Examples                              []string // a few of each
}

// None tells whether all is right.
func (d Difference) None() bool { return d.Missing+d.Wrong+d.Doubled+d.Extra == 0 }

// String is the counts and the examples.
func (d Difference) String() string {
	return fmt.Sprintf("right %d, missing %d, wrong %d, doubled %d, extra %d\n%s",
		d.Right, d.Missing, d.Wrong, d.Doubled, d.Extra, strings.Join(d.Examples, "\n"))
}

// maxExamples is how many differences are told in full.
const maxExamples = 12

// Compare tells how got differs from want.
func Compare(got, want Readings) Difference {
	d := Difference{Doubled: got.Doubled}
	tell := func(what string, r Reading, more string) {
		if len(d.Examples) < maxExamples {
			d.Examples = append(d.Examples, fmt.Sprintf("%s: %+v %s", what, r, more))
		}
	}
	for r, value := range want.Values {
		switch have, ok := got.Values[r]; {
		case !ok:
			d.Missing++
			tell("missing", r, value)
		case have != value:
			d.Wrong++
			tell("wrong", r, have+" instead of "+value)
		default:
			d.Right++
		}
	}
	for r, value := range got.Values {
		if _, ok := want.Values[r]; !ok {
			d.Extra++
			tell("extra", r, value)
		}
	}
	return d
}

// Truth reads the simulator's truth, only those readings that keep says.
func Truth(t testing.TB, source io.Reader, keep func(Reading) bool) Readings {
	t.Helper()
	got := Readings{Values: make(map[Reading]string)}
	err := rows(source, func(row map[string]string) {
		r := Reading{
			CUPS: row["cups"], Series: row["property"] + "_" + row["resolution"],
			Start: row["start"], End: row["end"], Period: row["period"],
		}
		if keep == nil || keep(r) {
			got.add(r, row["value"])
		}
	})
	if err != nil {
		t.Fatalf("read the truth: %v", err)
	}
	return got
}

// valueColumn is where the CSV files of the parquet plugin have the value, by
// property.
var valueColumn = map[string]string{
	"EnergyConsumptionGridElectricity": "consumption_kwh", "Power": "max_power_kw", "ReactiveEnergy": "reactive_kvarh",
}

// Output reads the CSV files that the parquet plugin wrote for one source, a
// folder such as out/north.
func Output(t testing.TB, dir string) Readings {
	t.Helper()
	got := Readings{Values: make(map[Reading]string)}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".csv" || filepath.Dir(path) == dir {
			return err
		}
		series := filepath.Base(filepath.Dir(filepath.Dir(path)))
		property, _, _ := strings.Cut(series, "_")
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(rows(file, func(row map[string]string) {
			r := Reading{CUPS: row["cups"], Series: series, Start: row["start"], End: row["end"], Period: row["period"]}
			got.add(r, row[valueColumn[property]])
		}), file.Close())
	})
	if err != nil {
		t.Fatalf("read the output: %v", err)
	}
	return got
}

// add adds a reading. Trailing zeros say nothing.
func (r *Readings) add(reading Reading, value string) {
	if strings.Contains(value, ".") {
		value = strings.TrimRight(strings.TrimRight(value, "0"), ".")
	}
	if _, ok := r.Values[reading]; ok {
		r.Doubled++
	}
	r.Values[reading] = value
}

// rows reads a CSV file with a header.
func rows(source io.Reader, visit func(map[string]string)) error {
	reader := csv.NewReader(source)
	reader.ReuseRecord = true
	first, err := reader.Read()
	if err != nil {
		return err
	}
	header := append([]string(nil), first...)
	row := make(map[string]string, len(header))
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, name := range header {
			row[name] = record[i]
		}
		visit(row)
	}
}
