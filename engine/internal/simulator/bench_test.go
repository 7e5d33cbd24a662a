package simulator

import (
	"io"
	"net/http"
	"testing"
)

// BenchmarkMonth makes the body of an hourly month.
func BenchmarkMonth(b *testing.B) {
	sim, err := New(Config{World: testWorld()})
	if err != nil {
		b.Fatal(err)
	}
	c := &call{sim: sim, now: testNow, account: anna, params: hourly(shop, "8", "2026/10", "2026/10")}
	c.endpoint = sim.calls[apiPath+"get-consumption-data-v2"]
	b.SetBytes(int64(len(c.consumption().body)))
	for b.Loop() {
		if a := c.consumption(); a.status != http.StatusOK {
			b.Fatal(a.status)
		}
	}
}

// BenchmarkTruth writes two years of four supplies.
func BenchmarkTruth(b *testing.B) {
	sim, err := New(Config{World: testWorld()})
	if err != nil {
		b.Fatal(err)
	}
	sim.SetNow(testNow)
	for b.Loop() {
		if err := sim.WriteTruth(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
