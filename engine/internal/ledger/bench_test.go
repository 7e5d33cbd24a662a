package ledger

import (
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/store/storetest"
	"github.com/datadis-engine/datadis/sdk"
)

// BenchmarkOpen reads a book of 72 chunks.
func BenchmarkOpen(b *testing.B) {
	each(b, func(b *testing.B, w *world) {
		w.firstDownload(b)
		for b.Loop() {
			if _, err := w.Open(b.Context(), testCUPS); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkQuery is the two writes of one query.
func BenchmarkQuery(b *testing.B) {
	each(b, func(b *testing.B, w *world) {
		book, err := w.Open(b.Context(), testCUPS)
		must(b, err)
		key := hourly("2026-09")
		q := queryFor(key, key.Month)
		hash := uint64(0)
		for b.Loop() {
			hash++
			must(b, book.Intend(b.Context(), q))
			must(b, book.Record(b.Context(), q, Answer{
				Key: key, Covered: 300, Expected: 720, Hash: hash, Delivered: []string{"north", "south"},
			}))
		}
	})
}

// BenchmarkDue plans two years of three series for a new supply.
func BenchmarkDue(b *testing.B) {
	w := world{Ledger: New(newMemory(), Config{})}
	book, err := w.Open(b.Context(), testCUPS)
	must(b, err)
	r := Request{
		Policy: Repair, Now: at("2026-09-15T12:00:00Z"), PointType: 1, Distributor: "2",
		Series: []sdk.Series{sdk.EnergyHourly, sdk.EnergyQuarterHour, sdk.PowerMonthly},
	}
	for b.Loop() {
		if len(Due(book, r)) != 50 {
			b.Fatal("not all is due")
		}
	}
}

// each runs the benchmark on a file and on a real server.
func each(b *testing.B, bench func(*testing.B, *world)) {
	world := func(s Store) *world {
		c := &clock{now: at("2026-09-15T12:00:00Z").Add(time.Hour)}
		return &world{Ledger: New(s, Config{Now: c.Now}), clock: c}
	}
	b.Run("bolt", func(b *testing.B) { bench(b, world(storetest.Bolt(b))) })
	b.Run("redis", func(b *testing.B) {
		bench(b, world(store.NewRedis(redistest.Start(b).Backend().Client(b), "dd:")))
	})
}
