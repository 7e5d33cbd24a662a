// Package view is what people see of an engine: runs, queues, accounts, dead
// letters and plugins, as the commands, the API and the page show them. Nothing
// in it is secret; what may be personal data says so.
package view

import "time"

// Status is where all runs stand at one instant.
type Status struct {
	At          time.Time `json:"at"`
	Runs        []Run     `json:"runs"`         // the newest first
	Queues      []Queue   `json:"queues"`       // of the runs that are not finished
	DeadLetters int       `json:"dead_letters"` // of all runs, those handed over included
	HandedOver  int       `json:"handed_over"`  // dead letters that wait for the next producer
	Note        string    `json:"note,omitempty"`
}

// Run is how far a run has come, or what came of it.
type Run struct {
	ID       string    `json:"run"`
	Policy   string    `json:"policy"`
	State    string    `json:"state"` // open, sealed, finished; interrupted: its process ended before it did
	Outcome  string    `json:"outcome,omitempty"`
	Started  time.Time `json:"started"`
	Deadline time.Time `json:"deadline,omitzero"`
	Finished time.Time `json:"finished,omitzero"`

	Accounts Progress `json:"accounts"`
	Supplies Progress `json:"supplies"`
	Deferred int64    `json:"supplies_deferred"` // left to the next run
	Chunks   int64    `json:"chunks"`
	Readings int64    `json:"readings"`
	Rejected int64    `json:"rejected_logins"`
	Dead     int64    `json:"dead_letters"`
	Pace     Pace     `json:"pace,omitzero"`

	Paused    bool `json:"paused,omitempty"`
	Cancelled bool `json:"cancelled,omitempty"` // it ends as it is

	Sources       []Source          `json:"sources,omitempty"`
	Counts        map[string]int64  `json:"counts,omitempty"`
	FailedSources map[string]string `json:"failed_sources,omitempty"`
	FailedGrants  []FailedGrant     `json:"failed_grants,omitempty"`
	Notes         []string          `json:"notes,omitempty"` // sentences about what happened to the run itself
}

// Interrupted is the state of a run whose process ended before it did.
const Interrupted = "interrupted"

// Over tells whether nothing more will come of the run.
func (r Run) Over() bool { return r.State == "finished" || r.State == Interrupted }

// Took is how long the run lasted; 0 while it lasts.
func (r Run) Took() time.Duration {
	if r.Finished.IsZero() {
		return 0
	}
	return r.Finished.Sub(r.Started)
}

// Progress is how many of how many are done.
type Progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// Percent is Done of Total, rounded down; 0 of nothing.
func (p Progress) Percent() int64 {
	if p.Total <= 0 {
		return 0
	}
	return min(100, max(0, 100*p.Done/p.Total))
}

// Source is what came of a run for one source.
type Source struct {
	Name     string `json:"source"`
	Logins   int64  `json:"logins"` // those rejected included
	Accounts int64  `json:"accounts"`
	Supplies int64  `json:"supplies"`
	Chunks   int64  `json:"chunks"`
	Readings int64  `json:"readings"`
	Rejected int64  `json:"rejected_logins"`
	Dead     int64  `json:"dead_letters"`
}

// FailedGrant is a grant of which nothing may be concluded in the run.
type FailedGrant struct {
	Source string `json:"source"`
	User   string `json:"user,omitempty"` // masked
	NIF    string `json:"nif,omitempty"`  // masked; "" for own supplies
	Reason string `json:"reason"`
}

// Queue is one queue of one run.
type Queue struct {
	Run       string `json:"run"`
	Policy    string `json:"policy"`
	Name      string `json:"queue"` // users or devices
	Enqueued  int64  `json:"enqueued"`
	Waiting   int64  `json:"waiting"`
	Leased    int64  `json:"leased"`
	Delayed   int64  `json:"delayed"`
	Done      int64  `json:"done"`
	Deferred  int64  `json:"deferred"`
	Dead      int64  `json:"dead"`
	Dropped   int64  `json:"dropped"`
	Retried   int64  `json:"retried"`
	Reclaimed int64  `json:"reclaimed"`
	Reopened  int64  `json:"reopened"`
	Refused   int64  `json:"refused"`
	Claimable int64  `json:"claimable"` // logins that have their turn now
	Paused    bool   `json:"paused,omitempty"`
}

// Account is what a login and authorised NIF see. It is known by hashes.
type Account struct {
	ID       string    `json:"account"`
	Login    string    `json:"login"` // the first characters of its id
	State    string    `json:"state,omitempty"`
	Sources  []string  `json:"sources,omitempty"` // where the run is known
	Own      bool      `json:"own_supplies"`      // else of an authorised NIF
	Attempts int       `json:"attempts,omitempty"`
	Paused   bool      `json:"paused,omitempty"` // its login is, in the newest run
	Supplies int       `json:"supplies"`         // of the last good listing
	Stale    int       `json:"stale"`            // of those, by distributors that have failed since
	ListedAt time.Time `json:"listed,omitzero"`
}

// Plugin is an instance that this process runs.
type Plugin struct {
	Name     string   `json:"instance"`
	Plugin   string   `json:"plugin"`
	Version  string   `json:"version,omitempty"`
	Kinds    []string `json:"kinds"`
	Up       bool     `json:"up"`
	Reason   string   `json:"reason,omitempty"`
	Restarts int      `json:"restarts"`
}
