package lister

import (
	"context"
	"fmt"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/login"
	"github.com/datadis-engine/datadis/sdk"
)

// known decides without asking Datadis, where the login's state says enough.
func (t *task) known(ctx context.Context) (verdict job.Verdict, over bool, err error) {
	state, err := t.Logins.State(ctx, t.user.Login)
	if err != nil {
		return job.Verdict{}, false, err
	}
	switch state.Kind {
	case login.Accepted:
		return job.Verdict{}, false, nil
	case login.Rejected:
		// Whoever learned it may not have come to write it down.
		if _, err := t.Streaks.Rejected(ctx, t.user.Login, t.Run); err != nil {
			return job.Verdict{}, false, err
		}
		verdict, err = t.rejected(ctx, "the user name or the password is wrong")
		return verdict, true, err
	case login.Refused:
		if rest := time.Until(state.Until); rest > 0 { // Redis time, as leases
			return job.Verdict{Action: job.Release, Delay: rest}, true, nil
		}
		return job.Verdict{}, false, nil
	}
	until, resting, err := t.Streaks.Resting(ctx, t.user.Login)
	if err != nil || !resting {
		return job.Verdict{}, false, err
	}
	verdict, err = t.rejected(ctx, "rejected in three runs in a row; asked again after "+until.UTC().Format(time.RFC3339))
	return verdict, true, err
}

// refused notes that Datadis refused the login. Datadis sometimes refuses good
// ones, so the account comes back once more, after the others.
func (t *task) refused(ctx context.Context) (job.Verdict, error) {
	state, first, err := t.Logins.Refuse(ctx, t.user.Login)
	if err != nil {
		return job.Verdict{}, err
	}
	if state.Kind == login.Refused {
		t.log.Warn("login refused; it is tried once more", "at", state.Until.UTC().Format(time.RFC3339))
		return job.Verdict{Action: job.Release, Delay: max(time.Until(state.Until), time.Millisecond)}, nil
	}
	if first {
		if err := t.reject(ctx); err != nil {
			return job.Verdict{}, err
		}
	}
	return t.rejected(ctx, "the user name or the password is wrong")
}

// reject counts a rejected login, once in the run.
func (t *task) reject(ctx context.Context) error {
	t.countLogin(job.Rejected) // also if the rest fails: nobody else is told that it is the first
	streak, err := t.Streaks.Rejected(ctx, t.user.Login, t.Run)
	if err != nil {
		return err
	}
	t.log.Error("login rejected", "sources", t.user.LoginSources, "runs_in_a_row", streak)
	return nil
}

// rejected ends an account whose login is rejected: it is entitled to nothing.
func (t *task) rejected(ctx context.Context, reason string) (job.Verdict, error) {
	ended, err := t.Entitlement.Revoke(ctx, t.entitlement())
	if err != nil {
		return job.Verdict{}, err
	}
	if len(ended) > 0 {
		t.log.Info("the account is entitled to nothing any more", "supplies", len(ended))
	}
	return job.Verdict{}, t.fail(ctx, reason)
}

// unauthorised ends an account whose holder did not authorise the login, or
// does not any more.
func (t *task) unauthorised(ctx context.Context, cause error) (job.Verdict, error) {
	if err := t.accepted(ctx); err != nil {
		return job.Verdict{}, err
	}
	t.log.Warn("the account may not be listed", "error", cause)
	return t.rejected(ctx, "not authorised")
}

// accepted notes that the login works, for the other processes and runs.
func (t *task) accepted(ctx context.Context) error {
	state, err := t.Logins.State(ctx, t.user.Login)
	if err != nil || state.Kind == login.Accepted {
		return err
	}
	if err := t.Streaks.Accepted(ctx, t.user.Login); err != nil {
		return err
	}
	first, err := t.Logins.Accept(ctx, t.user.Login)
	if first {
		t.countLogin(job.Logins)
	}
	return err
}

// countLogin counts the login once, for each source that holds it.
func (t *task) countLogin(counter string) {
	t.counts.Count(counter, 1)
	for _, source := range t.user.LoginSources {
		t.counts.Count(job.PerSource(counter, source), 1)
	}
}

// giveUp ends an account that could not be listed in this run. What it saw
// last is still its own.
func (t *task) giveUp(ctx context.Context, cause error) job.Verdict {
	t.log.Error("account not listed in this run", "error", cause)
	err := t.fail(ctx, "not listed: "+cause.Error())
	if err == nil {
		err = t.stale(ctx)
	}
	if err != nil {
		return job.Verdict{Action: job.Retry, Delay: keyDelay, Failure: job.Failure{Class: "listing_failed", Reason: err.Error()}}
	}
	return job.Verdict{Action: job.Defer, Failure: job.Failure{Class: class(cause), Reason: cause.Error()}}
}

// stale queues what the account saw last.
func (t *task) stale(ctx context.Context) error {
	supplies, err := t.Entitlement.Current(ctx, t.entitlement())
	if err != nil {
		return err
	}
	_, err = t.push(ctx, supplies)
	return err
}

// fail notes the account's grants as failed, one for each source.
func (t *task) fail(ctx context.Context, reason string) error {
	failed := make([]sdk.FailedGrant, 0, len(t.user.Wants))
	for _, source := range t.user.Sources() {
		failed = append(failed, sdk.FailedGrant{Source: source, Username: t.username, NIF: t.user.NIF, Reason: reason})
	}
	if err := t.Failures.Add(ctx, failed...); err != nil {
		return fmt.Errorf("note a failed grant: %w", err)
	}
	return nil
}
