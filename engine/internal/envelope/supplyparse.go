package envelope

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// fields is a JSON object whose values are read one by one: one of an
// unexpected type is left out, and costs none of the others.
type fields map[string]json.RawMessage

// ParseSupply reads a message of the static topic. What Datadis left out, or
// sent in an unexpected form, is the zero value; Raw has it as it came. The
// errors are [ErrSchema], [ErrMalformed], and [ErrFinal] for the older end
// marker.
func ParseSupply(m *Message) (sdk.Supply, error) {
	if err := checkSchema(m); err != nil {
		return sdk.Supply{}, err
	}
	var envelope struct {
		Data   json.RawMessage `json:"data"`
		Kwargs kwargs          `json:"kwargs"`
	}
	if err := json.Unmarshal(m.Value, &envelope); err != nil {
		return sdk.Supply{}, broken(err)
	}
	switch envelope.Kwargs.Collection {
	case supplies:
	case finalMark:
		return sdk.Supply{}, ErrFinal
	default:
		return sdk.Supply{}, malformed("no supply")
	}
	raw, err := withoutFields(envelope.Data, ownFields)
	if err != nil {
		return sdk.Supply{}, malformed("a supply: %w", err)
	}
	var data fields
	if err := json.Unmarshal(envelope.Data, &data); err != nil {
		return sdk.Supply{}, broken(err)
	}
	s := data.supply()
	if s.CUPS == "" {
		s.CUPS = sdk.CUPS(m.Key)
	}
	s.Run, s.Sources, s.Raw = m.Header(HeaderRun), envelope.Kwargs.Sources, raw
	if fetched, err := time.Parse(time.RFC3339Nano, m.Header(HeaderFetched)); err == nil {
		s.FetchedAt = fetched.UTC()
	}
	return s, nil
}

func (f fields) supply() sdk.Supply {
	s := sdk.Supply{
		Username:         sdk.NIF(f.text("nif")),
		AuthorizedNIF:    sdk.NIF(f.text("authorized_nif")),
		CUPS:             sdk.CUPS(f.text("cups")),
		Distributor:      sdk.Distributor(f.text("distributorCode")),
		DistributorName:  f.text("distributor"),
		Address:          f.text("address"),
		PostalCode:       postalCode(f.text("postalCode")),
		Province:         f.text("province"),
		ProvinceCode:     f.text("provinceCode"),
		Municipality:     f.text("municipality"),
		MunicipalityCode: f.text("municipioCode"),
		ValidFrom:        f.date("validDateFrom"),
		ValidTo:          f.date("validDateTo"),
	}
	if n, err := strconv.Atoi(f.text("pointType")); err == nil {
		s.PointType = n
	}
	for _, pair := range list[[]string](f["measurements"]) {
		if len(pair) == 2 {
			s.Measurements = append(s.Measurements, sdk.Series{
				Property: sdk.Property(pair[0]), Resolution: sdk.Resolution(pair[1]),
			})
		}
	}
	for _, contract := range list[fields](f["contracts"]) {
		s.Contracts = append(s.Contracts, contract.contract())
	}
	return s
}

func (f fields) contract() sdk.Contract {
	c := sdk.Contract{
		Marketer:            f.text("marketer"),
		Tension:             f.text("tension"),
		AccessFare:          f.text("accessFare"),
		FareCode:            f.text("codeFare"),
		TimeDiscrimination:  f.text("timeDiscrimination"),
		PowerControl:        f.text("modePowerControl"),
		StartDate:           f.date("startDate"),
		EndDate:             f.date("endDate"),
		LastMarketerDate:    f.date("lastMarketerDate"),
		MaxPowerInstall:     f.text("maxPowerInstall"),
		SelfConsumptionCode: f.text("selfConsumptionTypeCode"),
		SelfConsumption:     f.text("selfConsumptionTypeDesc"),
		Section:             f.text("section"),
		Subsection:          f.text("subsection"),
		CAU:                 f.text("cau"),
		Partition:           f.decimal("partitionCoefficient"),
		InstalledCapacity:   f.decimal("installedCapacity"),
	}
	for _, raw := range list[json.RawMessage](f["contractedPowerkW"]) {
		if d, err := sdk.ParseDecimal(strings.Trim(string(raw), `"`)); err == nil {
			c.ContractedPower = append(c.ContractedPower, d)
		}
	}
	for _, owner := range list[fields](f["dateOwner"]) {
		c.Owners = append(c.Owners, sdk.OwnerPeriod{Start: owner.date("startDate"), End: owner.date("endDate")})
	}
	return c
}

// text is a string or the text of a number; "" for anything else and for the
// dash that Datadis writes for nothing.
func (f fields) text(name string) string {
	raw := f[name]
	var text string
	switch {
	case len(raw) == 0:
		return ""
	case raw[0] == '"' && json.Unmarshal(raw, &text) == nil:
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		text = string(raw)
	}
	if text = strings.TrimSpace(text); text == "-" {
		return ""
	}
	return text
}

// date is a day's first instant in Madrid.
func (f fields) date(name string) time.Time {
	text := f.text(name)
	if len(text) < len(time.DateOnly) {
		return time.Time{}
	}
	day := strings.ReplaceAll(text[:len(time.DateOnly)], "/", "-")
	t, err := time.ParseInLocation(time.DateOnly, day, sdk.Madrid)
	if err != nil {
		return time.Time{}
	}
	return t
}

func (f fields) decimal(name string) *sdk.Decimal {
	d, err := sdk.ParseDecimal(f.text(name))
	if err != nil {
		return nil
	}
	return &d
}

// list is the entries of an array that have the expected type.
func list[T any](raw json.RawMessage) []T {
	var entries []json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return nil
	}
	var values []T
	for _, entry := range entries {
		var value T
		if json.Unmarshal(entry, &value) == nil {
			values = append(values, value)
		}
	}
	return values
}

// postalCode puts back the zero that got lost on the way.
func postalCode(text string) string {
	if len(text) == 4 {
		return "0" + text
	}
	return text
}
