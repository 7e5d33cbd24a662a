package datadis

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/go-json-experiment/json/jsontext"
)

// Contract is a contract of a supply, with the fields that Datadis sent.
type Contract struct {
	sdk.Contract
	Raw json.RawMessage
}

// Contracts lists the contracts of a supply. One that the account cannot see
// has none, and neither has one of which Datadis knows nothing.
func (s *Session) Contracts(ctx context.Context, nif sdk.NIF, cups sdk.CUPS, distributor sdk.Distributor) ([]Contract, error) {
	params := url.Values{"cups": {string(cups)}, "distributorCode": {string(distributor)}}
	addNIF(params, nif)
	answer, err := s.ask(ctx, contractsCall, params)
	if errors.Is(err, ErrNoData) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	contracts, failures, err := DecodeContracts(answer.Body)
	if err != nil {
		return nil, unusable(contractsCall, answer, err)
	}
	if len(contracts) == 0 {
		for _, failure := range failures {
			if failure.Failure() {
				return nil, unusable(contractsCall, answer, failure)
			}
		}
	}
	return contracts, nil
}

// DecodeContracts reads the body of that call. The blank row that stands for
// "no contract" is left out.
func DecodeContracts(body []byte) ([]Contract, []DistributorError, error) {
	var contracts []Contract
	failures, err := document(body, "contract", func(dec *jsontext.Decoder) error {
		return array(dec, func(dec *jsontext.Decoder) error {
			f, raw, err := readFields(dec)
			if err == nil && !f.blank() {
				contracts = append(contracts, Contract{f.contract(), json.RawMessage(raw)})
			}
			return err
		})
	})
	return contracts, failures, err
}

// blank tells whether no field says anything.
func (f fields) blank() bool {
	for name, value := range f {
		if f.text(name) != "" || len(elements(value)) > 0 || value.Kind() == '{' {
			return false
		}
	}
	return true
}

// contract is a row of that call.
func (f fields) contract() sdk.Contract {
	return sdk.Contract{
		Marketer:            f.text("marketer"),
		Tension:             f.text("tension"),
		AccessFare:          f.accessFare(),
		FareCode:            f.text("codeFare"),
		ContractedPower:     f.decimals("contractedPowerkW"),
		TimeDiscrimination:  f.text("timeDiscrimination"),
		PowerControl:        f.text("modePowerControl"),
		StartDate:           f.date("startDate"),
		EndDate:             f.date("endDate"),
		LastMarketerDate:    f.date("lastMarketerDate"),
		MaxPowerInstall:     f.text("maxPowerInstall"),
		Owners:              f.owners(),
		SelfConsumptionCode: f.text("selfConsumptionTypeCode"),
		SelfConsumption:     f.text("selfConsumptionTypeDesc"),
		Section:             f.text("section"),
		Subsection:          f.text("subsection"),
		CAU:                 f.text("cau"),
		Partition:           f.decimal("partitionCoefficient"),
		InstalledCapacity:   f.installedCapacity(),
	}
}

// accessFare is the fare; the documentation spells its name otherwise than the
// wire.
func (f fields) accessFare() string {
	if fare := f.text("accessFare"); fare != "" {
		return fare
	}
	return f.text("accesFare")
}

// installedCapacity is the generator's size, whose name the documentation
// spells otherwise too.
func (f fields) installedCapacity() *sdk.Decimal {
	if capacity := f.decimal("installedCapacity"); capacity != nil {
		return capacity
	}
	return f.decimal("installedCapacityKW")
}

// decimals is an array of numbers. What is no number is a zero in its place, so
// that the others keep their tariff period.
func (f fields) decimals(name string) []sdk.Decimal {
	var all []sdk.Decimal
	for _, value := range f.list(name) {
		var d sdk.Decimal
		if number := (fields{"": value}).decimal(""); number != nil {
			d = *number
		}
		all = append(all, d)
	}
	return all
}

// owners is how long each holder had the contract, the first one first.
func (f fields) owners() []sdk.OwnerPeriod {
	var owners []sdk.OwnerPeriod
	for _, value := range f.list("dateOwner") {
		if value.Kind() != '{' {
			continue
		}
		period, err := parseFields(value)
		if err != nil {
			continue
		}
		owner := sdk.OwnerPeriod{Start: period.date("startDate"), End: period.date("endDate")}
		if owner.Start.IsZero() && owner.End.IsZero() {
			continue
		}
		owners = append(owners, owner)
	}
	slices.SortStableFunc(owners, func(a, b sdk.OwnerPeriod) int { return a.Start.Compare(b.Start) })
	return owners
}
