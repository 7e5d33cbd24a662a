package main

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/vault"
	"github.com/datadis-engine/datadis/sdk"
)

// registered is a registry of runs, and its Redis.
func registered(t *testing.T) (redis.UniversalClient, *runs.Registry) {
	t.Helper()
	client := redistest.Mini(t).Client(t)
	return client, runs.NewRegistry(client, time.Minute)
}

func openRun(t *testing.T, registry *runs.Registry, policy string, finished bool) string {
	t.Helper()
	run, err := registry.Open(t.Context(), "p", runs.Spec{Policy: policy, Started: time.Now(), Life: time.Hour, From: 1, To: 2})
	if err == nil && finished {
		err = registry.Finish(t.Context(), run.ID, sdk.Complete, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	return run.ID
}

// A consumer that is to work once and comes when the run is just over reports
// it; a run of another policy, or one that was over long ago, is not the one
// that it was started for.
func TestConsumerThatComesLate(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		policy string   // of the consumer
		runs   []string // policies of finished runs, the newest last
		ago    time.Duration
		want   int // index of the run that is reported, -1 for none
	}{
		{"no run at all", "", nil, 0, -1},
		{"any policy", "", []string{"last", "repair"}, 0, 1},
		{"its own policy", "repair", []string{"last", "repair"}, 0, 1},
		{"another one is newer", "last", []string{"last", "repair"}, 0, 0},
		{"another policy", "repair", []string{"last"}, 0, -1},
		{"long ago", "", []string{"last"}, firstRun + time.Minute, -1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, registry := registered(t)
			var ids []string
			for _, policy := range c.runs {
				id := openRun(t, registry, policy, true)
				if c.ago > 0 {
					ended := time.Now().Add(-c.ago).UnixMilli()
					if err := client.HSet(t.Context(), "dd:{runs}:r:"+id, "ended", ended).Err(); err != nil {
						t.Fatal(err)
					}
				}
				ids = append(ids, id)
			}
			crew := &crew{
				pass: &pass{registry: registry, servers: &servers{users: client}}, policy: c.policy,
				log: slog.New(slog.DiscardHandler), active: make(map[string]bool),
			}
			over, err := crew.justOver(t.Context())
			if err != nil || over != (c.want >= 0) {
				t.Fatalf("over: %t, %v", over, err)
			}
			var want []string
			if over {
				want = []string{ids[c.want]}
				if err := crew.untilOver(t.Context()); err != nil { // and does not wait for another
					t.Error(err)
				}
			}
			if !slices.Equal(slices.Compact(crew.order), want) {
				t.Errorf("reports %v, want %v", crew.order, want)
			}
		})
	}
}

// A consumer for ever ends with its context, whatever runs there are of other
// policies.
func TestConsumerLeavesOtherPoliciesAlone(t *testing.T) {
	t.Parallel()
	client, registry := registered(t)
	openRun(t, registry, "last", false)
	crew := &crew{
		pass: &pass{registry: registry, servers: &servers{users: client}}, policy: "repair",
		log: slog.New(slog.DiscardHandler), active: make(map[string]bool),
	}
	if open, err := crew.takeUp(t.Context(), nil); open != 0 || err != nil || crew.seen() {
		t.Errorf("%d runs are open, %v", open, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := crew.forEver(ctx); err == nil {
		t.Error("it ended without a reason")
	}
}

// An account that was not listed before the run ended is a failed grant of each
// source, and says whose it is as long as that can be known.
func TestAccountsOfAnEarlyEnd(t *testing.T) {
	t.Parallel()
	client, registry := registered(t)
	id := openRun(t, registry, "last", false)
	key, err := vault.NewKey(1)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := vault.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	credentials := vault.NewCredentials(client, sealer, id, time.Hour)
	if err := credentials.Put(t.Context(), "l1", "12345678Z", sdk.NewSecret("hunter2")); err != nil {
		t.Fatal(err)
	}
	body := func(u job.User) queue.Item {
		t.Helper()
		body, err := u.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return queue.Item{ID: u.ID(), Group: u.Login, Body: body}
	}
	d := deferred{failures: failures{registry, id}, credentials: credentials, log: slog.New(slog.DiscardHandler)}
	err = d.Accounts(t.Context(), "the run was ended before its turn came", []queue.Item{
		body(job.User{Account: "a1", Login: "l1", NIF: "X1234567L", Wants: []job.Want{{Source: "north"}, {Source: "south"}}}),
		{ID: "x", Group: "l1", Body: []byte("not an account")},
		body(job.User{Account: "a2", Login: "gone", Wants: []job.Want{{Source: "north"}}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := registry.Failed(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	const reason = "the account was not listed: the run was ended before its turn came"
	want := []sdk.FailedGrant{
		{Source: "north", Username: "12345678Z", NIF: "X1234567L", Reason: reason},
		{Source: "south", Username: "12345678Z", NIF: "X1234567L", Reason: reason},
		{Source: "north", Reason: reason},
	}
	if len(got) != len(want) {
		t.Errorf("failed grants %+v", got)
	}
	for _, f := range want {
		if !slices.Contains(got, f) {
			t.Errorf("failed grants %+v, want %+v among them", got, f)
		}
	}
}
