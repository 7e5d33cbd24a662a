package sdk

import (
	"context"
	"time"
)

// Harmonizer turns chunks of readings into a project's own model. It may also
// implement [RunBeginner], [SupplyHarmonizer] and [RunEnder].
//
// The engine calls one method at a time, repeats what was not confirmed, and
// never hands over an older revision of a chunk after a newer one.
type Harmonizer interface {
	// HarmonizeTimeSeries takes a batch of whole chunks. A nil error means that
	// every item is done but for those that the result names.
	HarmonizeTimeSeries(ctx context.Context, batch Batch[Chunk]) (Result, error)
}

// RunBeginner is told of a run before the first batch of it. It may be told
// again.
type RunBeginner interface {
	BeginRun(ctx context.Context, run Run) error
}

// SupplyHarmonizer takes the static data too.
type SupplyHarmonizer interface {
	HarmonizeSupplies(ctx context.Context, batch Batch[Supply]) (Result, error)
}

// RunEnder is told, at least once, that everything of a run has been handed
// over. It must rely on its store, not on what this process has seen, and must
// not mistake "not seen" for "gone" unless the outcome is Complete and the
// grant did not fail: else it changes nothing, and returns no record, of a
// supply that did not come in the run.
type RunEnder interface {
	EndRun(ctx context.Context, end RunEnd) (Result, error)
}

// StateDumper shows what the harmonizer's store holds, for tests: the
// conformance kit compares two states, and the engine never asks. One whose work
// shows in its records, or in files below the instance's folder, needs none.
type StateDumper interface {
	// DumpState calls write for each thing in the store. Two things have
	// different keys; a value is the same in whatever order the data came, and
	// leaves out when it was written. It returns the error of write.
	DumpState(ctx context.Context, write func(key, value string) error) error
}

// Batch is some items of one run, in the order in which they were published.
type Batch[T any] struct {
	Run   string
	ID    string // deterministic: two batches with one id have the same content
	Items []T
}

// Run is one pass of the engine.
type Run struct {
	ID      string
	Policy  string // last or repair
	Started time.Time
	Sources []string // that this harmonizer serves
}

// Outcome of a run.
type Outcome string

// The outcomes.
const (
	Complete Outcome = "complete" // everything that was due came
	Partial  Outcome = "partial"  // something failed; see the failed grants
	Aborted  Outcome = "aborted"  // cancelled, or its deadline passed
)

// RunEnd is how a run ended.
type RunEnd struct {
	Run          Run
	Outcome      Outcome
	Finished     time.Time
	FailedGrants []FailedGrant
}

// FailedGrant is a grant of which nothing may be concluded in this run.
type FailedGrant struct {
	Source   string `json:"source"`
	Username NIF    `json:"username"`
	NIF      NIF    `json:"nif,omitempty"` // authorised NIF, "" for own supplies
	Reason   string `json:"reason"`
}

// Result is what a harmonizer made of a batch.
type Result struct {
	// Records are for the engine to publish, to the topics that the harmonizer
	// declared.
	Records []Record
	// Items names the items that are not done.
	Items []ItemResult
}

// Record is a message for Kafka.
type Record struct {
	Item    int // the batch's item that it was made from
	Topic   string
	Key     []byte
	Value   []byte
	Headers map[string]string
}

// ItemResult says what became of an item that was not simply done.
type ItemResult struct {
	Item       int
	Verdict    Verdict
	Reason     string // a stable code, snake_case
	Message    string
	RetryAfter time.Duration // for Retry; 0 leaves it to the engine
}

// Verdict on an item.
type Verdict string

// The verdicts.
const (
	Skipped  Verdict = "skipped"  // of no use here; done
	Rejected Verdict = "rejected" // cannot be harmonized; goes to the dead letters
	Retry    Verdict = "retry"    // later
)

// Intake is what a harmonizer wants and may write.
type Intake struct {
	Sources      []string `json:"sources"`       // whose data it takes; empty: all
	OutputTopics []string `json:"output_topics"` // that its records may go to
}
