package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/sdk"
)

// fetchedSupply is a supply with its contracts, as Datadis lists them.
type fetchedSupply struct {
	CUPS        string            `json:"cups"`
	Distributor string            `json:"distributor"`
	PointType   int               `json:"point_type"`
	ValidFrom   string            `json:"valid_from,omitempty"` // YYYY-MM-DD
	ValidTo     string            `json:"valid_to,omitempty"`   // "" while active
	Address     string            `json:"address,omitempty"`
	PostalCode  string            `json:"postal_code,omitempty"`
	Town        string            `json:"municipality,omitempty"`
	Contracts   []json.RawMessage `json:"contracts"` // Datadis's own fields

	contracts []datadis.Contract
}

var fetchedSupplyColumns = []column[fetchedSupply]{
	{"CUPS", func(s fetchedSupply) string { return s.CUPS }},
	{"DISTRIBUTOR", func(s fetchedSupply) string { return s.Distributor }},
	{"POINT TYPE", func(s fetchedSupply) string { return fmt.Sprint(s.PointType) }},
	{"FROM", func(s fetchedSupply) string { return s.ValidFrom }},
	{"TO", func(s fetchedSupply) string { return s.ValidTo }},
	{"ADDRESS", func(s fetchedSupply) string { return s.Address }},
	{"POSTAL CODE", func(s fetchedSupply) string { return s.PostalCode }},
	{"MUNICIPALITY", func(s fetchedSupply) string { return s.Town }},
	{"RETAILERS", func(s fetchedSupply) string {
		return s.each(func(c datadis.Contract) string { return c.Marketer })
	}},
	{"FARES", func(s fetchedSupply) string {
		return s.each(func(c datadis.Contract) string { return c.AccessFare })
	}},
	{"CONTRACTED KW", func(s fetchedSupply) string {
		return s.each(func(c datadis.Contract) string {
			powers := make([]string, len(c.ContractedPower))
			for i, p := range c.ContractedPower {
				powers[i] = p.String()
			}
			return strings.Join(powers, "/")
		})
	}},
}

// each is what is said of each contract.
func (s fetchedSupply) each(say func(datadis.Contract) string) string {
	said := make([]string, len(s.contracts))
	for i, c := range s.contracts {
		said[i] = say(c)
	}
	return strings.Join(said, "; ")
}

// describe lists supplies and contracts. Datadis does not limit that.
func (f *fetcher) describe(ctx context.Context, supplies []sdk.Supply, format string, out *fetchOutput) error {
	list := make([]fetchedSupply, 0, len(supplies))
	var problems []error
	f.bar.begin(len(supplies))
	for _, s := range supplies {
		contracts, err := f.session.Contracts(ctx, f.nif, s.CUPS, s.Distributor)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("the contracts of %s: %w", s.CUPS.Masked(), explain(err)))
		}
		list = append(list, describedSupply(s, contracts))
		f.bar.done(1)
	}
	f.bar.end()
	return errors.Join(append(problems, writeSupplies(list, format, out))...)
}

func describedSupply(s sdk.Supply, contracts []datadis.Contract) fetchedSupply {
	one := fetchedSupply{
		CUPS: string(s.CUPS), Distributor: string(s.Distributor), PointType: s.PointType,
		ValidFrom: dateText(s.ValidFrom), ValidTo: dateText(s.ValidTo),
		Address: s.Address, PostalCode: s.PostalCode, Town: s.Municipality,
		Contracts: []json.RawMessage{}, contracts: contracts,
	}
	for _, c := range contracts {
		one.Contracts = append(one.Contracts, c.Raw)
	}
	return one
}

// dateText is a day in Madrid, where Datadis's dates are from; "" for none.
func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(sdk.Madrid).Format(time.DateOnly)
}

func writeSupplies(list []fetchedSupply, format string, out *fetchOutput) error {
	if format != "csv" {
		return printList(&printer{out: out, format: format}, list, fetchedSupplyColumns...)
	}
	w := csv.NewWriter(out)
	cells := make([]string, len(fetchedSupplyColumns))
	for i, c := range fetchedSupplyColumns {
		cells[i] = strings.ToLower(strings.ReplaceAll(c.title, " ", "_"))
	}
	_ = w.Write(cells) // its error comes with the flush
	for _, s := range list {
		for i, c := range fetchedSupplyColumns {
			cells[i] = noFormula(c.cell(s))
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return w.Error()
}
