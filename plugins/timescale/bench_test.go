package main

import (
	"fmt"
	"testing"

	"github.com/datadis-engine/datadis/plugins/internal/postgrestest"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// hundredMonths are the same month of hours of a hundred supplies, and how many
// readings they have.
func hundredMonths(revision uint32) ([]sdk.Chunk, int) {
	var chunks []sdk.Chunk
	readings := 0
	for i := range 100 {
		c := sdktest.Chunk(sdk.CUPS(fmt.Sprintf("ES%016dJN0F", i)), sdk.EnergyHourly, march, revision)
		chunks = append(chunks, c)
		readings += c.Len()
	}
	return chunks, readings
}

// BenchmarkHarmonize writes batches of a hundred months of hours into a
// PostgreSQL that waits for its disk: new months, months in which every value
// changed, and months that are there already.
func BenchmarkHarmonize(b *testing.B) {
	s := postgrestest.Start(b, "-c", "fsync=on")
	for _, kind := range []string{"new", "revised", "repeated"} {
		b.Run(kind, func(b *testing.B) {
			w := worldAt(b, s.Database(b))
			chunks, readings := hundredMonths(1)
			w.write(chunks)
			revision := uint32(1)
			for b.Loop() {
				b.StopTimer()
				revision++
				switch kind {
				case "new":
					for i := range chunks {
						chunks[i].Source = fmt.Sprint("source-", revision)
					}
				case "revised":
					chunks, _ = hundredMonths(revision)
				}
				b.StartTimer()
				w.write(chunks)
			}
			b.ReportMetric(float64(readings*b.N)/b.Elapsed().Seconds(), "readings/s")
			var size float64
			if err := w.db.QueryRow(b.Context(), "SELECT pg_total_relation_size('datadis.reading')::float / count(*) FROM datadis.reading").Scan(&size); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(size, "bytes/reading")
		})
	}
}

// BenchmarkCopy is the encoding alone.
func BenchmarkCopy(b *testing.B) {
	c := sdktest.Chunk(sdktest.CUPS, sdk.EnergyHourly, march, 1)
	j := &job{chunk: &c, readings: readingsOf(&c), seriesID: 1234}
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		text = j.appendCopy(text[:0])
	}
	b.ReportMetric(float64(c.Len()*b.N)/b.Elapsed().Seconds(), "readings/s")
}
