package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/datadis-engine/datadis/engine/internal/desk"
	"github.com/datadis-engine/datadis/engine/internal/downloader"
	"github.com/datadis-engine/datadis/engine/internal/hold"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/lister"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/vault"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/sdk"
)

// queues are the two queues of a run.
type queues struct{ users, devices *queue.Queue }

// attempts are more than a step asks for: the step decides when to stop.
const attempts = 50

func openQueues(s *settings.Settings, sv *servers, runID string, log *slog.Logger) queues {
	options := queue.Options{
		Lease: s.Run.Lease, Cap: s.Datadis.MaxInFlightPerLogin, MaxAttempts: attempts, Log: log,
	}
	return queues{
		users:   queue.New(sv.users, queue.Users, runID, options),
		devices: queue.New(sv.devices, queue.Devices, runID, options),
	}
}

// userQueue is the users queue as the producer sees it.
type userQueue struct {
	*queue.Queue
	handover *desk.Handover // dead accounts that are to be tried again
}

// Merge implements producer.Queue.
func (q userQueue) Merge(ctx context.Context, user job.User) error {
	if err := q.merge(ctx, user); err != nil {
		return err
	}
	again, err := q.handover.Waiting(ctx, view.Users, user.ID())
	if err != nil || !again {
		return err
	}
	return q.handover.Taken(ctx, view.Users, user.ID())
}

func (q userQueue) merge(ctx context.Context, user job.User) error {
	_, err := q.Queue.Merge(ctx, user.ID(), func(current []byte) (string, []byte, error) {
		body, err := job.UniteUser(current, user)
		return user.Login, body, err
	})
	return err
}

// deviceQueue is the devices queue as the lister sees it.
type deviceQueue struct {
	*queue.Queue
	handover *desk.Handover // dead supplies that are to be tried again
}

// Merge implements lister.Devices. A CUPS that no queue can hold is reported,
// and costs the account nothing else.
func (q deviceQueue) Merge(ctx context.Context, access job.Access) error {
	id := string(access.CUPS.Key())
	again, err := q.handover.Waiting(ctx, view.Devices, id)
	if err != nil {
		return err
	}
	_, err = q.Queue.Merge(ctx, id, func(current []byte) (string, []byte, error) {
		body, login, err := job.UniteDevice(current, access, again)
		return login, body, err
	})
	if err != nil || !again {
		return err
	}
	return q.handover.Taken(ctx, view.Devices, id)
}

var _ lister.Devices = deviceQueue{}

// holds are the holds of supplies as the downloader takes them.
type holds struct{ *hold.Holds }

// Take implements downloader.Holds.
func (h holds) Take(ctx context.Context, cups sdk.CUPS) (context.Context, func(), error) {
	held, release, err := h.Holds.Take(ctx, string(cups.Key()))
	if errors.Is(err, hold.ErrHeld) {
		err = downloader.ErrBusy
	}
	return held, release, err
}

var _ downloader.Holds = holds{}

// failures is where the lister notes failed grants.
type failures struct {
	registry *runs.Registry
	run      string
}

// Add implements lister.Failures.
func (f failures) Add(ctx context.Context, failed ...sdk.FailedGrant) error {
	return f.registry.Fail(ctx, f.run, failed...)
}

// deferred records what was still waiting when a run was ended early.
type deferred struct {
	failures
	credentials *vault.Credentials
	log         *slog.Logger
}

// Accounts implements finisher.Deferred: nothing may be concluded from the
// grants of accounts that were not listed.
func (d deferred) Accounts(ctx context.Context, reason string, items []queue.Item) error {
	for _, item := range items {
		user, err := job.DecodeUser(item.Body)
		if err != nil {
			d.log.Warn("a waiting account cannot be read", "error", err)
			continue
		}
		username, err := d.username(ctx, user.Login)
		if err != nil {
			return err
		}
		for _, source := range user.Sources() {
			failed := sdk.FailedGrant{Source: source, Username: username, NIF: user.NIF, Reason: "the account was not listed: " + reason}
			if err := d.Add(ctx, failed); err != nil {
				return err
			}
		}
	}
	return nil
}

// username is whose account it is; "" if the credentials are gone, or encrypted
// with a key that this process does not have.
func (d deferred) username(ctx context.Context, login string) (sdk.NIF, error) {
	credential, err := d.credentials.Get(ctx, login)
	for _, tolerable := range []error{vault.ErrNoCredentials, vault.ErrUnknownKey, vault.ErrBroken} {
		if errors.Is(err, tolerable) {
			d.log.Warn("a failed grant has no user name", "error", err)
			return "", nil
		}
	}
	return sdk.NIF(credential.Username), err
}

// Devices implements finisher.Deferred: the ledger knows what is missing of
// them, and the next run goes on.
func (d deferred) Devices(_ context.Context, reason string, items []queue.Item) error {
	d.log.Warn("supplies were still waiting; the next run goes on", "supplies", len(items), "reason", reason)
	return nil
}

// deadLetters lists the dead letters of both queues.
func (q queues) deadLetters(ctx context.Context, runID string) ([]deadLetter, error) {
	return desk.Dead(ctx, runID, q.users, q.devices)
}
