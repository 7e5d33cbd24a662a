package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// supplyOf is a supply of north's with hardly anything in it, as it was on a
// day of January 2026.
func supplyOf(cups sdk.CUPS, day int) sdk.Supply {
	return sdk.Supply{
		Run: "run", Sources: []string{"north"}, Username: "12345678Z", CUPS: cups, Distributor: "2",
		Address: fmt.Sprintf("CALLE MAYOR %d", day), FetchedAt: time.Date(2026, 1, day, 3, 4, 5, 0, time.UTC),
	}
}

func madrid(text string) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, text, sdk.Madrid)
	if err != nil {
		panic(err)
	}
	return t
}

// fullSupply has something in every field.
func fullSupply() sdk.Supply {
	s := supplyOf(cups1, 1)
	capacity, partition := decimal("4600"), decimal("0.25")
	s.AuthorizedNIF, s.DistributorName, s.PostalCode = "A58818501", "E-DISTRIBUCIÓN, S.L.", "08001"
	s.Address = `C/ "MAYOR", 1`
	s.Province, s.ProvinceCode, s.Municipality, s.MunicipalityCode = "Barcelona", "08", "L'HOSPITALET", "08101"
	s.PointType, s.ValidFrom = 5, madrid("2019-03-31")
	s.Measurements = []sdk.Series{sdk.EnergyHourly, sdk.PowerMonthly}
	s.Contracts = []sdk.Contract{
		{Marketer: "OLD", StartDate: madrid("2015-01-01"), EndDate: madrid("2019-03-31")},
		{
			Marketer: "=HYPERLINK(\"x\")", Tension: "230", AccessFare: "2.0TD", FareCode: "2T",
			ContractedPower:    []sdk.Decimal{decimal("4.6"), decimal("0")},
			TimeDiscrimination: "DH3", PowerControl: "ICP", StartDate: madrid("2019-04-01"),
			LastMarketerDate: madrid("2020-10-25"), MaxPowerInstall: "+5.75",
			Owners:              []sdk.OwnerPeriod{{Start: madrid("2019-04-01"), End: madrid("2021-01-01")}, {Start: madrid("2021-01-01")}},
			SelfConsumptionCode: "42", SelfConsumption: "Con excedentes", Section: "2", Subsection: "a0",
			CAU: "ES0031000000000001BJ0FA000", Partition: &partition, InstalledCapacity: &capacity,
		},
	}
	s.Raw = []byte(`{"cups":"x"}`)
	return s
}

// TestSupplies compares the whole table with a golden one, as CSV and as
// Parquet: a full supply, an empty one, one seen through another account, and
// one that is over.
func TestSupplies(t *testing.T) {
	t.Parallel()
	own := fullSupply()
	own.AuthorizedNIF = ""
	own.Contracts[1].StartDate = time.Time{}
	over := supplyOf("ES0031000000000002WK", 2)
	over.ValidTo, over.Address = madrid("2025-12-31"), "@calle"
	over.Contracts = []sdk.Contract{
		{Marketer: "FIRST", StartDate: madrid("2015-01-01"), EndDate: madrid("2019-03-31")},
		{Marketer: "LAST", StartDate: madrid("2019-04-01"), EndDate: madrid("2025-12-31")},
	}
	w := newWorld(t, Config{})
	w.writeSupplies([]sdk.Supply{over, supplyOf(cups2, 1), fullSupply(), own})
	w.golden("north/supplies", "supplies.csv", parquetAsCSV(supplyColumns))
	if strings.Contains(w.read("north/"+stateName), `"x"}`) {
		t.Error("the state keeps what was published, which no column shows")
	}
}

// TestSuppliesAddUp keeps the rows of other batches and runs, replaces those
// that came again, and ignores what is older than what it has.
func TestSuppliesAddUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Formats: []string{"csv"}})
	authorized := supplyOf(cups1, 1)
	authorized.AuthorizedNIF = "A58818501"
	both := supplyOf(cups1, 1)
	both.Sources = []string{"north", "south"}
	w.writeSupplies([]sdk.Supply{both, authorized})
	w.restart()
	w.writeSupplies([]sdk.Supply{supplyOf(cups2, 5), supplyOf(cups1, 3)})
	w.writeSupplies([]sdk.Supply{supplyOf(cups2, 4)})
	for source, want := range map[string][]string{
		"north": {"CALLE MAYOR 5", "CALLE MAYOR 3", "CALLE MAYOR 1"},
		"south": {"CALLE MAYOR 1"},
	} {
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(w.read(source+"/supplies.csv")), "\n")[1:] {
			got = append(got, strings.Split(line, ",")[slices.IndexFunc(supplyColumns, func(c column[supplyRow]) bool { return c.name == "address" })])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", source, got, want)
		}
	}
}

// TestSuppliesRefused writes the good items of a batch.
func TestSuppliesRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Sources: []string{"north"}})
	bad, foreign, escaping, nobody := supplyOf("../x", 1), supplyOf(cups2, 1), supplyOf(cups2, 1), supplyOf(cups2, 1)
	foreign.Sources, escaping.Sources, nobody.Sources = []string{"south"}, []string{"north", "../up"}, nil
	shared := supplyOf(cups1, 1)
	shared.Sources = []string{"south", "north"}
	w.writeSupplies([]sdk.Supply{bad, foreign, escaping, nobody, shared}, badCUPS, otherSource, badSource, otherSource)
	if got, want := w.files(), []string{"north/" + stateName, "north/supplies.csv", "north/supplies.parquet"}; !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	w.checkSupplies()
}

// TestDamagedState stops rather than drop supplies, and quotes nothing.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.writeSupplies([]sdk.Supply{supplyOf(cups1, 1)})
	whole := w.read("north/" + stateName)
	before := w.read("north/supplies.csv")
	if err := os.WriteFile(filepath.Join(w.dir, "north", stateName), []byte(whole[:len(whole)/2]), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := w.h.HarmonizeSupplies(t.Context(), sdk.Batch[sdk.Supply]{Items: []sdk.Supply{supplyOf(cups2, 1)}})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.Precondition || strings.Contains(err.Error(), string(cups1)) {
		t.Errorf("got %v", err)
	}
	if got := w.read("north/supplies.csv"); got != before {
		t.Errorf("the table became %s", got)
	}
}

// TestSuppliesOfManyProcesses loses no row when several write into one folder.
func TestSuppliesOfManyProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	const processes, batches = 3, 3
	var group sync.WaitGroup
	for p := range processes {
		group.Go(func() {
			h, err := newHarmonizer(t.Context(), sdk.Instance{Dir: filepath.Dir(w.dir)}, Config{})
			for b := 0; err == nil && b < batches; b++ {
				cups := sdk.CUPS(fmt.Sprintf("ES%016dAA", 100*p+b))
				_, err = h.HarmonizeSupplies(t.Context(), sdk.Batch[sdk.Supply]{Items: []sdk.Supply{supplyOf(cups, 1)}})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := strings.Count(w.read("north/supplies.csv"), "\n") - 1; got != processes*batches {
		t.Errorf("there are %d supplies, want %d", got, processes*batches)
	}
}
