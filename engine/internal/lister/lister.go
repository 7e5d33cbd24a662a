// Package lister is the second step: it logs in as an account, lists the
// supplies that the account can see, and queues those that a source wants.
package lister

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/entitlement"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/login"
	"github.com/datadis-engine/datadis/sdk"
)

// Sessions gives the session of a login, with the credentials that the
// producer stored.
type Sessions interface {
	// Session fails with login.ErrKeyUnknown while this process cannot decrypt the
	// login's password.
	Session(ctx context.Context, login string) (*datadis.Session, sdk.NIF, error)
}

// Logins is what the processes of the run know of its logins.
type Logins interface {
	State(ctx context.Context, id string) (login.State, error)
	Accept(ctx context.Context, id string) (first bool, err error)
	Refuse(ctx context.Context, id string) (login.State, bool, error)
}

// Streaks remembers over runs how often a login was rejected.
type Streaks interface {
	Rejected(ctx context.Context, login, run string) (streak int, err error)
	Accepted(ctx context.Context, login string) error
	Resting(ctx context.Context, login string) (until time.Time, resting bool, err error)
}

// Entitlement remembers the last good listing of each account.
type Entitlement interface {
	Current(ctx context.Context, account string) ([]entitlement.Effective, error)
	Update(ctx context.Context, account string, listing entitlement.Listing) (entitlement.Change, error)
	Revoke(ctx context.Context, account string) ([]sdk.CUPS, error)
}

// Devices is the devices queue. A supply that it knows gets the access added.
type Devices interface {
	Merge(ctx context.Context, access job.Access) error
}

// Failures collects the grants of which nothing may be concluded in this run.
type Failures interface {
	Add(ctx context.Context, failed ...sdk.FailedGrant) error
}

// Config of a Lister.
type Config struct {
	Run         string
	Sessions    Sessions
	Logins      Logins
	Streaks     Streaks
	Entitlement Entitlement
	Devices     Devices
	Failures    Failures
	Now         func() time.Time
	Pauses      []time.Duration // before each further try of a distributor that failed; DefaultPauses if nil
	Logger      *slog.Logger
}

// DefaultPauses give a distributor two more chances within a listing.
var DefaultPauses = []time.Duration{2 * time.Second, 5 * time.Second}

// Lister lists accounts. It is a worker.Step.
type Lister struct{ Config }

// New returns a Lister.
func New(config Config) *Lister {
	if config.Pauses == nil {
		config.Pauses = DefaultPauses
	}
	return &Lister{config}
}

// How often a listing is tried in a run, and how long after a failure.
var retryDelays = []time.Duration{5 * time.Second, 20 * time.Second, time.Minute, 3 * time.Minute}

// keyDelay is how long an account waits for a process that can decrypt its
// password.
const keyDelay = 15 * time.Second

// Handle lists one account.
func (l *Lister) Handle(ctx context.Context, body []byte, attempt int) job.Verdict {
	user, err := job.DecodeUser(body)
	if err != nil {
		return job.Verdict{Action: job.Bury, Failure: job.Failure{Class: "schema", Reason: err.Error()}}
	}
	t := &task{Lister: l, user: user, log: l.Logger.With("phase", "list", "account", user.Account, "attempt", attempt)}
	verdict := t.verdict(ctx, attempt)
	verdict.Counts = t.counts.Counts
	return verdict
}

// verdict lists the account and says what becomes of it.
func (t *task) verdict(ctx context.Context, attempt int) job.Verdict {
	verdict, err := t.list(ctx)
	var answer *datadis.Error
	switch {
	case err == nil:
		return verdict
	case ctx.Err() != nil:
		return job.Verdict{Action: job.Release}
	case errors.Is(err, datadis.ErrThrottled) && errors.As(err, &answer):
		rest := max(answer.RetryAfter, restAfterThrottle)
		return job.Verdict{Action: job.Release, Delay: rest, Cool: rest}
	case errors.Is(err, login.ErrKeyUnknown):
		t.log.Error("cannot list the account here", "error", err)
		return job.Verdict{Action: job.Release, Delay: keyDelay}
	case attempt <= len(retryDelays):
		t.log.Warn("listing failed; it is tried again", "error", err)
		return job.Verdict{Action: job.Retry, Delay: retryDelays[attempt-1], Failure: job.Failure{Class: class(err), Reason: err.Error()}}
	default:
		return t.giveUp(ctx, err)
	}
}

// class is a failure's stable code.
func class(err error) string {
	switch {
	case errors.Is(err, datadis.ErrUnavailable):
		return "datadis_unavailable"
	default:
		return "listing_failed"
	}
}

// task is the listing of one account.
type task struct {
	*Lister
	user     job.User
	username sdk.NIF
	log      *slog.Logger
	counts   job.Verdict // only its counters are used
}

// list does it all; an error asks for another attempt.
func (t *task) list(ctx context.Context) (job.Verdict, error) {
	session, username, err := t.Sessions.Session(ctx, t.user.Login)
	if err != nil {
		return job.Verdict{}, err
	}
	t.username = username
	if verdict, over, err := t.known(ctx); over || err != nil {
		return verdict, err
	}
	listing, err := session.Supplies(ctx, t.user.NIF, "")
	switch {
	case errors.Is(err, datadis.ErrBadCredentials):
		return t.refused(ctx)
	case errors.Is(err, datadis.ErrUnauthorised), errors.Is(err, datadis.ErrInvalidRequest):
		return t.unauthorised(ctx, err)
	case err != nil:
		return job.Verdict{}, err
	}
	if err := t.accepted(ctx); err != nil {
		return job.Verdict{}, err
	}
	complete, err := t.complete(ctx, session, listing)
	if err != nil {
		return job.Verdict{}, err
	}
	return t.queue(ctx, complete)
}

// restAfterThrottle is for a 429 that does not say how long to wait.
const restAfterThrottle = time.Minute

// queue records the listing and puts its supplies on the devices queue.
func (t *task) queue(ctx context.Context, listing entitlement.Listing) (job.Verdict, error) {
	crash.Here(crash.ListerListed)
	change, err := t.Entitlement.Update(ctx, t.entitlement(), listing)
	if err != nil {
		return job.Verdict{}, err
	}
	crash.Here(crash.ListerRecorded)
	if len(change.Ended) > 0 {
		t.log.Info("supplies are not listed any more", "supplies", len(change.Ended))
	}
	wanted, err := t.push(ctx, change.Supplies) // invariant 8: the account is done only after this
	if err != nil {
		return job.Verdict{}, err
	}
	for _, failed := range change.Failed {
		if err := t.fail(ctx, "distributor "+string(failed)+" did not answer"); err != nil {
			return job.Verdict{}, err
		}
	}
	t.count(wanted)
	crash.Here(crash.ListerDone)
	t.log.Info("account listed", "supplies", len(change.Supplies), "failed_distributors", len(change.Failed))
	return job.Verdict{}, nil
}

// push queues the supplies that a source wants, and counts them by source.
func (t *task) push(ctx context.Context, supplies []entitlement.Effective) (wanted map[string]int64, err error) {
	wanted = make(map[string]int64)
	for _, s := range supplies {
		sources := t.user.Wanting(s.CUPS)
		if len(sources) == 0 {
			continue
		}
		access := job.Access{
			Account: t.user.Account, Login: t.user.Login, NIF: t.user.NIF, Sources: sources,
			CUPS: s.CUPS, Distributor: s.Distributor, PointType: s.PointType, ValidFrom: s.ValidFrom,
			Supply: json.RawMessage(s.Raw),
		}
		if err := t.Devices.Merge(ctx, access); err != nil {
			return nil, err
		}
		crash.Here(crash.ListerQueued)
		for _, source := range sources {
			wanted[source]++
		}
	}
	return wanted, nil
}

// count counts a listed account and its supplies. It comes last: an account
// that is tried again is not counted twice.
func (t *task) count(wanted map[string]int64) {
	t.counts.Count(job.Accounts, 1)
	for _, source := range t.user.Sources() {
		t.counts.Count(job.PerSource(job.Accounts, source), 1)
		t.counts.Count(job.PerSource(job.Supplies, source), wanted[source])
	}
}

// entitlement names the account's listing.
func (t *task) entitlement() string { return t.user.Listing() }
