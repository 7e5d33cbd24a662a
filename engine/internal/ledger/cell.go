package ledger

import (
	"fmt"
	"slices"
	"time"
)

// Cell is what is known of one chunk.
type Cell struct {
	State    State
	Covered  int // steps that the published content covers; a merged reading covers two
	Expected int // steps that the month has
	Tries    int // left for asking again, once the month has settled
	Class    Class
	Alone    bool // a wide window with this month failed: ask for the month alone

	LastAttempt time.Time // zero: never
	LastAnswer  time.Time // zero: never; when Datadis answered, with data or without

	Hash     uint64    // of the content
	Revision uint32    // of the content; 0: there never was one
	Raw      *Location // of the response body that the content was read from

	delivered []uint32 // the revision each source has, by its index in the book
}

// Location is where the raw copy of an answer lies in the raw topic.
type Location struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// HasContent tells whether anything was published that a source may lack.
func (c Cell) HasContent() bool { return c.Revision > 0 && c.Covered > 0 }

// clone shares nothing with the cell.
func (c Cell) clone() Cell {
	c.delivered = slices.Clone(c.delivered)
	if c.Raw != nil {
		raw := *c.Raw
		c.Raw = &raw
	}
	return c
}

// State is how far a chunk has come.
type State uint8

// The states. Their numbers are stored.
const (
	None     State = iota // nothing is known
	Partial               // some steps came, or the month was still growing
	Complete              // all steps came, and the month is over
	Empty                 // answered, without any data
	Refused               // the account may not ask for it
	Failed                // every attempt failed
)

var stateNames = []string{"none", "partial", "complete", "empty", "refused", "failed"}

// String names the state.
func (s State) String() string { return name(stateNames, uint8(s)) }

// MarshalText implements [encoding.TextMarshaler].
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *State) UnmarshalText(text []byte) error {
	return parseName(stateNames, string(text), "state", (*uint8)(s))
}

// Answered tells whether Datadis ever said what there is.
func (s State) Answered() bool { return s == Partial || s == Complete || s == Empty }

// Class says why the last attempt did not succeed.
type Class uint8

// The classes. Their numbers are stored.
const (
	NoError      Class = iota // it did
	Repeated                  // "already asked within 24 hours": the query is deferred
	Limited                   // another 429: the login has to cool down
	Unauthorised              // the account may not ask for this supply
	Rejected                  // Datadis finds the query wrong; it will do so again
	Unavailable               // Datadis, the distributor or the way there is down
	TimedOut                  // no answer in time; the query may have been registered
	Unreadable                // an answer that nothing could be read from
	Interrupted               // this engine stopped, or gave the call up
	Other                     // anything else
)

var classNames = []string{
	"", "repeated", "limited", "unauthorised", "rejected", "unavailable",
	"timed_out", "unreadable", "interrupted", "other",
}

// String names the class; "" for NoError.
func (c Class) String() string { return name(classNames, uint8(c)) }

// MarshalText implements [encoding.TextMarshaler].
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Class) UnmarshalText(text []byte) error {
	return parseName(classNames, string(text), "error class", (*uint8)(c))
}

// registered tells whether Datadis has taken note of a query that failed this
// way, or would only say the same again: it must not be repeated soon.
func (c Class) registered() bool {
	switch c {
	case Repeated, Unauthorised, Rejected, Unreadable:
		return true
	default:
		return false
	}
}

// costs tells whether the attempt says something about the chunk, and so counts
// against its tries.
func (c Class) costs() bool {
	switch c {
	case Repeated, Limited, Interrupted:
		return false
	default:
		return true
	}
}

// blamesWidth tells whether asking for fewer months might have succeeded.
func (c Class) blamesWidth() bool { return c.costs() && c != Unauthorised }

func name(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown %d", i)
}

func parseName(names []string, text, what string, to *uint8) error {
	i := slices.Index(names, text)
	if i < 0 {
		return fmt.Errorf("unknown %s %q", what, text)
	}
	*to = uint8(i) //nolint:gosec // the lists are short
	return nil
}
