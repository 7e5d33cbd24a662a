package job

import "time"

// Verdict is what a step says of an item when it has dealt with it.
type Verdict struct {
	Action  Action
	Delay   time.Duration    // for Retry and Release
	Failure Failure          // for Retry, Defer and Bury
	Cool    time.Duration    // if positive: no item of this login until then, in any process
	Counts  map[string]int64 // added to the run's counters in the same step
}

// Failure says why, for people and for the list of dead letters. It holds no
// secret, and CUPS and NIF masked.
type Failure struct {
	Class  string // a stable code, snake_case
	Reason string // one sentence
}

// Action is what becomes of an item.
type Action int

// The actions.
const (
	Done    Action = iota // finished
	Retry                 // again after the delay; counts as an attempt
	Defer                 // not in this run any more
	Bury                  // to the dead letters
	Release               // again after the delay; does not count
)

// Count adds n to a counter of the verdict.
func (v *Verdict) Count(name string, n int64) {
	if n == 0 {
		return
	}
	if v.Counts == nil {
		v.Counts = make(map[string]int64)
	}
	v.Counts[name] += n
}

// The counters of a run. Those that belong to a source are joined with its
// name by PerSource.
const (
	Logins   = "logins"
	Accounts = "accounts"
	Supplies = "supplies"
	Chunks   = "chunks"
	Readings = "readings"
	Rejected = "rejected_logins"
	Dead     = "dead_letters"

	Asked     = "asked"     // calls that were answered with data or without
	Refused   = "refused"   // "already asked in the last 24 hours"
	Failed    = "failed"    // calls that failed
	Left      = "left"      // chunks that another run has to ask for
	Unchanged = "unchanged" // chunks that came again as they were
	Shrunk    = "shrunk"    // chunks that came with fewer hours than known
	FromRaw   = "from_raw"  // chunks that were served from the raw copy
	Static    = "static"    // supplies published
)

// PerSource is the name of a counter of one source.
func PerSource(counter, source string) string { return counter + ":" + source }
