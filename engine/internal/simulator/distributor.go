package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Distributor is a company and its habits. In a world file, keys that are left
// out keep the default of that company.
type Distributor struct {
	Code string `json:"code"`
	Name string `json:"name,omitempty"`

	DST        string `json:"dst,omitempty"`         // A, B or B-merged; default A, for 8 B-merged
	PadSpring  bool   `json:"pad_spring,omitempty"`  // 24 rows on the 23-hour day, one of them 0
	DropAutumn bool   `json:"drop_autumn,omitempty"` // 24 rows on the 25-hour day, one hour missing
	Quarters   string `json:"quarters,omitempty"`    // end (default) or hour
	Midnight   string `json:"midnight,omitempty"`    // "", next-day, short, start, extra-row

	Fields    string   `json:"fields,omitempty"` // all (default), surplus or none of the later energies
	Method    *string  `json:"method,omitempty"` // of every row; default Real and Estimada, for 8 none
	NullHours float64  `json:"null_hours,omitempty"`
	Watts     bool     `json:"watts,omitempty"`      // maximum power in W
	NamedPeak bool     `json:"named_peak,omitempty"` // PUNTA, LLANO, VALLE for periods 1 to 3
	LagDays   *float64 `json:"lag_days,omitempty"`   // default [Config.Lag]

	ShortPostalCode bool  `json:"short_postal_code,omitempty"` // loses its leading zero
	NoValidFrom     *bool `json:"no_valid_from,omitempty"`     // sends "" for it; default for 8

	company int // four digits of its CUPS
}

// knownDistributors are the eight of today.
func knownDistributors() []Distributor {
	none, yes := "", true
	return []Distributor{
		{Code: "1", Name: "VIESGO", company: 27},
		{Code: "2", Name: "EDISTRIBUCIÓN", company: 31},
		{Code: "3", Name: "E-REDES", company: 26, ShortPostalCode: true},
		{Code: "4", Name: "ASEME", company: 105},
		{Code: "5", Name: "UFD", company: 22},
		{Code: "6", Name: "EOSA", company: 152},
		{Code: "7", Name: "CIDE", company: 348, Fields: "surplus"},
		{Code: "8", Name: "I-DE", company: 21, DST: labelBMerged, Method: &none, NoValidFrom: &yes},
	}
}

// distributors are the known ones with the given habits laid over them.
func distributors(habits []Distributor) (map[string]*Distributor, error) {
	all := make(map[string]*Distributor)
	for _, d := range knownDistributors() {
		d.DST = cmp.Or(d.DST, labelA)
		d.Quarters = cmp.Or(d.Quarters, quartersEnd)
		d.Fields = cmp.Or(d.Fields, "all")
		all[d.Code] = &d
	}
	var errs []error
	for i, h := range habits {
		known := all[h.Code]
		if known == nil {
			errs = append(errs, fmt.Errorf("distributors[%d].code: %q is not 1 to 8", i, h.Code))
			continue
		}
		if err := known.adopt(h); err != nil {
			errs = append(errs, fmt.Errorf("distributors[%d].%w", i, err))
		}
	}
	return all, errors.Join(errs...)
}

// adopt takes over the habits that are given.
func (d *Distributor) adopt(h Distributor) error {
	h.Name, h.company = cmp.Or(h.Name, d.Name), d.company
	h.DST = cmp.Or(h.DST, d.DST)
	h.Quarters = cmp.Or(h.Quarters, d.Quarters)
	h.Fields = cmp.Or(h.Fields, d.Fields)
	if h.Method == nil {
		h.Method = d.Method
	}
	if h.NoValidFrom == nil {
		h.NoValidFrom = d.NoValidFrom
	}
	h.ShortPostalCode = h.ShortPostalCode || d.ShortPostalCode
	*d = h
	for _, choice := range []struct {
		key, value string
		allowed    []string
	}{
		{"dst", d.DST, []string{labelA, labelB, labelBMerged}},
		{"quarters", d.Quarters, []string{quartersEnd, quartersHour}},
		{"midnight", d.Midnight, []string{midnightSame, midnightNext, midnightShort, midnightStart, midnightExtra}},
		{"fields", d.Fields, []string{"all", "surplus", "none"}},
	} {
		if !slices.Contains(choice.allowed, choice.value) {
			return fmt.Errorf("%s: %q is not one of %q", choice.key, choice.value, choice.allowed)
		}
	}
	return nil
}
