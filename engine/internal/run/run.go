// Package run knows the runs: which are under way, who produces for them, where
// their data goes, and how they ended. It lies in the Redis of the users queue,
// where every process sees the same.
package run

import (
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Run is one pass of the engine.
type Run struct {
	ID       string
	Policy   string // last or repair
	Slot     string // the scheduled time that it was opened for; "" if none
	State    State
	Started  time.Time // by the engine's clock, which may be simulated
	Opened   time.Time // by the clock of Redis, as the next one
	Deadline time.Time
	From, To sdk.Month // what is asked for, both included
	Now      time.Time // where the simulated clock stood when the run was opened; zero for the real time

	Routes          map[string]sdk.Route // by source
	FailedSources   map[string]string    // and why
	Cancelled       bool
	CancelledLogins []string // whose accounts this run leaves out, sorted
	LostProducer    bool     // a producer fell silent before it was done
	Marked          bool     // its end is marked in the data topics

	Outcome  sdk.Outcome // once finished
	Finished time.Time   // by the engine's clock
	Ended    time.Time   // the same, by the clock of Redis
}

// State of a run.
type State string

// The states, in their order.
const (
	Open     State = "open"     // being worked on; a producer may join
	Sealed   State = "sealed"   // nobody may join any more
	Finished State = "finished" // and announced
)

// Spec is what a producer opens a run with.
type Spec struct {
	Policy   string
	Slot     string
	Started  time.Time
	Life     time.Duration // until the deadline
	From, To sdk.Month
	Now      time.Time
	Routes   map[string]sdk.Route
}
