package main

import (
	"fmt"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

// BenchmarkHarmonize writes batches of a month of hours for a hundred supplies,
// in each choice of formats; fsync included.
func BenchmarkHarmonize(b *testing.B) {
	for _, formats := range [][]string{{"csv"}, {"parquet"}, {"csv", "parquet"}} {
		b.Run(fmt.Sprint(formats), func(b *testing.B) {
			h, err := newHarmonizer(b.Context(), sdk.Instance{Dir: b.TempDir()}, Config{Formats: formats})
			if err != nil {
				b.Fatal(err)
			}
			var chunks []sdk.Chunk
			readings := 0
			for i := range 100 {
				c := monthOf(sdk.CUPS(fmt.Sprintf("ES%016dAA", i)), "2026-03", 1, sdk.EnergyHourly)
				chunks = append(chunks, c)
				readings += c.Len()
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.HarmonizeTimeSeries(b.Context(), sdk.Batch[sdk.Chunk]{Items: chunks}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(readings*b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}

// BenchmarkEncode is the same without the disk, for one month.
func BenchmarkEncode(b *testing.B) {
	c := monthOf(cups1, "2026-03", 1, sdk.EnergyHourly)
	for _, format := range formats {
		b.Run(format, func(b *testing.B) {
			var e encoder
			b.ReportAllocs()
			for b.Loop() {
				e.rows = readingsOf(&c, e.rows[:0])
				content, err := e.encode(format, &c)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(content)), "bytes")
			}
			b.ReportMetric(float64(c.Len()*b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}
