package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/sdk"
)

// accounts lists the accounts of the newest run by their ids.
func (f *fleet) accounts() map[string]view.Account {
	f.Helper()
	all := make(map[string]view.Account)
	for _, a := range asJSON[[]view.Account](f.stage, "status", "--accounts") {
		all[a.ID] = a
	}
	return all
}

// newest is the newest run as `engine runs list` shows it.
func (f *fleet) newest() view.Run {
	f.Helper()
	return asJSON[[]view.Run](f.stage, "runs", "list", "--runs", "1")[0]
}

// steer gives an order that is to be followed.
func (f *fleet) steer(args ...string) view.Steered {
	f.Helper()
	return asJSON[view.Steered](f.stage, append([]string{"runs"}, args...)...)
}

// ended is how a run ended, once it has.
func (f *fleet) ended(run string) envelope.Finished {
	f.Helper()
	ends := f.finished()[run]
	if len(ends) != 1 {
		f.Fatalf("run %s ended %d times", run, len(ends))
	}
	return ends[0]
}

// On real servers, a paused account is not worked on while the others are; a
// cancelled one leaves a partial run; a cancelled run is aborted, and says of
// which grants nothing may be concluded; and the next run makes all of it good.
func TestRunsAreSteered(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Config{Seed: 47, Accounts: 3, Supplies: 2})
	f.start("producer").finish()
	accounts := f.accounts()
	held := ""
	for id := range accounts {
		held = max(held, id)
	}
	paused := f.steer("pause", "--account", held)
	if paused.Account != held || !paused.Changed || paused.Waiting != int64(len(accounts)) {
		t.Errorf("paused %+v", paused)
	}
	theirs := int64(1 + paused.Others)
	if again := f.steer("pause", "--account", held[:12]); again.Changed {
		t.Errorf("paused again: %+v", again)
	}

	consumer := f.start("consumer", "--once")
	f.until("all that is not paused is done", func() bool {
		r := f.newest()
		return r.Accounts.Done == r.Accounts.Total-theirs && r.Supplies.Total > 0 && r.Supplies.Done == r.Supplies.Total
	})
	if a := f.accounts()[held]; a.State != "waiting" || !a.Paused {
		t.Errorf("the paused account is %+v", a)
	}
	if got := f.command("status"); !strings.Contains(got.stdout, "paused in it: the accounts of 1 logins") {
		t.Errorf("status says nothing of it: %s", got.stdout)
	}
	if done := f.steer("cancel", "--account", held); !done.Changed {
		t.Errorf("cancelled %+v", done)
	}
	consumer.finish()
	first := f.newest().ID
	end := f.ended(first)
	if end.Outcome != sdk.Partial || end.Counts["users_deferred"] != theirs || len(end.FailedGrants) == 0 || !strings.Contains(end.FailedGrants[0].Reason, "cancelled") {
		t.Errorf("the run with a cancelled account ended %+v", end)
	}

	f.start("producer").finish()
	second := f.steer("pause")
	if second.Run == first || !second.Changed {
		t.Fatalf("paused %+v", second)
	}
	if got := f.command("runs", "list"); !strings.Contains(got.stdout, "paused") {
		t.Errorf("the list does not say it: %s", got.stdout)
	}
	consumer = f.start("consumer", "--once")
	f.until("the consumer works on the run", func() bool { return strings.Contains(consumer.stderr.String(), "working on a run") })
	if done := f.steer("cancel", second.Run[:15]); done.Run != second.Run || done.Working != 0 {
		t.Errorf("cancelled %+v: it was worked on while it was paused", done)
	}
	consumer.finish()
	if end := f.ended(second.Run); end.Outcome != sdk.Aborted || end.Counts["users_done"] != 0 || len(end.FailedGrants) < len(accounts) {
		t.Errorf("the cancelled run ended %+v", end)
	}

	f.start("producer").finish()
	f.steer("pause")
	consumer = f.start("consumer", "--once")
	if done := f.steer("resume"); !done.Changed {
		t.Errorf("resumed %+v", done)
	}
	consumer.finish()
	if end := f.ended(f.newest().ID); end.Outcome != sdk.Complete {
		t.Errorf("the last run ended %+v", end)
	}
	if repeats := f.checkTopics(); repeats != 0 {
		t.Errorf("%d messages were published twice", repeats)
	}
}

// In local mode the running engine is told, over its socket: what is in hand is
// finished, and nothing else is begun.
func TestRunsAreSteeredInLocalMode(t *testing.T) {
	t.Parallel()
	f := local(t, 48)
	if got := f.command("runs", "pause"); got.code != codeFailed || !strings.Contains(got.stderr, "nothing was run here yet") {
		t.Errorf("pause of nothing: %d %s", got.code, got.stderr)
	}
	f.environ = append(f.environ, "DATADIS_RUN_WORKERS=1") // all wait behind the call that hangs
	engine := f.start("run", "--users", f.path("users.csv"), "--out", f.path("out"), "--output", "json")
	f.served(engine)
	f.until("a supply is in hand, and others wait", func() bool {
		s := asJSON[view.Status](f.stage, "status")
		return len(s.Queues) == 2 && s.Queues[1].Leased == 1 && s.Queues[1].Waiting > 0 && s.Runs[0].Accounts.Done == s.Runs[0].Accounts.Total
	})
	if done := f.steer("pause"); !done.Changed || done.Working != 1 || done.Waiting == 0 {
		t.Errorf("paused %+v", done)
	}
	if r := f.newest(); !r.Paused || len(r.Notes) != 1 {
		t.Errorf("paused, it is %+v", r)
	}
	for _, c := range []struct{ args, want string }{
		{"runs resume 19990101", "no run 19990101 is under way"},
		{"runs pause --account zzz", `0 accounts of run`},
	} {
		if got := f.command(strings.Fields(c.args)...); got.code != codeFailed || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: %d %s", c.args, got.code, got.stderr)
		}
	}
	f.simulator.LetGo()
	f.until("what was in hand is done", func() bool {
		s := asJSON[view.Status](f.stage, "status")
		return s.Queues[1].Leased == 0
	})
	waiting := f.steer("cancel").Waiting
	if waiting == 0 {
		t.Error("the paused run was worked on")
	}
	engine.finish()
	var result summary
	if err := json.Unmarshal([]byte(engine.stdout.String()), &result); err != nil || result.Outcome != sdk.Aborted || result.Counts["devices_deferred"] < 1 {
		t.Errorf("the run ended %+v, %v", result, err)
	}
	if got := f.command("runs", "resume"); got.code != codeFailed || !strings.Contains(got.stderr, "no run is under way") {
		t.Errorf("resume of nothing: %d %s", got.code, got.stderr)
	}
	again, _ := f.run("--users", f.path("users.csv"))
	if d := f.difference("users"); again.Outcome == sdk.Aborted || !d.None() {
		t.Errorf("the next run: %s, %s", again.Outcome, d)
	}
}
