package ledger

import (
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/sdk"
)

// budget is what one CUPS may take in Redis, in bytes.
const budget = 4096

// TestMemoryOfOneCUPS fills a book as the first download of a large supply
// does: 72 chunks that two sources have, and all queries of that day. That is
// the most it ever holds.
func TestMemoryOfOneCUPS(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Backend().Admin(t, 0)
	w := newWorld(t, store.NewRedis(client, "dd:"))
	w.firstDownload(t)
	key := "dd:" + keyPrefix + string(testCUPS.Key())
	if fields, err := client.HLen(t.Context(), key).Result(); err != nil || fields < 72+50+2 {
		t.Fatalf("the book has %d fields, %v", fields, err)
	}
	statics := NewStatics(w.store, w.config)
	must(t, statics.Published(t.Context(), testCUPS, "a1b2c3d4a1b2c3d4", []string{"north", "south"}))
	used, err := client.MemoryUsage(t.Context(), key, 0).Result()
	must(t, err)
	more, err := client.MemoryUsage(t.Context(), "dd:"+staticPrefix+string(testCUPS.Key()), 0).Result()
	must(t, err)
	used += more
	encoding, err := client.ObjectEncoding(t.Context(), key).Result()
	must(t, err)
	t.Logf("on the first day: %d bytes, %s", used, encoding)
	if used > budget {
		t.Errorf("one CUPS takes %d bytes, more than %d", used, budget)
	}
	if encoding != "listpack" {
		t.Errorf("the hash is kept as %s: it has too many or too long entries", encoding)
	}

	w.Add(25 * time.Hour)
	w.answer(hourly("2026-09"), 7, "north", "south") // forgets the queries of the day before
	used, err = client.MemoryUsage(t.Context(), key, 0).Result()
	must(t, err)
	t.Logf("later: %d bytes", used)
}

// firstDownload records two years of three series, some of it not perfect.
func (w *world) firstDownload(t testing.TB) {
	t.Helper()
	b, err := w.Open(t.Context(), testCUPS)
	must(t, err)
	r := Request{
		Policy: Last, Now: w.Now(), PointType: 1, Distributor: "2",
		Series: []sdk.Series{sdk.EnergyHourly, sdk.EnergyQuarterHour, sdk.PowerMonthly},
	}
	offset := int64(0xfffffff) // millions of messages have passed
	for i, ask := range Due(b, r) {
		q := queryFor(Key{ask.Series, ask.From}, ask.To)
		var answers []Answer
		for _, key := range ask.Keys() {
			n := Expected(key, time.Time{})
			covered := n
			if i%5 == 0 && n > 1 {
				covered -= 24 // each fifth month lacks a day
			}
			offset++
			answers = append(answers, Answer{
				Key: key, Covered: covered, Expected: n, Hash: uint64(offset) * 0x9e3779b97f4a7c15,
				Raw: &Location{9, offset}, Delivered: []string{"north", "south"},
			})
		}
		must(t, b.Intend(t.Context(), q))
		must(t, b.Record(t.Context(), q, answers...))
	}
}
