package lister

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/login"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/worker"
	"github.com/datadis-engine/datadis/sdk"
)

// A refused login is tried once more, after the others and not at once; its
// accounts then end together, and all sources that hold it are told.
func TestRefusedLoginIsTriedAfterTheOthers(t *testing.T) {
	t.Parallel()
	const retry = 300 * time.Millisecond
	cases := []struct {
		name    string
		refused int // times
		logins  int
		failed  int
		want    map[string]int64
	}{
		{"once, by mistake", 1, 2, 0, map[string]int64{job.Logins: 3, job.Rejected: 0, job.Accounts: 4}},
		{"for good", 99, 2, 2, map[string]int64{job.Logins: 2, job.Rejected: 1, job.PerSource(job.Rejected, "south"): 1, job.Accounts: 2}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Logins = login.NewBook(w.client, "run1", retry)
			w.wrong["bad"] = c.refused
			q := queue.New(w.client, queue.Users, "run1", queue.Options{})
			bad, second := user("bad"), user("bad")
			second.Account, second.NIF = "a2", "X1234567L"
			for _, u := range []*job.User{&bad, &second} {
				u.LoginSources = []string{"north", "south"}
			}
			for _, u := range []job.User{bad, second, user("good1"), user("good2")} {
				body, err := u.Encode()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := q.Push(t.Context(), queue.Item{ID: u.ID(), Group: u.Login, Body: body}); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			w.work(q)
			if took := time.Since(began); took < retry {
				t.Errorf("it was asked again after %s, want %s at least", took, retry)
			}
			var logins []string
			for _, what := range w.log() {
				if name, ok := strings.CutPrefix(what, "login "); ok {
					logins = append(logins, name)
				}
			}
			if n := len(logins); n != c.logins+2 || logins[n-1] != "bad" || !slices.Contains(logins[:n-1], "good1") || !slices.Contains(logins[:n-1], "good2") {
				t.Errorf("logins in the order %v", logins)
			}
			stats, err := q.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for name, n := range c.want {
				if stats.Counters[name] != n {
					t.Errorf("%s: counted %d, want %d", name, stats.Counters[name], n)
				}
			}
			if stats.Done != 4 || stats.Retried != 0 || len(w.failed) != c.failed {
				t.Errorf("the queue is %+v, failed %v", stats, w.failed)
			}
		})
	}
}

// work works on a queue until all of it is done.
func (w *world) work(q *queue.Queue) {
	w.t.Helper()
	if err := q.Close(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	settled := make(chan job.Verdict, 100)
	pool := worker.Pool{
		Queue: q, Name: "w", Step: w.Lister, Workers: 1, Logger: slog.New(slog.DiscardHandler),
		Settled: func(v job.Verdict) { settled <- v },
	}
	ended := make(chan struct{})
	go func() { defer close(ended); pool.Run(w.t.Context()) }()
	for {
		select {
		case <-settled:
			if _, _, err := q.Seal(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		case <-ended:
			return
		case <-time.After(redistest.Patience):
			w.t.Fatal("nothing happens")
		}
	}
}

// A login rejected in three runs in a row is left alone for a day; one that
// works again starts afresh.
func TestRestingLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := user("u1")
	rejected := map[string]int64{job.Rejected: 1, job.PerSource(job.Rejected, "north"): 1}
	run := func(name string) string {
		w.begin(name)
		return name
	}
	reject := func(name string) {
		t.Helper()
		run(name)
		before := len(w.log())
		first := w.handle(u, 1)
		if first.Action != job.Release || first.Delay <= 0 || first.Counts != nil || len(w.failed) != 0 {
			t.Fatalf("%s: refused once: %+v, failed %v", name, first, w.failed)
		}
		w.is(w.handle(u, 1), done(rejected))
		w.is(w.handle(u, 1), done(nil)) // another account of it: neither asked nor counted again
		if got := len(w.log()) - before; got != 2 {
			t.Errorf("%s: asked %d times, want twice", name, got)
		}
		want := sdk.FailedGrant{Source: "north", Username: "u1", Reason: "the user name or the password is wrong"}
		if len(w.failed) != 2 || w.failed[0] != want {
			t.Errorf("%s: failed %+v", name, w.failed)
		}
	}
	w.say("", rows(supply("2", cupsA)))
	w.is(w.handle(u, 1), done(first(1)))

	w.wrong["u1"] = 1000
	w.refreshed()
	for i := range 3 {
		reject(fmt.Sprintf("bad%d", i))
		w.now = w.now.Add(time.Hour)
	}
	if w.entitled(u) != "" {
		t.Errorf("a rejected login may see %s", w.entitled(u))
	}

	run("rest")
	before := len(w.log())
	w.is(w.handle(u, 1), done(nil))
	if len(w.log()) != before {
		t.Errorf("a resting login was asked")
	}
	if len(w.failed) != 1 || !strings.Contains(w.failed[0].Reason, "three runs in a row") || !strings.Contains(w.failed[0].Reason, "2026-11-24T14:00:00Z") {
		t.Errorf("failed %+v", w.failed)
	}
	other := user("u1-new-password") // another login
	w.is(w.handle(other, 1), done(first(1)))

	w.now = w.now.Add(24 * time.Hour)
	reject("next-day")

	w.now = w.now.Add(24 * time.Hour)
	w.wrong["u1"] = 0
	run("mended")
	w.is(w.handle(u, 1), done(first(1)))

	w.wrong["u1"] = 1000
	w.refreshed()
	reject("fresh")
	reject("fresh2")
	run("asked")
	if v := w.handle(u, 1); v.Action != job.Release {
		t.Errorf("rejected twice since it worked: %+v, want it asked", v)
	}
}

// A login that was rejected counts as such, in this run and in the streak, even
// if the store fails just then.
func TestRejectedWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := user("u1")
	w.wrong["u1"] = 1000
	w.handle(u, 1)
	flaky := &flakyStreaks{Streaks: w.Streaks, failures: 1}
	w.Streaks = flaky
	counts := map[string]int64{job.Rejected: 1, job.PerSource(job.Rejected, "north"): 1}
	w.is(w.handle(u, 1), job.Verdict{
		Action: job.Retry, Delay: retryDelays[0], Failure: job.Failure{Class: "listing_failed"}, Counts: counts,
	})
	w.is(w.handle(u, 2), done(nil))
	if flaky.noted != 1 || len(w.failed) != 1 {
		t.Errorf("noted %d times, failed %v", flaky.noted, w.failed)
	}
}

// flakyStreaks fail some times, and count how often they did not.
type flakyStreaks struct {
	Streaks
	failures, noted int
}

func (f *flakyStreaks) Rejected(ctx context.Context, id, run string) (int, error) {
	if f.failures--; f.failures >= 0 {
		return 0, errors.New("the store is down")
	}
	f.noted++
	return f.Streaks.Rejected(ctx, id, run)
}
