package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// supplyRow is a row of the table of supplies: a supply with the contract that
// counts now, the zero one if it has none.
type supplyRow struct {
	supply   *sdk.Supply
	contract sdk.Contract
}

// powerPeriods is how many tariff periods a contract can have a power for.
const powerPeriods = 6

var supplyColumns = slices.Concat(
	[]column[supplyRow]{
		{"cups", text, true, func(r supplyRow) cell { return textCell(string(r.supply.CUPS)) }},
		supplyText("username", func(s *sdk.Supply) string { return string(s.Username) }),
		supplyText("authorized_nif", func(s *sdk.Supply) string { return string(s.AuthorizedNIF) }),
		supplyText("distributor", func(s *sdk.Supply) string { return string(s.Distributor) }),
		supplyText("distributor_name", func(s *sdk.Supply) string { return s.DistributorName }),
		supplyText("address", func(s *sdk.Supply) string { return s.Address }),
		supplyText("postal_code", func(s *sdk.Supply) string { return s.PostalCode }),
		supplyText("province", func(s *sdk.Supply) string { return s.Province }),
		supplyText("province_code", func(s *sdk.Supply) string { return s.ProvinceCode }),
		supplyText("municipality", func(s *sdk.Supply) string { return s.Municipality }),
		supplyText("municipality_code", func(s *sdk.Supply) string { return s.MunicipalityCode }),
		{"point_type", integer, false, func(r supplyRow) cell { return integerCell(int64(r.supply.PointType)) }},
		{"valid_from", day, false, func(r supplyRow) cell { return dayCell(r.supply.ValidFrom) }},
		{"valid_to", day, false, func(r supplyRow) cell { return dayCell(r.supply.ValidTo) }},
		{"measurements", text, false, func(r supplyRow) cell { return textCell(joinSeries(r.supply.Measurements)) }},
		{"contracts", integer, false, func(r supplyRow) cell { return cell{set: true, whole: int64(len(r.supply.Contracts))} }},
		contractText("marketer", func(c *sdk.Contract) string { return c.Marketer }),
		contractText("tension", func(c *sdk.Contract) string { return c.Tension }),
		contractText("access_fare", func(c *sdk.Contract) string { return c.AccessFare }),
		contractText("fare_code", func(c *sdk.Contract) string { return c.FareCode }),
	},
	powerColumnsOf(powerPeriods),
	[]column[supplyRow]{
		contractText("max_power_install", func(c *sdk.Contract) string { return c.MaxPowerInstall }),
		contractText("time_discrimination", func(c *sdk.Contract) string { return c.TimeDiscrimination }),
		contractText("power_control", func(c *sdk.Contract) string { return c.PowerControl }),
		contractDay("contract_start", func(c *sdk.Contract) time.Time { return c.StartDate }),
		contractDay("contract_end", func(c *sdk.Contract) time.Time { return c.EndDate }),
		contractDay("last_marketer_date", func(c *sdk.Contract) time.Time { return c.LastMarketerDate }),
		contractText("owners", func(c *sdk.Contract) string { return joinOwners(c.Owners) }),
		contractText("self_consumption_code", func(c *sdk.Contract) string { return c.SelfConsumptionCode }),
		contractText("self_consumption", func(c *sdk.Contract) string { return c.SelfConsumption }),
		contractText("section", func(c *sdk.Contract) string { return c.Section }),
		contractText("subsection", func(c *sdk.Contract) string { return c.Subsection }),
		contractText("cau", func(c *sdk.Contract) string { return c.CAU }),
		{"partition", number, false, func(r supplyRow) cell { return pointerCell(r.contract.Partition) }},
		{"installed_capacity", number, false, func(r supplyRow) cell { return pointerCell(r.contract.InstalledCapacity) }},
		{"fetched_at", instant, false, func(r supplyRow) cell { return instantCell(r.supply.FetchedAt) }},
		supplyText("run", func(s *sdk.Supply) string { return s.Run }),
	},
)

func supplyText(name string, of func(*sdk.Supply) string) column[supplyRow] {
	return column[supplyRow]{name, text, false, func(r supplyRow) cell { return textCell(of(r.supply)) }}
}

func contractText(name string, of func(*sdk.Contract) string) column[supplyRow] {
	return column[supplyRow]{name, text, false, func(r supplyRow) cell { return textCell(of(&r.contract)) }}
}

func contractDay(name string, of func(*sdk.Contract) time.Time) column[supplyRow] {
	return column[supplyRow]{name, day, false, func(r supplyRow) cell { return dayCell(of(&r.contract)) }}
}

// powerColumnsOf is a column for the contracted power of each tariff period.
func powerColumnsOf(periods int) []column[supplyRow] {
	columns := make([]column[supplyRow], periods)
	for i := range columns {
		columns[i] = column[supplyRow]{fmt.Sprintf("contracted_power_p%d_kw", i+1), number, false, func(r supplyRow) cell {
			if i >= len(r.contract.ContractedPower) {
				return cell{}
			}
			return numberCell(r.contract.ContractedPower[i], true)
		}}
	}
	return columns
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

func joinSeries(series []sdk.Series) string {
	names := make([]string, len(series))
	for i, s := range series {
		names[i] = s.String()
	}
	return strings.Join(names, ";")
}

// joinOwners writes each period as 2019-01-01/2021-06-30; the end is empty
// while it lasts.
func joinOwners(owners []sdk.OwnerPeriod) string {
	periods := make([]string, len(owners))
	for i, o := range owners {
		start := dayCell(o.Start).appendCSV(nil, day)
		end := dayCell(o.End).appendCSV(nil, day)
		periods[i] = string(start) + "/" + string(end)
	}
	return strings.Join(periods, ";")
}
