package ledger

import (
	"bytes"
	"context"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const testCUPS sdk.CUPS = "ES0031000000000001BJ0F"

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a ledger in the middle of September 2026.
type world struct {
	*Ledger
	*clock
	t *testing.T
}

func newWorld(t *testing.T, s Store) *world {
	t.Helper()
	c := &clock{now: at("2026-09-15T12:00:00Z")}
	return &world{New(s, Config{Now: c.Now}), c, t}
}

// book opens the book of the test's CUPS, as another process would.
func (w *world) book() *Book {
	w.t.Helper()
	b, err := w.Open(w.t.Context(), testCUPS)
	must(w.t, err)
	return b
}

// cell reads a chunk from the store, not from a book that is open.
func (w *world) cell(key Key) Cell {
	w.t.Helper()
	c, _ := w.book().Cell(key)
	return c
}

// answer records a complete answer for a chunk.
func (w *world) answer(key Key, hash uint64, sources ...string) {
	w.t.Helper()
	n := Expected(key, time.Time{})
	w.record(Answer{Key: key, Covered: n, Expected: n, Hash: hash, Delivered: sources})
}

func (w *world) record(answers ...Answer) {
	w.t.Helper()
	b, q := w.book(), queryFor(answers[0].Key, answers[len(answers)-1].Month)
	must(w.t, b.Intend(w.t.Context(), q))
	must(w.t, b.Record(w.t.Context(), q, answers...))
}

func (w *world) fail(class Class, keys ...Key) {
	w.t.Helper()
	b, q := w.book(), queryFor(keys[0], keys[len(keys)-1].Month)
	must(w.t, b.Intend(w.t.Context(), q))
	must(w.t, b.Fail(w.t.Context(), q, class, keys...))
}

func queryFor(first Key, to sdk.Month) QueryKey {
	return Query{
		Account: "a1", CUPS: testCUPS, Distributor: "2", PointType: 5,
		Series: first.Series, From: first.Month, To: to,
	}.Key()
}

// memory is a store for tests that are not about stores.
type memory struct {
	mu   sync.Mutex
	keys map[string]map[string][]byte
	fail error // of the next writes
}

func newMemory() *memory { return &memory{keys: make(map[string]map[string][]byte)} }

func (m *memory) Get(_ context.Context, key string) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.keys[key]), nil
}

func (m *memory) Put(_ context.Context, key string, set map[string][]byte, del ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.keys[key] == nil {
		m.keys[key] = make(map[string][]byte)
	}
	maps.Copy(m.keys[key], set)
	for _, field := range del {
		delete(m.keys[key], field)
	}
	return nil
}

func (m *memory) Keys(_ context.Context, prefix string, visit func(string) error) error {
	m.mu.Lock()
	keys := maps.Clone(m.keys)
	m.mu.Unlock()
	for key := range keys {
		if strings.HasPrefix(key, prefix) {
			if err := visit(key); err != nil {
				return err
			}
		}
	}
	return nil
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func month(text string) sdk.Month {
	m, err := sdk.ParseMonth(text)
	if err != nil {
		panic(err)
	}
	return m
}

func hourly(text string) Key { return Key{sdk.EnergyHourly, month(text)} }
func power(text string) Key  { return Key{sdk.PowerMonthly, month(text)} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.MkdirAll("testdata", 0o750))
		must(t, os.WriteFile(path, got, 0o600))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got\n%s", path, got)
	}
}
