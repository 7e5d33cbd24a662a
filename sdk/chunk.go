package sdk

import (
	"strings"
	"time"
)

// Chunk is one month of one series of one supply: the unit that is asked of
// Datadis, recorded in the ledger, published and harmonized. Its readings lie
// in columns; reading i of a chunk is entry i of each.
type Chunk struct {
	ID       string // the same for every revision: a hash of CUPS, series and month
	Revision uint32 // grows whenever the content of the chunk changed, from 1
	Hash     uint64 // of the content: starts, spans, values, methods, flags
	Run      string // the run that published it
	Source   string // the source that it was published for

	CUPS      CUPS
	Series    Series
	Month     Month
	FetchedAt time.Time // when Datadis answered

	Starts []int64  // epoch seconds, UTC, in time order
	Spans  []uint32 // seconds; nil: every reading is Series.Step long
	Flags  []Flags  // nil: every reading is plain

	// Energy, in kWh.
	Consumption     Column
	Surplus         Column
	Generation      Column
	SelfConsumption Column

	// Power: one reading per tariff period and month, the quarter hour of the
	// highest power, in kW. Reactive energy: one reading per tariff period and
	// month, in kVArh.
	Peak     Column
	Reactive Column
	Periods  []uint8 // the tariff period, 1 to 6, of Peak and Reactive; else nil

	// How the distributor obtained the reading, in its own words: entry i of
	// MethodIndex points into Methods. Both nil: it did not say.
	Methods     []string
	MethodIndex []uint8
}

// Len is the number of readings.
func (c *Chunk) Len() int { return len(c.Starts) }

// Start is when reading i begins, in UTC.
func (c *Chunk) Start(i int) time.Time { return time.Unix(c.Starts[i], 0).UTC() }

// Span is how long reading i lasts.
func (c *Chunk) Span(i int) time.Duration {
	if c.Spans == nil {
		return c.Series.Step()
	}
	return time.Duration(c.Spans[i]) * time.Second
}

// End is when reading i is over, in UTC.
func (c *Chunk) End(i int) time.Time { return c.Start(i).Add(c.Span(i)) }

// Flag is what is to be known of reading i; 0 for a plain one.
func (c *Chunk) Flag(i int) Flags {
	if c.Flags == nil {
		return 0
	}
	return c.Flags[i]
}

// Method is how reading i was obtained, "" where the distributor did not say.
func (c *Chunk) Method(i int) string {
	if i >= len(c.MethodIndex) || int(c.MethodIndex[i]) >= len(c.Methods) {
		return ""
	}
	return c.Methods[c.MethodIndex[i]]
}

// Flags says what is not plain about a reading, a bit each.
type Flags uint16

// The flags (datadis-api.md 7.2, 7.3).
const (
	// Merged: the distributor added the two equal hours of the autumn change
	// day into one reading of two hours.
	Merged Flags = 1 << iota
	// Assumed: the label left the interval open, and the distributor's usual
	// convention decided.
	Assumed
	// Midnight: labelled 00:00, taken as the last interval of the day before.
	Midnight
	// Duplicate: the distributor sent another reading of the same interval.
	Duplicate
	// Padding: a zero in an hour that the spring change day does not have.
	Padding
	// Unreadable: the value was there, but is no number that can be kept; the
	// raw copy has it.
	Unreadable
	// Watts: sent in watts where kilowatts are usual, and divided by 1,000.
	Watts
)

var flagNames = []string{"merged", "assumed", "midnight", "duplicate", "padding", "unreadable", "watts"}

// Names lists the names of the flags that are set.
func (f Flags) Names() []string {
	var names []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String joins the names of the flags with a plus sign; "" for a plain reading.
func (f Flags) String() string { return strings.Join(f.Names(), "+") }

// ParseFlags is the set with the given names; unknown ones are left out.
func ParseFlags(names ...string) Flags {
	var f Flags
	for _, name := range names {
		for i, known := range flagNames {
			if name == known {
				f |= 1 << i
			}
		}
	}
	return f
}
