package datadis

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

const household sdk.CUPS = "ES0031408123456001FN0F"

// month reads YYYY-MM.
func month(t testing.TB, text string) sdk.Month {
	t.Helper()
	m, err := sdk.ParseMonth(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sum adds the values of a column, exactly.
func sum(column *sdk.Column) sdk.Decimal {
	total := sdk.Decimal{Scale: column.Scale}
	for _, units := range column.Units {
		total.Units += units
	}
	return total
}

func TestDecodeHousehold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		month string
		rows  int
		sum   string
	}{
		{"2022-03", 550, "215.337"},
		{"2022-04", 720, "274.174"},
		{"2022-05", 744, "274.228"},
		{"2022-06", 720, "259.439"},
	}
	for _, test := range tests {
		t.Run(test.month, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(filepath.Join("testdata", "household", "consumption-"+test.month+".json"))
			if err != nil {
				t.Fatal(err)
			}
			m := month(t, test.month)
			chunks, report, err := Decode(body, Shape{CUPS: household, Distributor: "2", Series: sdk.EnergyHourly, From: m, To: m})
			if err != nil {
				t.Fatal(err)
			}
			if len(chunks) != 1 || chunks[0].Len() != test.rows || report.Kept != test.rows || report.Rows != test.rows {
				t.Fatalf("got %d chunks, report %+v, want %d readings", len(chunks), report, test.rows)
			}
			chunk := chunks[0]
			if got := sum(&chunk.Consumption).String(); got != test.sum {
				t.Errorf("the month's sum is %s kWh, want %s", got, test.sum)
			}
			if chunk.Covered() != test.rows || chunk.Flags != nil || chunk.Spans != nil {
				t.Errorf("covered %d, flags %v, spans %v", chunk.Covered(), chunk.Flags, chunk.Spans)
			}
			for i := 1; i < chunk.Len(); i++ {
				if chunk.Start(i).Sub(chunk.Start(i-1)) != time.Hour {
					t.Errorf("reading %d starts %s, the one before %s", i, chunk.Start(i), chunk.Start(i-1))
				}
			}
			if chunk.Method(0) != "Real" || !chunk.Generation.Empty() || chunk.Surplus.Empty() {
				t.Errorf("method %q, generation %v, surplus %v", chunk.Method(0), chunk.Generation, chunk.Surplus.Scale)
			}
		})
	}
}

func BenchmarkDecodeMonth(b *testing.B) {
	body, err := os.ReadFile(filepath.Join("testdata", "household", "consumption-2022-05.json"))
	if err != nil {
		b.Fatal(err)
	}
	m := month(b, "2022-05")
	shape := Shape{CUPS: household, Distributor: "2", Series: sdk.EnergyHourly, From: m, To: m}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Decode(body, shape); err != nil {
			b.Fatal(err)
		}
	}
}
