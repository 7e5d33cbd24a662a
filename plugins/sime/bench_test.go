package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// BenchmarkTimeSeries hands over batches of a month of hours for a hundred
// supplies: points are made, sensors written, that are new or there already.
func BenchmarkTimeSeries(b *testing.B) {
	for _, kind := range []string{"new", "known"} {
		b.Run(kind, func(b *testing.B) {
			w := newWorld(b)
			readings, round := 0, 0
			batch := func() (chunks []sdk.Chunk) {
				readings = 0
				for i := range 100 {
					c := sdktest.Chunk(sdk.CUPS(fmt.Sprintf("ES%08d%08dJN0F", round, i)), sdk.EnergyHourly, sdk.NewMonth(2026, time.March), 1)
					chunks = append(chunks, c)
					readings += c.Len()
				}
				return chunks
			}
			chunks := batch()
			w.chunks(chunks...)
			for b.Loop() {
				if kind == "new" {
					b.StopTimer()
					round++
					chunks = batch()
					b.StartTimer()
				}
				if records, _ := w.chunks(chunks...); len(records) != readings {
					b.Fatalf("%d records", len(records))
				}
			}
			b.ReportMetric(float64(readings*b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}

// BenchmarkSupplies hands over batches of a hundred supplies: that are new, and
// that are there already.
func BenchmarkSupplies(b *testing.B) {
	for _, kind := range []string{"new", "known"} {
		b.Run(kind, func(b *testing.B) {
			w := newWorld(b)
			w.user("B00000000", nil)
			batch := func(round int) []sdk.Supply {
				var supplies []sdk.Supply
				for i := range 100 {
					supplies = append(supplies, supply("B00000000", "", day(2), full(map[string]any{"cups": fmt.Sprintf("ES%08d%08dJN0F", round, i)})))
				}
				return supplies
			}
			w.harmonize("run", batch(0)...)
			round := 0
			for b.Loop() {
				if kind == "new" {
					round++
				}
				w.harmonize("run", batch(round)...)
			}
			b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "supplies/s")
		})
	}
}

// BenchmarkApply is the mapping of one supply, without the database.
func BenchmarkApply(b *testing.B) {
	w := newWorld(b)
	s := supply("B00000000", "", day(2), full(nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, refused := w.h.viewOf(0, "run", &s); refused != nil {
			b.Fatal(refused)
		}
	}
}
