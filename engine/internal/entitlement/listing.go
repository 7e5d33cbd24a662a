package entitlement

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Supply is what has to be known of a supply to ask for its data, and
// Datadis's own row.
type Supply struct {
	CUPS        sdk.CUPS        `json:"cups"` // exactly as listed
	Distributor sdk.Distributor `json:"distributor"`
	PointType   int             `json:"point_type"`
	PostalCode  string          `json:"postal_code,omitempty"`
	ValidFrom   time.Time       `json:"valid_from,omitzero"`
	Raw         json.RawMessage `json:"raw,omitempty"`
}

// Listing is what one or several calls said of an account's supplies.
type Listing struct {
	At time.Time
	// Whole says that all distributors were asked: one that is not named
	// answered that it has nothing. Otherwise such a one was not asked.
	Whole bool
	// Distributors are the results, by distributor.
	Distributors map[sdk.Distributor]Result
}

// Result is what came of one distributor.
type Result struct {
	Failed   bool     // it was asked and did not answer, or not in full; what it listed before is kept
	Supplies []Supply // that it listed; if it failed, those that came all the same
}

// Effective is a supply that an account may see.
type Effective struct {
	Supply
	ListedAt time.Time // when its distributor listed it last
	Stale    bool      // the distributor has failed since
}

// Change is what a listing made of the entitlement of an account.
type Change struct {
	Supplies []Effective // that the account may see now, by CUPS
	Added    []sdk.CUPS  // seen now, not before
	Ended    []sdk.CUPS  // seen before, not now
	Failed   []sdk.Distributor
}

// Suspicious names the supplies that were seen before and that a distributor,
// without an error, lists no more. Before that is believed, the distributor is
// better asked again: listings come short without warning.
func Suspicious(previous []Effective, now Listing) map[sdk.Distributor][]sdk.CUPS {
	listed := make(map[sdk.CUPS]bool)
	for _, result := range now.Distributors {
		for _, s := range result.Supplies {
			listed[s.CUPS.Key()] = true
		}
	}
	vanished := make(map[sdk.Distributor][]sdk.CUPS)
	for _, s := range previous {
		result, named := now.Distributors[s.Distributor]
		answered := named && !result.Failed || !named && now.Whole
		if answered && !listed[s.CUPS.Key()] {
			vanished[s.Distributor] = append(vanished[s.Distributor], s.CUPS)
		}
	}
	return vanished
}

// effective is what the listings of all distributors come to. A supply that
// moved from one to another may be in both.
func effective(known map[sdk.Distributor]listed) []Effective {
	best := make(map[sdk.CUPS]Effective)
	for _, distributor := range slices.Sorted(maps.Keys(known)) {
		l := known[distributor]
		for _, s := range l.Supplies {
			e := Effective{Supply: s, ListedAt: l.At, Stale: l.failed}
			if other, twice := best[s.CUPS.Key()]; !twice || e.compare(other) > 0 {
				best[s.CUPS.Key()] = e
			}
		}
	}
	return slices.SortedFunc(maps.Values(best), func(a, b Effective) int {
		return cmp.Compare(a.CUPS.Key(), b.CUPS.Key())
	})
}

// compare tells which of two rows of one supply to believe: the one listed
// later, of two listed together that of the later contract.
func (e Effective) compare(other Effective) int {
	return cmp.Or(e.ListedAt.Compare(other.ListedAt), e.ValidFrom.Compare(other.ValidFrom))
}

// without lists what is in a and not in b.
func without(a, b []Effective) []sdk.CUPS {
	in := make(map[sdk.CUPS]bool, len(b))
	for _, e := range b {
		in[e.CUPS.Key()] = true
	}
	var rest []sdk.CUPS
	for _, e := range a {
		if !in[e.CUPS.Key()] {
			rest = append(rest, e.CUPS)
		}
	}
	return rest
}
