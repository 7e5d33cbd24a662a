package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/datadis-engine/datadis/engine/internal/downloader"
	"github.com/datadis-engine/datadis/engine/internal/hold"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/lister"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
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
type userQueue struct{ *queue.Queue }

// Merge implements producer.Queue.
func (q userQueue) Merge(ctx context.Context, user job.User) error {
	_, err := q.Queue.Merge(ctx, user.ID(), func(current []byte) (string, []byte, error) {
		body, err := job.UniteUser(current, user)
		return user.Login, body, err
	})
	return err
}

// deviceQueue is the devices queue as the lister sees it.
type deviceQueue struct{ *queue.Queue }

// Merge implements lister.Devices. A CUPS that no queue can hold is reported,
// and costs the account nothing else.
func (q deviceQueue) Merge(ctx context.Context, access job.Access) error {
	_, err := q.Queue.Merge(ctx, string(access.CUPS.Key()), func(current []byte) (string, []byte, error) {
		body, login, err := job.UniteDevice(current, access)
		return login, body, err
	})
	return err
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
	log *slog.Logger
}

// Accounts implements finisher.Deferred: nothing may be concluded from the
// grants of accounts that were not listed.
func (d deferred) Accounts(ctx context.Context, items []queue.Item) error {
	for _, item := range items {
		user, err := job.DecodeUser(item.Body)
		if err != nil {
			d.log.Warn("a waiting account cannot be read", "error", err)
			continue
		}
		for _, source := range user.Sources() {
			failed := sdk.FailedGrant{Source: source, NIF: user.NIF, Reason: "the run ended before the account was listed"}
			if err := d.Add(ctx, failed); err != nil {
				return err
			}
		}
	}
	return nil
}

// Devices implements finisher.Deferred: the ledger knows what is missing of
// them, and the next run goes on.
func (d deferred) Devices(_ context.Context, items []queue.Item) error {
	d.log.Warn("supplies were still waiting when the run ended; the next one goes on", "supplies", len(items))
	return nil
}

// deadLetters lists the dead letters of both queues.
func (q queues) deadLetters(ctx context.Context, runID string) ([]deadLetter, error) {
	var letters []deadLetter
	for _, one := range []struct {
		name    string
		queue   *queue.Queue
		sources func([]byte) []string
	}{{"users", q.users, userSources}, {"devices", q.devices, deviceSources}} {
		items, err := one.queue.Dead(ctx, queue.DeadFilter{})
		if err != nil {
			return nil, fmt.Errorf("dead letters of run %s: %w", runID, err)
		}
		for _, item := range items {
			letters = append(letters, deadLetter{
				Run: runID, Queue: one.name, ID: item.ID, Sources: one.sources(item.Body),
				Class: item.Class, Reason: item.Reason, Attempts: item.Attempts + item.Crashes,
				First: item.First, Last: item.Last, Body: string(item.Body),
			})
		}
	}
	return letters, nil
}

// userSources names the sources of an account; none if it cannot be read.
func userSources(body []byte) []string {
	user, err := job.DecodeUser(body)
	if err != nil {
		return nil
	}
	return user.Sources()
}

// deviceSources names the sources of a supply; none if it cannot be read.
func deviceSources(body []byte) []string {
	device, err := job.DecodeDevice(body)
	if err != nil {
		return nil
	}
	return device.Sources()
}
