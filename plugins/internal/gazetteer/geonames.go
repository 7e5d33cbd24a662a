package gazetteer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The columns of a GeoNames dump (readme.txt of the dumps) that are used here.
const (
	columnID      = 0
	columnName    = 1
	columnFeature = 7  // ADM2: province; ADM3: municipality
	columnAdmin2  = 11 // letters of the province
	columnAdmin3  = 12 // INE's code of the municipality
	columnsOfDump = 19
)

// languages of the alternate names that count: those that are official
// somewhere in Spain; "" has no language.
var languages = []string{"", "es", "ca", "gl", "eu", "oc", "an", "ast"}

var fiveDigits = regexp.MustCompile(`^[0-9]{5}$`)

// Import reads GeoNames' dump of Spain (ES.txt) and, unless it is nil, the dump
// of alternate names (alternateNamesV2.txt). Provinces have no INE code there;
// theirs is that of their municipalities.
func Import(dump, alternate io.Reader) ([]Place, error) {
	i := importer{byID: map[string]*Place{}, letters: map[string]string{}, provinces: map[string]*Place{}}
	if err := lines(dump, i.place); err != nil {
		return nil, fmt.Errorf("dump of places: %w", err)
	}
	if len(i.byID) == 0 {
		return nil, errors.New("the dump has no municipality; it should be the file ES.txt of GeoNames")
	}
	for letters, p := range i.provinces {
		p.INE = i.letters[letters]
		if p.INE != "" {
			i.byID[p.GeoNames] = p
		}
	}
	if alternate != nil {
		if err := lines(alternate, i.name); err != nil {
			return nil, fmt.Errorf("dump of alternate names: %w", err)
		}
	}
	places := make([]Place, 0, len(i.byID))
	for _, id := range slices.Sorted(maps.Keys(i.byID)) {
		places = append(places, *i.byID[id])
	}
	return places, nil
}

type importer struct {
	byID      map[string]*Place
	letters   map[string]string // province's letters → INE
	provinces map[string]*Place // by letters
}

func (i *importer) place(fields []string) error {
	if len(fields) != columnsOfDump {
		return fmt.Errorf("has %d columns, not %d", len(fields), columnsOfDump)
	}
	p := &Place{GeoNames: fields[columnID], Feature: "A", Names: []string{fields[columnName]}}
	switch fields[columnFeature] {
	case "ADM2":
		i.provinces[fields[columnAdmin2]] = p
	case "ADM3":
		if p.INE = fields[columnAdmin3]; fiveDigits.MatchString(p.INE) {
			i.byID[p.GeoNames] = p
			i.letters[fields[columnAdmin2]] = p.INE[:2]
		}
	}
	return nil
}

// name adds an alternate name: id, GeoNames id, language, name, preferred,
// short, colloquial, historic.
func (i *importer) name(fields []string) error {
	if len(fields) < 4 {
		return fmt.Errorf("has %d columns, not at least 4", len(fields))
	}
	p := i.byID[fields[1]]
	if p == nil || !slices.Contains(languages, fields[2]) || len(fields) > 7 && fields[7] == "1" {
		return nil
	}
	name := strings.ReplaceAll(fields[3], "|", " ")
	if !slices.Contains(p.Names, name) {
		p.Names = append(p.Names, name)
	}
	return nil
}

// lines calls take with the columns of each line, and adds the line's number to
// its errors.
func lines(r io.Reader, take func(fields []string) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for n := 1; in.Scan(); n++ {
		if err := take(strings.Split(in.Text(), "\t")); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return in.Err()
}
