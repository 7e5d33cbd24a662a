package ledger

import (
	"math"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

const (
	// maxMonths is how far back Datadis can be asked, the current month
	// included.
	maxMonths = 24
	// settling is how long after its end a month is still growing:
	// distributors deliver the last days late.
	settling = 10 * 24 * time.Hour
)

// Window is a range of months, both included.
type Window struct{ From, To sdk.Month }

// WindowAt is the current month and those before it, so many in all. Fewer than
// one means all that Datadis serves.
func WindowAt(now time.Time, months int) Window {
	if months < 1 {
		months = maxMonths
	}
	to := sdk.MonthOf(now)
	return Window{to - sdk.Month(months) + 1, to}
}

// Contains tells whether the month is in the window.
func (w Window) Contains(m sdk.Month) bool { return w.From <= m && m <= w.To }

// servable is the part of the window that Datadis serves for a supply: not in
// the future, not beyond two years, not before the supply's contract.
func (w Window) servable(now, validFrom time.Time) Window {
	all := WindowAt(now, maxMonths)
	w = Window{max(w.From, all.From), min(w.To, all.To)}
	if !validFrom.IsZero() {
		w.From = max(w.From, sdk.MonthOf(validFrom))
	}
	return w
}

// growing tells whether a month may still get data by itself, so that an
// attempt costs nothing: the current month, and the one before during the
// first ten days.
func growing(m sdk.Month, now time.Time) bool { return now.Before(m.End().Add(settling)) }

// over tells whether a chunk whose steps have all come is complete. Each month
// of power has its one step at once, and it grows until the month has settled.
func over(key Key, at time.Time) bool {
	if key.Series.Step() == 0 {
		return !growing(key.Month, at)
	}
	return !at.Before(key.Month.End())
}

// charge takes a try for an attempt that did not make the chunk complete.
func (c *Cell) charge(m sdk.Month, at time.Time) {
	if c.Tries > 0 && !growing(m, at) {
		c.Tries--
	}
}

// Expected is how many steps a chunk has: the real hours or quarter-hours of
// its month in Madrid, from the start of the supply's contract on, and one for
// a month of power. A zero validFrom is the whole month.
func Expected(key Key, validFrom time.Time) int {
	step := key.Series.Step()
	if step == 0 {
		return 1
	}
	from, to := key.Month.Start(), key.Month.End()
	if validFrom.After(from) && validFrom.Before(to) {
		from = validFrom
	}
	return int(math.Ceil(float64(to.Sub(from)) / float64(step)))
}
