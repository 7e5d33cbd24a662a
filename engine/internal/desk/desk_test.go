package desk_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/desk"
	"github.com/datadis-engine/datadis/engine/internal/entitlement"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/logging"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/store/storetest"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/sdk"
)

const cups = sdk.CUPS("ES0031000000000001BJ0F")

// office is a desk, and the run that it knows.
type office struct {
	*testing.T
	*desk.Desk
	client         redis.UniversalClient
	store          store.Store
	registry       *run.Registry
	run            run.Run
	users, devices *queue.Queue
	kept           []view.Run
}

func newOffice(t *testing.T, client redis.UniversalClient) *office {
	t.Helper()
	o := &office{T: t, client: client, store: store.NewRedis(client, "dd:")}
	o.registry = run.NewRegistry(client, time.Minute)
	var err error
	o.run, err = o.registry.Open(t.Context(), "producer", run.Spec{
		Policy: "last", Started: time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC), Life: time.Hour,
		From: sdk.NewMonth(2026, 10), To: sdk.NewMonth(2026, 11), Routes: map[string]sdk.Route{"north": {Topic: "n"}},
	})
	o.no(err)
	o.users, o.devices = o.queues(o.run.ID)
	o.Desk = desk.New(desk.Config{
		Store: o.store, Registry: o.registry, Queues: o.queues, Mask: logging.Mask,
		Finished: func(context.Context) ([]view.Run, error) { return o.kept, nil },
	})
	return o
}

func (o *office) queues(id string) (users, devices *queue.Queue) {
	options := queue.Options{Cap: 9}
	return queue.New(o.client, queue.Users, id, options), queue.New(o.client, queue.Devices, id, options)
}

func (o *office) no(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// bury makes a dead letter of a supply, and leaves another one waiting.
func (o *office) bury() {
	o.Helper()
	ctx := o.Context()
	user := job.User{Account: "acc1", Login: "login123456", Wants: []job.Want{{Source: "north"}}}
	body, err := user.Encode()
	o.no(err)
	_, err = o.users.Push(ctx, queue.Item{ID: user.ID(), Group: user.Login, Body: body})
	o.no(err)
	access := job.Access{Account: "acc1", Login: "login123456", Sources: []string{"north"}, CUPS: cups, Distributor: "2"}
	body, login, err := job.UniteDevice(nil, access, false)
	o.no(err)
	_, err = o.devices.Push(ctx, queue.Item{ID: string(cups.Key()), Group: login, Body: body})
	o.no(err)
	leases, err := o.devices.Claim(ctx, "worker", 1)
	o.no(err)
	o.no(leases[0].Bury(ctx, queue.Failure{Class: "unauthorised", Reason: "not for " + string(cups)}))
}

// seal ends the run.
func (o *office) seal() {
	o.Helper()
	ctx := o.Context()
	leases, err := o.users.Claim(ctx, "worker", 1)
	o.no(err)
	for _, l := range leases {
		o.no(l.Done(ctx))
	}
	o.no(o.users.Close(ctx))
	for _, q := range []*queue.Queue{o.users, o.devices} {
		if sealed, left, err := q.Seal(ctx); err != nil || !sealed {
			o.Fatalf("sealed %t, %d left, %v", sealed, left, err)
		}
	}
	o.no(o.registry.Finish(ctx, o.run.ID, sdk.Partial, time.Now()))
}

func (o *office) letters(f view.LetterFilter) []view.Letter {
	o.Helper()
	letters, err := o.Letters(o.Context(), f)
	o.no(err)
	return letters
}

// became retries or drops what is selected, and says what that came to.
func (o *office) became(act func(context.Context, view.LetterFilter) ([]view.Acted, error), f view.LetterFilter) string {
	o.Helper()
	acted, err := act(o.Context(), f)
	o.no(err)
	var words []string
	for _, one := range acted {
		words = append(words, one.Became+one.Reason)
	}
	return strings.Join(words, " ")
}

func each(t *testing.T, test func(o *office)) {
	t.Helper()
	redistest.EachAndCluster(t, func(t *testing.T, b *redistest.Backend) { test(newOffice(t, b.Client(t))) })
}

func TestStatus(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.kept = []view.Run{{ID: "20260101T000000-00000000", State: "finished", Outcome: "complete"}}
		o.bury()
		s, err := o.Status(o.Context())
		o.no(err)
		if len(s.Runs) != 2 || s.Runs[0].ID != o.run.ID || s.Runs[1].Outcome != "complete" {
			o.Fatalf("runs %+v", s.Runs)
		}
		r := s.Runs[0]
		if r.Over() || r.Accounts != (view.Progress{Total: 1}) || r.Supplies != (view.Progress{Done: 1, Total: 1}) || r.Dead != 1 || r.Sources[0].Name != "north" {
			o.Errorf("run %+v", r)
		}
		if len(s.Queues) != 2 || s.Queues[0].Waiting != 1 || s.Queues[1].Dead != 1 || s.DeadLetters != 1 || s.HandedOver != 0 {
			o.Errorf("queues %+v, %d dead, %d handed over", s.Queues, s.DeadLetters, s.HandedOver)
		}
		o.seal()
		s, err = o.Status(o.Context())
		o.no(err)
		if !s.Runs[0].Over() || s.Runs[0].Outcome != "partial" || len(s.Queues) != 0 {
			o.Errorf("sealed: %+v, queues %+v", s.Runs[0], s.Queues)
		}
	})
}

func TestRetryInAnOpenRun(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.bury()
		if got := o.became(o.Retry, view.LetterFilter{CUPS: string(cups)}); got != "retried" {
			o.Errorf("became %q", got)
		}
		stats, err := o.devices.Stats(o.Context())
		o.no(err)
		if stats.Waiting != 1 || len(o.letters(view.LetterFilter{})) != 0 {
			o.Errorf("waiting %d, letters %+v", stats.Waiting, o.letters(view.LetterFilter{}))
		}
	})
}

// A dead item of a run that is over goes to the next one, once, and is never
// lost in between.
func TestRetryOfASealedRunIsHandedOver(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.bury()
		o.seal()
		ctx := o.Context()
		for range 2 { // asking twice is as good as once
			if got := o.became(o.Retry, view.LetterFilter{Class: "unauthorised"}); got != "handed_over" {
				o.Errorf("became %q", got)
			}
		}
		letters := o.letters(view.LetterFilter{Run: o.run.ID, Account: "acc"})
		if len(letters) != 1 || letters[0].HandedOver.IsZero() || letters[0].Body == "" || letters[0].Reason == "" {
			o.Fatalf("letters %+v", letters)
		}
		id := string(cups.Key())
		handover := desk.NewHandover(o.store)
		for _, other := range []string{"ES0031000000000009XX", ""} {
			if waiting, err := handover.Waiting(ctx, view.Devices, other); waiting || err != nil {
				o.Errorf("%q waits: %t, %v", other, waiting, err)
			}
		}
		if waiting, err := handover.Waiting(ctx, view.Devices, id); !waiting || err != nil {
			o.Errorf("the supply waits: %t, %v", waiting, err)
		}
		if len(o.letters(view.LetterFilter{})) != 1 {
			o.Error("looking whether it waits took the letter")
		}
		o.no(handover.Taken(ctx, view.Devices, id))
		if waiting, err := handover.Waiting(ctx, view.Devices, id); waiting || err != nil || len(o.letters(view.LetterFilter{})) != 0 {
			o.Errorf("taken, and it waits: %t, %v", waiting, err)
		}
	})
}

func TestDropForgetsEverywhere(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.bury()
		o.seal()
		letters := o.letters(view.LetterFilter{})
		o.no(desk.Letters{Store: o.store}.Save(o.Context(), o.run.ID, letters...)) // as when a run ends
		if n := len(o.letters(view.LetterFilter{})); n != 1 {
			o.Fatalf("%d letters, where one lies in two places", n)
		}
		if got := o.became(o.Drop, view.LetterFilter{Letter: letters[0].Letter}); got != "dropped" {
			o.Errorf("became %q", got)
		}
		dead, err := o.devices.Dead(o.Context(), queue.DeadFilter{})
		if err != nil || len(dead) != 0 || len(o.letters(view.LetterFilter{})) != 0 {
			o.Errorf("dead %v, %v", dead, err)
		}
	})
}

// In local mode the queues are gone when the process is: what it kept can still
// be handed over.
func TestLettersOfAFile(t *testing.T) {
	t.Parallel()
	file := storetest.Bolt(t)
	d := desk.New(desk.Config{Store: file, Finished: func(context.Context) ([]view.Run, error) { return nil, nil }})
	ctx := t.Context()
	if err := (desk.Letters{Store: file}).Save(ctx, "r1", view.Letter{Run: "r1", Queue: view.Devices, ID: string(cups.Key())}); err != nil {
		t.Fatal(err)
	}
	acted, err := d.Retry(ctx, view.LetterFilter{})
	if err != nil || len(acted) != 1 || acted[0].Became != "handed_over" {
		t.Fatalf("acted %+v, %v", acted, err)
	}
	s, err := d.Status(ctx)
	if err != nil || s.DeadLetters != 1 || s.HandedOver != 1 {
		t.Errorf("status %+v, %v", s, err)
	}
	if acted, err = d.Drop(ctx, view.LetterFilter{}); err != nil || acted[0].Became != "dropped" {
		t.Errorf("acted %+v, %v", acted, err)
	}
	if letters, err := d.Letters(ctx, view.LetterFilter{}); err != nil || len(letters) != 0 {
		t.Errorf("letters %+v, %v", letters, err)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	each(t, func(o *office) {
		o.bury()
		register := entitlement.NewRegister(o.store)
		listed := time.Date(2026, 11, 24, 2, 5, 0, 0, time.UTC)
		for _, name := range []string{"acc1.login123", "old.loginold"} {
			_, err := register.Update(o.Context(), name, entitlement.Listing{At: listed, Whole: true, Distributors: map[sdk.Distributor]entitlement.Result{
				"2": {Supplies: []entitlement.Supply{{CUPS: cups, Distributor: "2"}}},
			}})
			o.no(err)
		}
		accounts, err := o.Accounts(o.Context())
		o.no(err)
		if len(accounts) != 2 {
			o.Fatalf("accounts %+v", accounts)
		}
		a, old := accounts[0], accounts[1]
		if a.ID != "acc1" || a.Login != "login123" || a.State != "waiting" || !a.Own || a.Supplies != 1 || !a.ListedAt.Equal(listed) {
			o.Errorf("the account of the run: %+v", a)
		}
		if old.ID != "old" || old.State != "" || old.Supplies != 1 {
			o.Errorf("an account of an older run: %+v", old)
		}
	})
}

func TestServersThatAreGoneAreAnError(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	o := newOffice(t, server.Backend().Client(t))
	server.Kill()
	if _, err := o.Status(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("status without Redis: %v", err)
	}
}
