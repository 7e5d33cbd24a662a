// Package gazetteer knows Spain's provinces and municipalities: their INE code,
// their names in each official language, and their GeoNames id. data/README.md
// says where the embedded table comes from, and what it lacks.
package gazetteer

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed data/provinces.csv data/municipalities.csv
var files embed.FS

// Place is a province or a municipality.
type Place struct {
	INE      string   // two digits for a province, five for a municipality
	GeoNames string   // id, "" where it is not known
	Feature  string   // what the id stands for: A an administrative division, P a populated place
	Names    []string // in each official language; the usual one first
}

// Province is the INE code of the place's province.
func (p *Place) Province() string { return p.INE[:2] }

// Table is a gazetteer. It is not changed once it is made.
type Table struct {
	byINE  map[string]*Place
	byName map[string]map[string][]*Place // by province, "" for the provinces themselves, and key of the name
}

// header of the files.
var header = []string{"ine", "geonames", "feature", "names"}

var (
	ineShape = regexp.MustCompile(`^[0-9]{2}([0-9]{3})?$`)
	idShape  = regexp.MustCompile(`^[0-9]{0,10}$`)
)

// Embedded is the table that this package brings.
var Embedded = sync.OnceValues(func() (*Table, error) {
	var all []Place
	for _, name := range []string{"data/provinces.csv", "data/municipalities.csv"} {
		content, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading the embedded gazetteer: %w", err)
		}
		places, err := read(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("embedded gazetteer: %s: %w", name, err)
		}
		all = append(all, places...)
	}
	return index(all), nil
})

// Read makes a table of a file that [Write] wrote. Errors have the line.
func Read(r io.Reader) (*Table, error) {
	places, err := read(r)
	if err != nil {
		return nil, err
	}
	if len(places) == 0 {
		return nil, errors.New("the gazetteer is empty")
	}
	return index(places), nil
}

func read(r io.Reader) ([]Place, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = len(header)
	first, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	if !slices.Equal(first, header) {
		return nil, fmt.Errorf("line 1: the header is not %s", strings.Join(header, ","))
	}
	var places []Place
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return places, nil
		}
		if err != nil {
			return nil, err // has the line
		}
		line, _ := in.FieldPos(0)
		p := Place{INE: row[0], GeoNames: row[1], Feature: row[2], Names: strings.Split(row[3], "|")}
		switch {
		case !ineShape.MatchString(p.INE):
			return nil, fmt.Errorf("line %d: %q is no INE code of two or five digits", line, p.INE)
		case !idShape.MatchString(p.GeoNames):
			return nil, fmt.Errorf("line %d: %q is no GeoNames id", line, p.GeoNames)
		case row[3] == "":
			return nil, fmt.Errorf("line %d: has no name", line)
		}
		places = append(places, p)
	}
}

// Write writes places as a file that [Read] reads.
func Write(w io.Writer, places []Place) error {
	slices.SortFunc(places, func(a, b Place) int {
		return cmp.Or(cmp.Compare(len(a.INE), len(b.INE)), cmp.Compare(a.INE, b.INE))
	})
	out := csv.NewWriter(w)
	_ = out.Write(header) // the error comes again with Flush
	for _, p := range places {
		_ = out.Write([]string{p.INE, p.GeoNames, p.Feature, strings.Join(p.Names, "|")})
	}
	out.Flush()
	return out.Error()
}

func index(places []Place) *Table {
	t := &Table{byINE: make(map[string]*Place, len(places)), byName: map[string]map[string][]*Place{}}
	for i := range places {
		p := &places[i]
		t.byINE[p.INE] = p
		within := ""
		if len(p.INE) > 2 {
			within = p.Province()
		}
		if t.byName[within] == nil {
			t.byName[within] = map[string][]*Place{}
		}
		for _, key := range keysOf(p) {
			t.byName[within][key] = append(t.byName[within][key], p)
		}
	}
	return t
}

// keysOf are the keys of all names of a place, each once, and of all names
// together, as they are written side by side ("Alicante/Alacant").
func keysOf(p *Place) []string {
	var keys []string
	for _, name := range append(slices.Clone(p.Names), strings.Join(p.Names, "/")) {
		if key := Key(name); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// ByINE finds a place by its code: two digits for a province, five for a
// municipality.
func (t *Table) ByINE(code string) *Place { return t.byINE[code] }
