package entitlement

import (
	"slices"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/store/storetest"
)

// A distributor that failed, and listed something all the same, adds that to
// what it listed before, and ends nothing.
func TestWhatCameOfAFailedDistributor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s store.Store) {
		r := NewRegister(s)
		step := func(day int, result Result, want ...int) {
			t.Helper()
			l := Listing{At: day1.Add(time.Duration(day) * 24 * time.Hour), Whole: true, Distributors: results{"2": result}}
			change, err := r.Update(t.Context(), account, l)
			if err != nil {
				t.Fatal(err)
			}
			current, err := r.Current(t.Context(), account) // as another process reads it
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(numbers(change.Supplies), want) || !slices.Equal(numbers(current), want) {
				t.Errorf("day %d: %v, read as %v, want %v", day, numbers(change.Supplies), numbers(current), want)
			}
			if failed := len(change.Failed) == 1; failed != result.Failed {
				t.Errorf("day %d: failed distributors %v", day, change.Failed)
			}
		}
		short := answered("2", 2, 3)
		short.Failed = true
		step(0, short, -2, -3) // the first time, there is nothing else
		step(1, answered("2", 1, 2), 1, 2)
		step(2, short, -1, -2, -3)
		step(3, failed, -1, -2, -3)
		step(4, answered("2", 3), 3)
	})
}
