package view

// Order is what somebody wants done with a run, or with an account in it.
type Order struct {
	Action  Action `json:"action"`
	Run     string `json:"run,omitempty"`     // its id, or the beginning of it; "": the only one under way
	Account string `json:"account,omitempty"` // its id, or the beginning of it; "": the whole run
}

// Action is what is done.
type Action string

// The actions.
const (
	Pause  Action = "pause"  // nothing more is handed out; what is in hand goes on
	Resume Action = "resume" // a pause ends
	Cancel Action = "cancel" // what waits is left to the next run; what is in hand goes on
)

// Steered is what came of an order.
type Steered struct {
	Action  Action   `json:"action"`
	Run     string   `json:"run"`
	Account string   `json:"account,omitempty"`
	Logins  []string `json:"logins,omitempty"`  // of the account, the first characters of their ids
	Others  int      `json:"others,omitempty"`  // further accounts of those logins, which share what was done
	Changed bool     `json:"changed"`           // false: it was so already
	Waiting int64    `json:"waiting,omitempty"` // accounts and supplies of the run that wait
	Working int64    `json:"in_hand,omitempty"` // accounts and supplies of the run that are worked on
}

// Refusal says why an order, as it was given, cannot be followed.
type Refusal string

// Error implements error.
func (r Refusal) Error() string { return string(r) }
