package sdktest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// CUPS is the supply point of the fixtures.
const CUPS sdk.CUPS = "ES0031000000000001JN0F"

// Run is the run of the fixtures.
const Run = "run-1"

// SourceName is the source of the fixtures.
const SourceName = "north"

// Chunk is a whole month of a series with plausible values. Readings follow each
// other without a gap, over change days too.
func Chunk(cups sdk.CUPS, series sdk.Series, month sdk.Month, revision uint32) sdk.Chunk {
	c := sdk.Chunk{
		ID:       fmt.Sprintf("%s-%s-%s", cups, series, month),
		Revision: revision, Run: Run, Source: SourceName,
		CUPS: cups, Series: series, Month: month, FetchedAt: month.End().Add(48 * time.Hour).UTC(),
	}
	if series.Step() == 0 {
		fillMaxima(&c)
	} else {
		fillEnergy(&c)
	}
	return Sealed(c)
}

// fillEnergy gives every interval of the month a value that depends on the
// revision.
func fillEnergy(c *sdk.Chunk) {
	c.Methods = []string{"Real", "Estimada"}
	step := c.Series.Step()
	for start := c.Month.Start(); start.Before(c.Month.End()); start = start.Add(step) {
		i := len(c.Starts)
		c.Starts = append(c.Starts, start.Unix())
		c.Consumption.Set(i, sdk.Decimal{Units: int64(100*int(c.Revision) + i%24), Scale: 3})
		c.MethodIndex = append(c.MethodIndex, uint8(i%2))
	}
	c.Surplus.Set(0, sdk.Decimal{})
	c.Surplus.Close(len(c.Starts))
}

// fillMaxima gives each of three tariff periods the month's highest power.
func fillMaxima(c *sdk.Chunk) {
	for period := range uint8(3) {
		i := int(period)
		c.Starts = append(c.Starts, c.Month.Start().Add(time.Duration(24*i+10)*time.Hour).Unix())
		c.Spans = append(c.Spans, uint32(15*60))
		c.Periods = append(c.Periods, period+1)
		value := sdk.Decimal{Units: int64(1000*int(c.Revision) + i), Scale: 3}
		if c.Series.Property == sdk.Reactive {
			c.Reactive.Set(i, value)
		} else {
			c.Peak.Set(i, value)
		}
	}
}

// Sealed is the chunk with the hash of what it holds, as the engine hands it
// over.
func Sealed(c sdk.Chunk) sdk.Chunk {
	h := fnv.New64a()
	write := func(v any) {
		// A hash takes whatever is written.
		_ = binary.Write(h, binary.LittleEndian, v)
	}
	write(c.Starts)
	write(c.Spans)
	write(c.Flags)
	for _, column := range []*sdk.Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive} {
		write(column.Scale)
		write(column.Units)
		write([]byte(column.Missing))
	}
	_, _ = fmt.Fprint(h, c.Methods, c.MethodIndex, c.Periods)
	c.Hash = h.Sum64()
	return c
}

// Merged is an autumn change day as some distributors send it: the two equal
// hours are one reading of two hours.
func Merged() sdk.Chunk {
	c := Chunk(CUPS, sdk.EnergyHourly, sdk.NewMonth(2025, time.October), 1)
	change := time.Date(2025, time.October, 26, 0, 0, 0, 0, time.UTC).Unix() // 02:00 in Madrid
	c.Spans, c.Flags = make([]uint32, c.Len()), make([]sdk.Flags, c.Len())
	merged := -1
	for i, start := range c.Starts {
		c.Spans[i] = 3600
		if start == change {
			merged = i
		}
	}
	c.Spans[merged], c.Flags[merged] = 7200, sdk.Merged
	return Sealed(without(c, merged+1))
}

// Gaps is a month of which hours are missing, some as readings without a value,
// and with a zero and a negative value.
func Gaps() sdk.Chunk {
	c := Chunk(CUPS, sdk.EnergyHourly, sdk.NewMonth(2024, time.February), 1) // a leap year
	c.Consumption.Missing.Set(5)
	c.Consumption.Units[5] = 0
	c.Consumption.Set(6, sdk.Decimal{})
	c.Consumption.Set(7, sdk.Decimal{Units: -12, Scale: 3})
	return Sealed(without(without(c, 100), 100))
}

// without is the chunk less one reading, for chunks of energy.
func without(c sdk.Chunk, i int) sdk.Chunk {
	drop := func(column *sdk.Column) {
		if column.Empty() {
			return
		}
		var rest sdk.Column
		for k, at := 0, 0; k < len(column.Units); k++ {
			if k == i {
				continue
			}
			if d, ok := column.Value(k); ok {
				rest.Set(at, d)
			}
			at++
		}
		rest.Close(len(column.Units) - 1)
		*column = rest
	}
	drop(&c.Consumption)
	drop(&c.Surplus)
	c.Starts = cut(c.Starts, i)
	c.Spans = cut(c.Spans, i)
	c.Flags = cut(c.Flags, i)
	c.MethodIndex = cut(c.MethodIndex, i)
	return c
}

func cut[T any](list []T, i int) []T {
	if list == nil {
		return nil
	}
	return append(append([]T(nil), list[:i]...), list[i+1:]...)
}

// Months are chunks of every series, over change days, leap days and gaps.
func Months() []sdk.Chunk {
	return []sdk.Chunk{
		Chunk(CUPS, sdk.EnergyHourly, sdk.NewMonth(2025, time.January), 1),
		Chunk(CUPS, sdk.EnergyHourly, sdk.NewMonth(2025, time.March), 1),   // 743 hours
		Chunk(CUPS, sdk.EnergyHourly, sdk.NewMonth(2024, time.October), 1), // 745 hours
		Chunk(CUPS, sdk.EnergyQuarterHour, sdk.NewMonth(2025, time.March), 1),
		Chunk(CUPS, sdk.PowerMonthly, sdk.NewMonth(2025, time.March), 1),
		Chunk(CUPS, sdk.ReactiveMonthly, sdk.NewMonth(2025, time.March), 1),
		Merged(),
		Gaps(),
		Chunk("ES0022000000000002AB", sdk.EnergyHourly, sdk.NewMonth(2025, time.January), 1), // 20 characters
	}
}

// Supplies are supplies with and without contracts, active and ended.
func Supplies() []sdk.Supply {
	full := sdk.Supply{
		Run: Run, Sources: []string{SourceName}, Username: "B00000000", AuthorizedNIF: "12345678Z",
		CUPS: CUPS, Distributor: sdk.EDistribucion, DistributorName: "EDISTRIBUCION",
		Address: "C/ DE L'ALBEREDA, 5, 2º 1ª", PostalCode: "08001", Province: "Barcelona", ProvinceCode: "08",
		Municipality: "L'Hospitalet de Llobregat", MunicipalityCode: "08101", PointType: 5,
		ValidFrom: time.Date(2019, 5, 1, 0, 0, 0, 0, sdk.Madrid).UTC(),
		Contracts: []sdk.Contract{{
			Marketer: "COMERCIALIZADORA", Tension: "3X230/400 V", AccessFare: "2.0TD", FareCode: "2T",
			ContractedPower: []sdk.Decimal{{Units: 33, Scale: 1}, {Units: 33, Scale: 1}}, TimeDiscrimination: "G0",
			StartDate: time.Date(2021, 6, 1, 0, 0, 0, 0, sdk.Madrid).UTC(),
			Owners:    []sdk.OwnerPeriod{{Start: time.Date(2019, 5, 1, 0, 0, 0, 0, sdk.Madrid).UTC()}},
		}},
		Measurements: []sdk.Series{sdk.EnergyHourly, sdk.PowerMonthly},
		FetchedAt:    time.Date(2025, 4, 3, 2, 1, 0, 0, time.UTC),
		Raw:          json.RawMessage(`{"cups":"` + string(CUPS) + `","somethingNew":{"a":1}}`),
	}
	bare := sdk.Supply{
		Run: Run, Sources: []string{SourceName}, Username: "B00000000", CUPS: "ES0022000000000002AB", Distributor: "99",
		ValidTo: time.Date(2023, 1, 1, 0, 0, 0, 0, sdk.Madrid).UTC(), FetchedAt: full.FetchedAt,
		Raw: json.RawMessage(`{"cups":"ES0022000000000002AB"}`),
	}
	return []sdk.Supply{full, bare}
}
