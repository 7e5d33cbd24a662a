package sdk_test

import (
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

func TestExpected(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		series sdk.Series
		month  string
		want   int
	}{
		{"spring change", sdk.EnergyHourly, "2026-03", 743},
		{"autumn change", sdk.EnergyHourly, "2025-10", 745},
		{"plain", sdk.EnergyHourly, "2026-04", 720},
		{"leap year", sdk.EnergyHourly, "2024-02", 696},
		{"quarter hours in spring", sdk.EnergyQuarterHour, "2026-03", 2972},
		{"quarter hours in autumn", sdk.EnergyQuarterHour, "2025-10", 2980},
		{"power", sdk.PowerMonthly, "2026-03", 1},
		{"reactive", sdk.ReactiveMonthly, "2025-10", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			month, err := sdk.ParseMonth(test.month)
			if err != nil {
				t.Fatal(err)
			}
			if got := test.series.Expected(month); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestCovered(t *testing.T) {
	t.Parallel()
	chunk := sdk.Chunk{Series: sdk.EnergyHourly, Starts: []int64{0, 3600, 10800, 14400}, Spans: []uint32{3600, 7200, 3600, 3600}}
	chunk.Consumption.Set(0, sdk.Decimal{Units: 5})
	chunk.Consumption.Set(1, sdk.Decimal{})
	chunk.Surplus.Set(2, sdk.Decimal{})
	chunk.Consumption.Close(4)
	chunk.Surplus.Close(4)
	if got := chunk.Covered(); got != 4 {
		t.Errorf("a plain, a merged and a surplus-only reading cover %d hours, want 4", got)
	}
	power := sdk.Chunk{Series: sdk.PowerMonthly, Starts: []int64{900, 1800}, Spans: []uint32{900, 900}}
	if got := power.Covered(); got != 0 {
		t.Errorf("peaks without a value cover %d months, want 0", got)
	}
	power.Peak.Set(0, sdk.Decimal{Units: 3})
	power.Peak.Set(1, sdk.Decimal{Units: 4})
	if got := power.Covered(); got != 1 {
		t.Errorf("two peaks cover %d months, want 1", got)
	}
}

func TestChunkID(t *testing.T) {
	t.Parallel()
	month := sdk.NewMonth(2026, time.March)
	id := sdk.ChunkID("ES0031000000000001BJ0F", sdk.EnergyHourly, month)
	if id != "8ea48000d81f30a6" {
		t.Errorf("the id changed to %s: what is stored under the old ones would be lost", id)
	}
	if got := sdk.ChunkID("es0031000000000001bj", sdk.EnergyHourly, month); got != id {
		t.Errorf("another spelling of the CUPS has id %s, want %s", got, id)
	}
	for name, other := range map[string]string{
		"month":  sdk.ChunkID("ES0031000000000001BJ0F", sdk.EnergyHourly, month+1),
		"series": sdk.ChunkID("ES0031000000000001BJ0F", sdk.EnergyQuarterHour, month),
		"supply": sdk.ChunkID("ES0031000000000002BJ0F", sdk.EnergyHourly, month),
	} {
		if other == id {
			t.Errorf("another %s has the same id", name)
		}
	}
}
