// Package finisher ends a run when nothing of it is outstanding: it seals both
// queues, announces the end, and erases the credentials. Every process that
// works on the run has a Finisher; whichever comes first does each step, and if
// it dies another goes on.
package finisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/sdk"
)

// Control announces the end of a run.
type Control interface {
	// Mark says in the data topics that nothing more comes, where readers of an
	// older kind wait for that.
	Mark(ctx context.Context, run run.Run) error
	// EndOffsets of all topics of the run: what was published of it lies below.
	EndOffsets(ctx context.Context, run run.Run) (envelope.EndOffsets, error)
	Finish(ctx context.Context, finished envelope.Finished) error
}

// Deferred is told of what waits and is not done in this run, and why, before
// the end is announced; more than once if the process that does so dies.
type Deferred interface {
	Accounts(ctx context.Context, reason string, items []queue.Item) error
	Devices(ctx context.Context, reason string, items []queue.Item) error
}

// Why items are deferred.
const (
	runEnded       = "the run was ended before its turn came"
	loginCancelled = "it was cancelled in this run"
)

// Config of a Finisher.
type Config struct {
	Run      string
	Process  string // names this process
	Registry *run.Registry
	Users    *queue.Queue
	Devices  *queue.Queue
	Control  Control
	Deferred Deferred
	Erase    func(context.Context) error // the credentials
	Sweep    func(context.Context) error // what is left of runs that ended long ago
	Now      func() time.Time
	Logger   *slog.Logger
}

// Finisher of one run.
type Finisher struct{ Config }

// New returns a Finisher.
func New(config Config) *Finisher { return &Finisher{config} }

// lookEvery is how often a Finisher looks whether the run is over.
const lookEvery = 500 * time.Millisecond

// Run returns when the run is finished, by this process or another, or when the
// context ends.
func (f *Finisher) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		finished, err := f.look(ctx)
		if finished {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			f.Logger.Warn("cannot see whether the run is over; looking again", "error", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// look takes the run as far towards its end as it can be taken now.
func (f *Finisher) look(ctx context.Context) (finished bool, err error) {
	r, err := f.Registry.Get(ctx, f.Config.Run)
	if err != nil || r.State == run.Finished {
		return err == nil, err
	}
	early, err := f.early(ctx, r)
	if err == nil && !early {
		err = f.leaveOut(ctx, r)
	}
	if err != nil {
		return false, err
	}
	sealed, err := f.seal(ctx, early)
	if err != nil || !sealed {
		return false, err
	}
	mine, err := f.Registry.Announce(ctx, r.ID, f.Process)
	if err != nil || !mine {
		return false, err
	}
	// Another may have done it since the run was looked at; and a producer may
	// have brought more sources.
	if r, err = f.Registry.Get(ctx, r.ID); err != nil || r.State == run.Finished {
		return err == nil, err
	}
	err = f.announce(ctx, r, early)
	return err == nil, err
}

// early tells whether the run is to be ended as it is: cancelled, or past its
// deadline. What still waits is then taken out.
func (f *Finisher) early(ctx context.Context, r run.Run) (bool, error) {
	overdue, err := f.Registry.Overdue(ctx, r)
	if err != nil || !overdue && !r.Cancelled {
		return false, err
	}
	return true, f.deferAll(func(q *queue.Queue) ([]queue.Item, error) { return q.DeferAll(ctx, deferAtOnce) })
}

// leaveOut takes out what waits of logins that were cancelled. A lister may add
// to it as long as it works on one of their accounts, so this is done at every
// look.
func (f *Finisher) leaveOut(ctx context.Context, r run.Run) error {
	for _, login := range r.CancelledLogins {
		err := f.deferAll(func(q *queue.Queue) ([]queue.Item, error) { return q.DeferGroup(ctx, login, deferAtOnce) })
		if err != nil {
			return err
		}
	}
	return nil
}

// deferAtOnce bounds how much is taken out in one step.
const deferAtOnce = 100

// deferAll takes items out of both queues until there are none.
func (f *Finisher) deferAll(take func(*queue.Queue) ([]queue.Item, error)) error {
	for _, q := range []*queue.Queue{f.Users, f.Devices} {
		for {
			items, err := take(q)
			if err != nil {
				return err
			}
			if len(items) == 0 {
				break
			}
		}
	}
	return nil
}

// tell tells of what was taken out. It looks at the queues, not at what this
// process took out: another may have done so, and died.
func (f *Finisher) tell(ctx context.Context, r run.Run, early bool) error {
	reason := func(item queue.ItemState) string {
		switch {
		case item.State != "deferred":
			return ""
		case slices.Contains(r.CancelledLogins, item.Group):
			return loginCancelled
		case early:
			return runEnded
		default: // by its step, which has said why
			return ""
		}
	}
	return errors.Join(
		tell(ctx, f.Users, reason, f.Deferred.Accounts),
		tell(ctx, f.Devices, reason, f.Deferred.Devices),
	)
}

func tell(ctx context.Context, q *queue.Queue, reason func(queue.ItemState) string, told func(context.Context, string, []queue.Item) error) error {
	items := make(map[string][]queue.Item)
	hand := func(why string, least int) error {
		if len(items[why]) < least {
			return nil
		}
		err := told(ctx, why, items[why])
		delete(items, why)
		return err
	}
	err := q.Each(ctx, func(item queue.ItemState) error {
		why := reason(item)
		if why == "" {
			return nil
		}
		items[why] = append(items[why], item.Item)
		return hand(why, deferAtOnce)
	})
	return errors.Join(err, hand(runEnded, 1), hand(loginCancelled, 1))
}

// seal seals the users queue, and then the devices queue (invariant 9). A device is queued
// before its user is done: once the first is sealed with nothing outstanding,
// no new device can appear, so this order is what makes the second seal final.
func (f *Finisher) seal(ctx context.Context, early bool) (bool, error) {
	producing, err := f.Registry.Producing(ctx, f.Config.Run)
	if err != nil || producing && !early {
		return false, err
	}
	if err := f.Users.Close(ctx); err != nil {
		return false, err
	}
	sealed, _, err := f.Users.Seal(ctx)
	if err != nil || !sealed {
		return false, err
	}
	if err := f.Registry.Seal(ctx, f.Config.Run); err != nil {
		return false, err
	}
	crash.Here(crash.UsersSealed)
	sealed, _, err = f.Devices.Seal(ctx)
	if sealed {
		crash.Here(crash.DevicesSealed)
	}
	return sealed, err
}

// Invariant 10: announce publishes the end of the run, erases its credentials, and only then
// marks it as finished: if this process dies in between, another does it all
// again, and announces the end under the same key.
func (f *Finisher) announce(ctx context.Context, r run.Run, early bool) error {
	finished, err := f.finished(ctx, r, early)
	if err != nil {
		return err
	}
	if err := f.Control.Finish(ctx, finished); err != nil {
		return fmt.Errorf("announce the end of run %s: %w", r.ID, err)
	}
	crash.Here(crash.Announced)
	if err := f.Erase(ctx); err != nil {
		return err
	}
	if err := f.Registry.Finish(ctx, r.ID, finished.Outcome, finished.Finished); err != nil {
		return err
	}
	crash.Here(crash.Finished)
	f.Logger.Info("run finished", "outcome", finished.Outcome)
	if err := f.Sweep(ctx); err != nil {
		f.Logger.Warn("older runs were not cleared away; the next run's end does it", "error", err)
	}
	return nil
}

// finished is what there is to say of the run at its end.
func (f *Finisher) finished(ctx context.Context, r run.Run, early bool) (none envelope.Finished, err error) {
	if early || len(r.CancelledLogins) > 0 {
		if err := f.tell(ctx, r, early); err != nil {
			return none, fmt.Errorf("note what run %s leaves to the next one: %w", r.ID, err)
		}
	}
	counts, outcome, err := f.outcome(ctx, r, early)
	if err != nil {
		return none, err
	}
	failed, err := f.Registry.Failed(ctx, r.ID)
	if err != nil {
		return none, err
	}
	if outcome == sdk.Complete && len(failed) > 0 {
		outcome = sdk.Partial
	}
	if err := f.Control.Mark(ctx, r); err != nil {
		return none, fmt.Errorf("mark the end of run %s: %w", r.ID, err)
	}
	ends, err := f.Control.EndOffsets(ctx, r)
	if err != nil {
		return none, fmt.Errorf("end offsets of run %s: %w", r.ID, err)
	}
	return envelope.Finished{
		Run: r.ID, Policy: r.Policy, Started: r.Started, Finished: f.Now(), Routes: r.Routes,
		Outcome: outcome, Counts: counts, FailedGrants: failed, EndOffsets: ends,
	}, nil
}

// outcome sums up both queues. Invariant 14: what failed makes it partial.
func (f *Finisher) outcome(ctx context.Context, r run.Run, early bool) (map[string]int64, sdk.Outcome, error) {
	users, errUsers := f.Users.Stats(ctx)
	devices, errDevices := f.Devices.Stats(ctx)
	if err := errors.Join(errUsers, errDevices); err != nil {
		return nil, "", err
	}
	counts := Counts(users, devices)
	incomplete := users.Deferred + users.Dead + devices.Deferred + devices.Dead + counts[job.Left]
	switch {
	case early:
		return counts, sdk.Aborted, nil
	case incomplete > 0 || len(r.FailedSources) > 0 || r.LostProducer:
		return counts, sdk.Partial, nil
	default:
		return counts, sdk.Complete, nil
	}
}

// Counts are the counters of a run: those of the steps, and those of the
// queues.
func Counts(users, devices queue.Stats) map[string]int64 {
	counts := maps.Clone(users.Counters)
	if counts == nil {
		counts = make(map[string]int64)
	}
	for name, n := range devices.Counters {
		counts[name] += n
	}
	for name, stats := range map[string]queue.Stats{"users": users, "devices": devices} {
		counts[name+"_enqueued"] = stats.Enqueued
		counts[name+"_done"] = stats.Done
		counts[name+"_deferred"] = stats.Deferred
		counts[name+"_dead"] = stats.Dead
		counts[name+"_reclaimed"] = stats.Reclaimed
	}
	return counts
}
