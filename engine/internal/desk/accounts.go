package desk

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

// Accounts lists the accounts of the newest run, and those of which a listing
// is kept, by id. It looks at each of them.
func (d *Desk) Accounts(ctx context.Context) ([]view.Account, error) {
	known := make(map[string]view.Account)
	if err := d.queued(ctx, known); err != nil {
		return nil, err
	}
	names, err := d.listed.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		supplies, err := d.listed.Current(ctx, name)
		if err != nil {
			return nil, err
		}
		id, login, _ := strings.Cut(name, ".")
		account, ok := known[name]
		if !ok {
			account = view.Account{ID: id, Login: login}
		}
		account.Supplies = len(supplies)
		for _, s := range supplies {
			if s.Stale {
				account.Stale++
			}
			if s.ListedAt.After(account.ListedAt) {
				account.ListedAt = s.ListedAt
			}
		}
		known[name] = account
	}
	return slices.SortedFunc(maps.Values(known), func(a, b view.Account) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Login, b.Login))
	}), nil
}

// loginShown is how much of a login's id names it beside the account's.
const loginShown = 8

// queued adds the accounts on the users queue of the newest run.
func (d *Desk) queued(ctx context.Context, known map[string]view.Account) error {
	newest, ok, err := d.newest(ctx)
	if err != nil || !ok {
		return err
	}
	users, _ := d.Queues(newest.ID)
	stats, err := users.Stats(ctx)
	if err != nil {
		return err
	}
	return users.Each(ctx, func(item queue.ItemState) error {
		user, err := job.DecodeUser(item.Body)
		if err != nil {
			return nil // it is, or will be, a dead letter
		}
		login := user.Login[:min(loginShown, len(user.Login))]
		known[user.Account+"."+login] = view.Account{
			ID: user.Account, Login: login, State: item.State, Sources: user.Sources(),
			Own: user.NIF == "", Attempts: item.Attempts, Paused: slices.Contains(stats.Held, user.Login),
		}
		return nil
	})
}

func (d *Desk) newest(ctx context.Context) (run.Run, bool, error) {
	if d.Registry == nil {
		return run.Run{}, false, nil
	}
	runs, err := d.Registry.Recent(ctx, 1)
	if err != nil || len(runs) == 0 {
		return run.Run{}, false, err
	}
	return runs[0], true, nil
}
