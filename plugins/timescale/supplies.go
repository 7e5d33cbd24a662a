package main

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datadis-engine/datadis/sdk"
)

// HarmonizeSupplies implements [sdk.SupplyHarmonizer]. A supply that an account
// sees is one row, which a later answer replaces.
func (h *harmonizer) HarmonizeSupplies(ctx context.Context, batch sdk.Batch[sdk.Supply]) (sdk.Result, error) {
	var result sdk.Result
	var wanted []*sdk.Supply
	for i := range batch.Items {
		supply := &batch.Items[i]
		if r := refuseSupply(h.config, supply); r != nil {
			r.Item = i
			result.Items = append(result.Items, *r)
			continue
		}
		wanted = append(wanted, supply)
	}
	if len(wanted) == 0 {
		return result, nil
	}
	// In the order of the keys, so that processes lock rows in the same order.
	slices.SortStableFunc(wanted, func(a, b *sdk.Supply) int {
		return cmp.Or(cmp.Compare(a.CUPS, b.CUPS), cmp.Compare(a.Username, b.Username), cmp.Compare(a.AuthorizedNIF, b.AuthorizedNIF))
	})
	err := h.transact(ctx, "writing supplies", func(tx pgx.Tx) error {
		rows := &pgx.Batch{}
		for _, supply := range wanted {
			rows.Queue(upsertSupply, supplyRow(h.config, supply))
		}
		return tx.SendBatch(ctx, rows).Close()
	})
	if err != nil {
		return sdk.Result{}, err
	}
	return result, nil
}

// refuseSupply says why a supply is not written; nil, if it is.
func refuseSupply(c Config, s *sdk.Supply) *sdk.ItemResult {
	contract := currentContract(s.Contracts)
	switch {
	case !slices.ContainsFunc(s.Sources, c.takes):
		return &sdk.ItemResult{Verdict: sdk.Skipped, Reason: otherSource, Message: "none of its sources is configured here"}
	case s.CUPS == "" || !json.Valid(s.Raw):
		return rejected(badText, "it has no CUPS, or its fields are no JSON")
	case !plainText(string(s.CUPS), string(s.Username), string(s.AuthorizedNIF), string(s.Distributor), s.DistributorName,
		s.Address, s.PostalCode, s.Province, s.ProvinceCode, s.Municipality, s.MunicipalityCode, s.Run,
		contract.Marketer, contract.Tension, contract.AccessFare, contract.FareCode, contract.TimeDiscrimination,
		contract.SelfConsumption, contract.CAU, string(s.Raw)):
		return rejected(badText, "one of its texts is no UTF-8, or contains a zero byte")
	}
	return nil
}

const upsertSupply = `INSERT INTO supply AS s (cups, username, authorized_nif, sources, distributor, distributor_name, address,
		postal_code, province, province_code, municipality, municipality_code, point_type, valid_from, valid_to, measurements,
		marketer, tension, access_fare, fare_code, contracted_power_kw, time_discrimination, contract_start, contract_end,
		self_consumption, cau, run, fetched_at, raw)
	VALUES (@cups, @username, @authorized_nif, @sources, @distributor, nullif(@distributor_name, ''), nullif(@address, ''),
		nullif(@postal_code, ''), nullif(@province, ''), nullif(@province_code, ''), nullif(@municipality, ''),
		nullif(@municipality_code, ''), nullif(@point_type::smallint, 0), @valid_from::date, @valid_to::date, @measurements,
		nullif(@marketer, ''), nullif(@tension, ''), nullif(@access_fare, ''), nullif(@fare_code, ''),
		@contracted_power::text[]::numeric[], nullif(@time_discrimination, ''), @contract_start::date, @contract_end::date,
		nullif(@self_consumption, ''), nullif(@cau, ''), @run, @fetched_at, @raw::json)
	ON CONFLICT (cups, username, authorized_nif) DO UPDATE SET sources = excluded.sources, distributor = excluded.distributor,
		distributor_name = excluded.distributor_name, address = excluded.address, postal_code = excluded.postal_code,
		province = excluded.province, province_code = excluded.province_code, municipality = excluded.municipality,
		municipality_code = excluded.municipality_code, point_type = excluded.point_type, valid_from = excluded.valid_from,
		valid_to = excluded.valid_to, measurements = excluded.measurements, marketer = excluded.marketer,
		tension = excluded.tension, access_fare = excluded.access_fare, fare_code = excluded.fare_code,
		contracted_power_kw = excluded.contracted_power_kw, time_discrimination = excluded.time_discrimination,
		contract_start = excluded.contract_start, contract_end = excluded.contract_end,
		self_consumption = excluded.self_consumption, cau = excluded.cau, run = excluded.run,
		fetched_at = excluded.fetched_at, raw = excluded.raw
	WHERE s.fetched_at <= excluded.fetched_at`

// supplyRow is what the statement's names stand for.
func supplyRow(c Config, s *sdk.Supply) pgx.NamedArgs {
	contract := currentContract(s.Contracts)
	sources := slices.DeleteFunc(slices.Clone(s.Sources), func(source string) bool { return !c.takes(source) })
	measurements := make([]string, len(s.Measurements))
	for i, series := range s.Measurements {
		measurements[i] = series.String()
	}
	var power []string
	for _, p := range contract.ContractedPower {
		power = append(power, p.String())
	}
	return pgx.NamedArgs{
		"cups": string(s.CUPS), "username": string(s.Username), "authorized_nif": string(s.AuthorizedNIF), "sources": sources,
		"distributor": string(s.Distributor), "distributor_name": s.DistributorName, "address": s.Address,
		"postal_code": s.PostalCode, "province": s.Province, "province_code": s.ProvinceCode,
		"municipality": s.Municipality, "municipality_code": s.MunicipalityCode, "point_type": int16(s.PointType),
		"valid_from": date(s.ValidFrom), "valid_to": date(s.ValidTo), "measurements": measurements,
		"marketer": contract.Marketer, "tension": contract.Tension, "access_fare": contract.AccessFare,
		"fare_code": contract.FareCode, "contracted_power": power, "time_discrimination": contract.TimeDiscrimination,
		"contract_start": date(contract.StartDate), "contract_end": date(contract.EndDate),
		"self_consumption": contract.SelfConsumption, "cau": contract.CAU,
		"run": s.Run, "fetched_at": s.FetchedAt, "raw": string(s.Raw),
	}
}

// date is the day in Madrid that an instant of Datadis lies in; nil for none.
func date(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	day := t.In(sdk.Madrid).Format(time.DateOnly)
	return &day
}

// currentContract is the one that started last, of the open ones if there are
// any; the zero contract, if the supply has none.
func currentContract(contracts []sdk.Contract) sdk.Contract {
	var current sdk.Contract
	for i, c := range contracts {
		open, wasOpen := c.EndDate.IsZero(), current.EndDate.IsZero()
		if i == 0 || (open && !wasOpen) || (open == wasOpen && c.StartDate.After(current.StartDate)) {
			current = c
		}
	}
	return current
}
