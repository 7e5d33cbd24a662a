package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

// Steer pauses, resumes or cancels a run, or an account in it. An account is
// paused and cancelled through its logins, since those are what takes turns. A
// view.Refusal says what is wrong with the order.
func (d *Desk) Steer(ctx context.Context, o view.Order) (view.Steered, error) {
	r, err := d.underWay(ctx, o.Run)
	if err != nil {
		return view.Steered{}, err
	}
	users, devices := d.Queues(r.ID)
	h := helm{desk: d, run: r, users: users, devices: devices}
	done := view.Steered{Action: o.Action, Run: r.ID}
	if o.Account == "" {
		done.Changed, err = h.whole(ctx, o.Action)
	} else {
		err = h.account(ctx, o, &done)
	}
	if err != nil {
		return view.Steered{}, err
	}
	for _, q := range []*queue.Queue{users, devices} {
		s, err := q.Stats(ctx)
		if err != nil {
			return view.Steered{}, err
		}
		done.Waiting += s.Waiting + s.Delayed
		done.Working += s.Leased
	}
	return done, nil
}

// underWay finds the run of an order.
func (d *Desk) underWay(ctx context.Context, id string) (run.Run, error) {
	if d.Registry == nil {
		return run.Run{}, view.Refusal("no run is under way: no engine works on this data folder")
	}
	all, err := d.Registry.Unfinished(ctx)
	if err != nil {
		return run.Run{}, err
	}
	if id != "" {
		all = slices.DeleteFunc(all, func(r run.Run) bool { return !strings.HasPrefix(r.ID, id) })
	}
	switch {
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0 && id == "":
		return run.Run{}, view.Refusal("no run is under way")
	case len(all) == 0:
		return run.Run{}, view.Refusal(fmt.Sprintf("no run %s is under way; `engine runs list` shows those that are", id))
	}
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = fmt.Sprintf("%s (%s)", r.ID, r.Policy)
	}
	return run.Run{}, view.Refusal("several runs are under way, name one of them: " + strings.Join(names, ", "))
}

// helm steers one run.
type helm struct {
	desk           *Desk
	run            run.Run
	users, devices *queue.Queue
}

// whole does something with the run itself, and tells whether that is new.
func (h helm) whole(ctx context.Context, action view.Action) (changed bool, err error) {
	if h.run.Cancelled && action != view.Cancel {
		return false, view.Refusal(fmt.Sprintf("run %s was cancelled, and ends; the next run goes on with what it leaves", h.run.ID))
	}
	if action == view.Cancel {
		return !h.run.Cancelled, h.desk.Registry.Cancel(ctx, h.run.ID)
	}
	for _, q := range []*queue.Queue{h.users, h.devices} {
		s, err := q.Stats(ctx)
		if err != nil {
			return changed, err
		}
		changed = changed || s.Paused != (action == view.Pause)
		switch action {
		case view.Pause:
			err = q.Pause(ctx)
		case view.Resume:
			err = q.Resume(ctx)
		default:
			err = view.Refusal(fmt.Sprintf("%q is no action", action))
		}
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// account does something with the logins of an account.
func (h helm) account(ctx context.Context, o view.Order, done *view.Steered) error {
	logins, err := h.logins(ctx, o.Account, done)
	if err != nil {
		return err
	}
	s, err := h.users.Stats(ctx)
	if err != nil {
		return err
	}
	for _, login := range logins {
		cancelled := slices.Contains(h.run.CancelledLogins, login)
		if cancelled && o.Action != view.Cancel {
			return view.Refusal(fmt.Sprintf("account %s was cancelled in run %s; the next run takes it up again", done.Account, h.run.ID))
		}
		switch o.Action {
		case view.Cancel:
			done.Changed = done.Changed || !cancelled
		default:
			done.Changed = done.Changed || slices.Contains(s.Held, login) != (o.Action == view.Pause)
		}
		if err := h.login(ctx, o.Action, login); err != nil {
			return err
		}
	}
	return nil
}

// login does something with what waits of a login. What is cancelled is held
// too, so that nobody takes it before it is taken out.
func (h helm) login(ctx context.Context, action view.Action, login string) error {
	for _, q := range []*queue.Queue{h.users, h.devices} {
		var err error
		switch action {
		case view.Pause, view.Cancel:
			err = q.Hold(ctx, login)
		case view.Resume:
			err = q.LetGo(ctx, login)
		default:
			err = view.Refusal(fmt.Sprintf("%q is no action", action))
		}
		if err != nil {
			return err
		}
	}
	if action == view.Cancel {
		return h.desk.Registry.CancelLogin(ctx, h.run.ID, login)
	}
	return nil
}

// logins finds the account whose id begins so, and its logins, and counts the
// other accounts that these have.
func (h helm) logins(ctx context.Context, id string, done *view.Steered) ([]string, error) {
	byAccount := make(map[string][]string)
	err := h.users.Each(ctx, func(item queue.ItemState) error {
		user, err := job.DecodeUser(item.Body)
		if err == nil && !slices.Contains(byAccount[user.Account], user.Login) { // else it is a dead letter
			byAccount[user.Account] = append(byAccount[user.Account], user.Login)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var found []string
	for account := range byAccount {
		if strings.HasPrefix(account, id) {
			found = append(found, account)
		}
	}
	if len(found) != 1 {
		return nil, view.Refusal(fmt.Sprintf("%d accounts of run %s have an id that begins with %q; `engine status --accounts` lists them", len(found), h.run.ID, id))
	}
	done.Account = found[0]
	logins := byAccount[found[0]]
	for _, login := range logins {
		done.Logins = append(done.Logins, login[:min(loginShown, len(login))])
	}
	for account, theirs := range byAccount {
		if account != found[0] && slices.ContainsFunc(theirs, func(l string) bool { return slices.Contains(logins, l) }) {
			done.Others++
		}
	}
	return logins, nil
}
