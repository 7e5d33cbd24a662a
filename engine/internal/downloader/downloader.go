// Package downloader is the third step: it takes one supply, asks Datadis for
// what is missing of it, keeps the answers, and publishes what they hold for
// every source that is entitled to it.
//
// The order is fetch, raw copy, decode, publish, ledger. Only then is the item
// done, so that a crash at any instant makes work be repeated and never data be
// lost.
package downloader

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/login"
	"github.com/datadis-engine/datadis/sdk"
)

// Sessions gives the session of a login and its user name.
type Sessions interface {
	Session(ctx context.Context, login string) (*datadis.Session, sdk.NIF, error)
}

// Outlet takes what was downloaded. Each method returns when the broker has
// acknowledged it.
type Outlet interface {
	// Raw keeps an answer as it was received. The location is nil if raw
	// copies are not kept.
	Raw(ctx context.Context, copy Copy) (*ledger.Location, error)
	// Chunks publishes each chunk for the source that it names.
	Chunks(ctx context.Context, chunks []*sdk.Chunk) error
	// Supply publishes static data.
	Supply(ctx context.Context, supply *sdk.Supply) error
}

// Copies reads raw copies back.
type Copies interface {
	// Open fails with ErrGone for a copy that is not kept any more, or is
	// damaged.
	Open(ctx context.Context, at ledger.Location) (Copy, error)
}

// ErrGone says that a raw copy is not kept any more.
var ErrGone = errors.New("the raw copy is gone")

// Copy is an answer, and what was asked.
type Copy struct {
	Query   datadis.Query
	Account string
	Answer  datadis.Answer
}

// Statics remembers when static data was published.
type Statics interface {
	// Fresh tells whether an account's static data of a supply was published
	// lately, for all of the sources.
	Fresh(ctx context.Context, cups sdk.CUPS, account string, sources []string) (bool, error)
	Published(ctx context.Context, cups sdk.CUPS, account string, sources []string) error
}

// Holds keeps two runs from working on one supply at the same time: Datadis
// would refuse what both ask.
type Holds interface {
	// Take fails with ErrBusy. The returned context ends when the hold is lost;
	// release gives it back.
	Take(ctx context.Context, cups sdk.CUPS) (held context.Context, release func(), err error)
}

// ErrBusy says that somebody else works on the supply.
var ErrBusy = errors.New("another run works on the supply")

// Config of a Downloader.
type Config struct {
	Run    string
	Policy ledger.Policy
	Window ledger.Window
	Series []sdk.Series

	Ledger   *ledger.Ledger
	Sessions Sessions
	Outlet   Outlet
	Copies   Copies // nil: raw copies are not kept
	Statics  Statics
	Holds    Holds
	Places   chan struct{}                                      // one is taken for each guarded call; its capacity is how many are begun at once. Nil: any number
	Stopping <-chan struct{}                                    // closed when calls in flight are to be finished and no more made; may be nil
	Observe  func(series sdk.Series, result Result, chunks int) // nil: nobody counts
	Now      func() time.Time
	Logger   *slog.Logger
}

// Result is what came of a chunk, for whoever counts.
type Result string

// The results.
const (
	Published Result = "published" // once for each source
	FromRaw   Result = "from_raw"  // published from the raw copy, once for each source
	Unchanged Result = "unchanged" // came again as it was
	Shrunk    Result = "shrunk"    // came with fewer hours than known; not published
	Empty     Result = "empty"     // answered, without data
	Repeated  Result = "repeated"  // refused: asked in the last 24 hours
	Failed    Result = "failed"    // not answered, or with nothing of use
)

// Results lists all of them.
func Results() []Result {
	return []Result{Published, FromRaw, Unchanged, Shrunk, Empty, Repeated, Failed}
}

// Downloader downloads supplies. It is a worker.Step.
type Downloader struct{ Config }

// New returns a Downloader.
func New(config Config) *Downloader {
	if config.Observe == nil {
		config.Observe = func(sdk.Series, Result, int) {}
	}
	return &Downloader{config}
}

// retryDelays are before each further attempt at a supply in a run. What fails
// after the last is left to the next run.
var retryDelays = []time.Duration{3 * time.Second, 10 * time.Second, 30 * time.Second}

// restAfterThrottle is for a 429 that does not say how long to wait.
const restAfterThrottle = time.Minute

// Handle downloads one supply.
func (d *Downloader) Handle(ctx context.Context, body []byte, attempt int) job.Verdict {
	device, err := job.DecodeDevice(body)
	if err != nil {
		return job.Verdict{Action: job.Bury, Failure: job.Failure{Class: "schema", Reason: err.Error()}}
	}
	cups := device.Accesses[0].CUPS
	held, release, err := d.Holds.Take(ctx, cups)
	if errors.Is(err, ErrBusy) {
		return job.Verdict{Action: job.Release, Delay: busyDelay}
	}
	if err != nil {
		return job.Verdict{Action: job.Retry, Delay: busyDelay, Failure: job.Failure{Class: "engine_error", Reason: err.Error()}}
	}
	defer release()
	return d.handle(held, device, attempt)
}

// busyDelay is when to look again whether another run is done with a supply.
const busyDelay = 5 * time.Second

func (d *Downloader) handle(ctx context.Context, device job.Device, attempt int) job.Verdict {
	cups := device.Accesses[0].CUPS
	t := &task{
		Downloader: d, device: device, cups: cups, last: attempt > len(retryDelays),
		sessions: make(map[string]*session),
		log:      d.Logger.With("phase", "download", "cups", cups, "attempt", attempt),
	}
	err := t.run(ctx)
	verdict := t.verdict(ctx, attempt, err)
	if verdict.Action == job.Bury {
		for _, source := range device.Sources() {
			t.counts.Count(job.PerSource(job.Dead, source), 1)
		}
	}
	verdict.Counts = t.counts.Counts
	return verdict
}

// verdict says what becomes of the item. An error is of the engine's own
// servers, not of Datadis: those are in the task's notes.
func (t *task) verdict(ctx context.Context, attempt int, err error) job.Verdict {
	switch {
	case ctx.Err() != nil:
		return job.Verdict{Action: job.Release}
	case t.cool > 0:
		return job.Verdict{Action: job.Release, Delay: t.cool, Cool: t.cool}
	case t.stopped && err == nil:
		return job.Verdict{Action: job.Release}
	case errors.Is(err, login.ErrKeyUnknown):
		t.log.Error("cannot download the supply here", "error", err)
		return job.Verdict{Action: job.Release, Delay: keyDelay}
	case err == nil && t.failure == nil && t.later > 0:
		return job.Verdict{Action: job.Release, Delay: t.later}
	case err == nil && t.failure == nil:
		return job.Verdict{Action: job.Done}
	case err == nil:
		err = t.failure
	}
	failure := job.Failure{Class: class(err), Reason: err.Error()}
	switch {
	case !t.last:
		t.log.Warn("supply not complete; it is tried again", "error", err)
		return job.Verdict{Action: job.Retry, Delay: retryDelays[attempt-1], Failure: failure}
	case errors.Is(err, datadis.ErrUnauthorised), !isDatadis(err):
		t.log.Error("supply not downloaded; it is in the dead letters", "error", err)
		return job.Verdict{Action: job.Bury, Failure: failure}
	default:
		t.log.Error("supply not complete in this run; the next one goes on", "error", err)
		return job.Verdict{Action: job.Defer, Failure: failure}
	}
}

// keyDelay is how long a supply waits for a process that can decrypt the
// password.
const keyDelay = 15 * time.Second

func isDatadis(err error) bool {
	var e *datadis.Error
	return errors.As(err, &e)
}

// class is a failure's stable code.
func class(err error) string {
	switch {
	case errors.Is(err, datadis.ErrUnavailable):
		return "datadis_unavailable"
	case errors.Is(err, datadis.ErrUnauthorised):
		return "unauthorised"
	case errors.Is(err, datadis.ErrBadCredentials):
		return "bad_credentials"
	case isDatadis(err):
		return "datadis_error"
	default:
		return "engine_error"
	}
}
