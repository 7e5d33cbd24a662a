package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Policy says how much of what is missing a run asks for.
type Policy string

// The policies. Under both, a chunk that was never answered is asked for.
const (
	Last   Policy = "last"   // the chunks that are still growing
	Repair Policy = "repair" // every incomplete chunk that has tries left
)

// ParsePolicy reads the name of a policy.
func ParsePolicy(text string) (Policy, error) {
	switch p := Policy(text); p {
	case Last, Repair:
		return p, nil
	default:
		return "", fmt.Errorf("unknown policy %q; there are last and repair", text)
	}
}

// Request says what a run wants of a supply.
type Request struct {
	Policy Policy
	Now    time.Time
	Window Window // the zero Window is all that Datadis serves
	Series []sdk.Series

	// Again asks for every incomplete chunk once more, tries left or not:
	// somebody wants a dead letter to be tried again.
	Again bool

	// Of the supply, as it is listed.
	ValidFrom   time.Time // zero: not known
	PointType   int
	Distributor sdk.Distributor
}

// Ask is one query to make.
type Ask struct {
	Series   sdk.Series
	From, To sdk.Month // both included
}

// Keys lists the chunks that the query asks for.
func (a Ask) Keys() []Key {
	keys := make([]Key, 0, a.To-a.From+1)
	for m := a.From; m <= a.To; m++ {
		keys = append(keys, Key{a.Series, m})
	}
	return keys
}

// Due lists what to ask of a supply now, oldest months first. Whether Datadis
// would answer the very query is for [Book.Blocked] to say, since that depends
// on the account.
func Due(b *Book, r Request) []Ask {
	var asks []Ask
	for _, series := range r.Series {
		months, _ := r.due(b, series)
		asks = append(asks, r.group(b, series, months)...)
	}
	slices.SortStableFunc(asks, func(a, b Ask) int { return cmp.Compare(a.From, b.From) })
	return asks
}

// NextDue is when the first chunk that is wanted, but was answered lately, may
// be asked for again; false if there is none.
func NextDue(b *Book, r Request) (at time.Time, ok bool) {
	for _, series := range r.Series {
		_, next := r.due(b, series)
		if !next.IsZero() && (!ok || next.Before(at)) {
			at, ok = next, true
		}
	}
	return at, ok
}

// due lists the months of a series to ask for, in order, and when the first of
// those that were answered lately may follow.
func (r Request) due(b *Book, series sdk.Series) (months []sdk.Month, next time.Time) {
	if series == sdk.EnergyQuarterHour && !QuarterHours(r.PointType, r.Distributor) {
		return nil, time.Time{}
	}
	window := r.window()
	for m := window.From; m <= window.To; m++ {
		cell, _ := b.Cell(Key{series, m})
		if !r.wants(cell, m) {
			continue
		}
		again := cell.LastAnswer.Add(b.config.RepeatAfter)
		switch {
		case cell.LastAnswer.IsZero() || !r.Now.Before(again):
			months = append(months, m)
		case next.IsZero() || again.Before(next):
			next = again
		}
	}
	return months, next
}

// wants tells whether a chunk is to be asked for at all.
func (r Request) wants(c Cell, m sdk.Month) bool {
	switch {
	case c.State == Complete:
		return false
	case growing(m, r.Now), r.Again:
		return true
	case c.Tries == 0:
		return false
	case r.Policy == Repair, m == sdk.MonthOf(r.Now)-1:
		return true
	default:
		return c.State == None || c.State == Failed
	}
}

func (r Request) window() Window {
	w := r.Window
	if w == (Window{}) {
		w = WindowAt(r.Now, maxMonths)
	}
	return w.servable(r.Now, r.ValidFrom)
}

// QuarterHours tells whether Datadis serves quarter-hours of a supply
// (datadis-api.md 6). Asking for others is answered with nothing.
func QuarterHours(pointType int, d sdk.Distributor) bool {
	switch pointType {
	case 1, 2:
		return true
	case 3:
		return d == sdk.EDistribucion
	default:
		return false
	}
}
