package finisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/sdk"
)

// world is a run on real queues, and a record of what its end did.
type world struct {
	t              *testing.T
	client         redis.UniversalClient
	registry       *run.Registry
	run            run.Run
	users, devices *queue.Queue

	mu     sync.Mutex
	events []string
	said   []envelope.Finished
	broken map[string]error // what fails, by its event
}

var now = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)

// newWorld opens a run that lives that long, with one producer.
func newWorld(t *testing.T, b *redistest.Backend, life time.Duration) *world {
	t.Helper()
	w := &world{t: t, client: b.Client(t), broken: make(map[string]error)}
	w.registry = run.NewRegistry(w.client, time.Minute)
	var err error
	w.run, err = w.registry.Open(t.Context(), "producer", run.Spec{
		Policy: "last", Started: now, Life: life, From: sdk.NewMonth(2026, 10), To: sdk.NewMonth(2026, 11),
		Routes: map[string]sdk.Route{"north": {Topic: "datadis.north"}},
	})
	w.must(err)
	w.users = queue.New(w.client, queue.Users, w.run.ID, queue.Options{})
	w.devices = queue.New(w.client, queue.Devices, w.run.ID, queue.Options{})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// note records an event, and fails if it is to fail.
func (w *world) note(event string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, event)
	return w.broken[event]
}

func (w *world) Mark(context.Context, run.Run) error { return w.note("mark") }

func (w *world) EndOffsets(context.Context, run.Run) (envelope.EndOffsets, error) {
	return envelope.EndOffsets{"datadis.north": {0: 7}}, w.note("offsets")
}

func (w *world) Finish(_ context.Context, f envelope.Finished) error {
	if err := w.note("finish"); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, f)
	return nil
}

func (w *world) Accounts(ctx context.Context, _ string, items []queue.Item) error {
	if err := w.note("accounts " + ids(items)); err != nil {
		return err
	}
	for _, item := range items {
		w.must(w.registry.Fail(ctx, w.run.ID, sdk.FailedGrant{Source: "north", Username: sdk.NIF(item.ID), Reason: "not listed"}))
	}
	return nil
}

func (w *world) Devices(_ context.Context, _ string, items []queue.Item) error {
	return w.note("devices " + ids(items))
}

func ids(items []queue.Item) string {
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = item.ID
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// finisher is that of a process.
func (w *world) finisher(process string) *Finisher {
	return New(Config{
		Run: w.run.ID, Process: process, Registry: w.registry, Users: w.users, Devices: w.devices,
		Control: w, Deferred: w, Erase: func(context.Context) error { return w.note("erase") },
		Sweep: func(context.Context) error { return w.note("sweep") },
		Now:   func() time.Time { return now.Add(time.Hour) }, Logger: slog.New(slog.DiscardHandler),
	})
}

// look lets a process look once, and expects what it sees.
func (w *world) look(f *Finisher, finished bool) {
	w.t.Helper()
	got, err := f.look(w.t.Context())
	w.must(err)
	if got != finished {
		w.t.Fatalf("the run is finished: %t, want %t; so far %v", got, finished, w.events)
	}
}

// produced ends the run's producer.
func (w *world) produced(failed map[string]string) {
	w.t.Helper()
	w.must(w.registry.Done(w.t.Context(), w.run.ID, "producer", failed))
}

func (w *world) push(q *queue.Queue, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		_, err := q.Push(w.t.Context(), queue.Item{ID: id, Group: "l", Body: []byte(id)})
		w.must(err)
	}
}

func (w *world) claim(q *queue.Queue) *queue.Lease {
	w.t.Helper()
	leases, err := q.Claim(w.t.Context(), "w", 1)
	w.must(err)
	return leases[0]
}

// died lets the process that announces be as one that died: its claim lapses.
func (w *world) died() {
	w.t.Helper()
	w.must(w.client.Del(w.t.Context(), "dd:{runs}:final:"+w.run.ID).Err())
}

// end is the one announcement of the run.
func (w *world) end() envelope.Finished {
	w.t.Helper()
	if len(w.said) != 1 {
		w.t.Fatalf("announced %d times: %v", len(w.said), w.events)
	}
	return w.said[0]
}

// A run ends when its producer is done, all accounts are listed and all supplies
// downloaded, and not before.
func TestComplete(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, b *redistest.Backend) {
		w := newWorld(t, b, time.Hour)
		f := w.finisher("p1")
		w.look(f, false) // nothing is queued yet, but somebody produces
		w.push(w.users, "u1")
		w.produced(nil)
		w.look(f, false)
		user := w.claim(w.users)
		w.push(w.devices, "d1")
		user.Count("accounts", 1)
		w.must(user.Done(t.Context()))
		w.look(f, false)
		device := w.claim(w.devices)
		device.Count("accounts", 2)
		w.look(f, false)
		w.must(device.Done(t.Context()))
		w.look(f, true)
		if got := fmt.Sprint(w.events); got != "[mark offsets finish erase sweep]" {
			t.Errorf("the end came as %s", got)
		}
		end := w.end()
		if end.Outcome != sdk.Complete || end.Counts["accounts"] != 3 || end.Counts["users_done"] != 1 || end.Counts["devices_enqueued"] != 1 {
			t.Errorf("announced %+v", end)
		}
		if end.Run != w.run.ID || end.Policy != "last" || !end.Started.Equal(now) || end.EndOffsets["datadis.north"][0] != 7 || end.Routes["north"].Topic != "datadis.north" {
			t.Errorf("announced %+v", end)
		}
		r, err := w.registry.Get(t.Context(), w.run.ID)
		if err != nil || r.State != run.Finished || r.Outcome != sdk.Complete || !r.Finished.Equal(now.Add(time.Hour)) {
			t.Errorf("the registry has %+v, %v", r, err)
		}
		if _, err := w.devices.Push(t.Context(), queue.Item{ID: "late", Group: "l"}); !errors.Is(err, queue.ErrSealed) {
			t.Errorf("a supply that comes late: %v", err)
		}
		w.look(w.finisher("p2"), true) // and says nothing more
		w.end()
	})
}

// Whatever was not done as it should be makes the run partial.
func TestPartial(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		do   func(w *world)
	}{
		{"a source failed", func(w *world) { w.produced(map[string]string{"south": "the database is down"}) }},
		{"a grant failed", func(w *world) {
			w.must(w.registry.Fail(w.t.Context(), w.run.ID, sdk.FailedGrant{Source: "north", Username: "1", Reason: "rejected"}))
			w.produced(nil)
		}},
		{"a producer was lost", func(w *world) {
			silent := run.NewRegistry(w.client, 0) // whoever is silent at all is lost
			ctx, cancel := context.WithTimeout(w.t.Context(), redistest.Patience)
			defer cancel()
			for {
				if producing, err := silent.Producing(ctx, w.run.ID); err != nil || !producing {
					w.must(err)
					return
				}
			}
		}},
		{"an account was deferred", func(w *world) {
			w.push(w.users, "u1")
			w.must(w.claim(w.users).Defer(w.t.Context()))
			w.produced(nil)
		}},
		{"a supply is dead", func(w *world) {
			w.push(w.devices, "d1")
			w.must(w.claim(w.devices).Bury(w.t.Context(), queue.Failure{Class: "unauthorised"}))
			w.produced(nil)
		}},
		{"chunks are left", func(w *world) {
			w.push(w.devices, "d1")
			lease := w.claim(w.devices)
			lease.Count("left", 1)
			w.must(lease.Done(w.t.Context()))
			w.produced(nil)
		}},
	}
	b := redistest.Mini(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, b, time.Hour)
			c.do(w)
			w.look(w.finisher("p1"), true)
			if end := w.end(); end.Outcome != sdk.Partial {
				t.Errorf("the outcome is %s, want partial", end.Outcome)
			}
		})
	}
}

// A run that is cancelled, or past its deadline, ends with what is leased; what
// waits is left to the next run, and told of before the end is announced.
func TestEarlyEnd(t *testing.T) {
	t.Parallel()
	early := map[string]func(w *world){
		"cancelled": func(w *world) { w.must(w.registry.Cancel(w.t.Context(), w.run.ID)) },
		"overdue":   func(*world) {},
	}
	redistest.Each(t, func(t *testing.T, b *redistest.Backend) {
		for name, end := range early {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				life := time.Hour
				if name == "overdue" {
					life = 0
				}
				w := newWorld(t, b, life)
				w.push(w.users, "u1", "u2", "u3")
				w.push(w.devices, "d1", "d2")
				user := w.claim(w.users)
				device := w.claim(w.devices)
				w.must(device.Retry(t.Context(), time.Hour, queue.Failure{Class: "busy"}))
				end(w)
				f := w.finisher("p1")
				w.overdue()
				w.look(f, false) // one account is in hand
				w.must(user.Done(t.Context()))
				w.look(f, true)
				want := "[accounts u2,u3 devices d1,d2 mark offsets finish erase sweep]"
				if got := fmt.Sprint(w.events); got != want {
					t.Errorf("the end came as %s\nwant %s", got, want)
				}
				got := w.end()
				if got.Outcome != sdk.Aborted || got.Counts["users_deferred"] != 2 || got.Counts["devices_deferred"] != 2 || got.Counts["users_done"] != 1 {
					t.Errorf("announced %+v", got)
				}
				if len(got.FailedGrants) != 2 {
					t.Errorf("failed grants %+v, want those of the accounts that were not listed", got.FailedGrants)
				}
			})
		}
	})
}

// overdue waits until a run without life is past its deadline.
func (w *world) overdue() {
	w.t.Helper()
	r, err := w.registry.Get(w.t.Context(), w.run.ID)
	w.must(err)
	for !r.Cancelled {
		if over, err := w.registry.Overdue(w.t.Context(), r); err != nil || over {
			w.must(err)
			return
		}
	}
}

// A producer that hangs does not keep a run from ending at its deadline.
func TestEarlyEndDoesNotWaitForProducers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redistest.Mini(t), time.Hour)
	w.look(w.finisher("p1"), false)
	w.must(w.registry.Cancel(t.Context(), w.run.ID))
	w.look(w.finisher("p1"), true)
	if got := w.end().Outcome; got != sdk.Aborted {
		t.Errorf("the outcome is %s", got)
	}
	if _, err := w.users.Push(t.Context(), queue.Item{ID: "late", Group: "l"}); !errors.Is(err, queue.ErrSealed) {
		t.Errorf("an account that comes late: %v", err)
	}
}

// However many processes see the end at the same time, one announces it.
func TestOneAnnounces(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, b *redistest.Backend) {
		w := newWorld(t, b, time.Hour)
		w.produced(nil)
		var all sync.WaitGroup
		for i := range 8 {
			f := w.finisher(fmt.Sprintf("p%d", i))
			all.Go(func() {
				if err := f.Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		w.end()
		if got := fmt.Sprint(w.events); got != "[mark offsets finish erase sweep]" {
			t.Errorf("the end came as %s", got)
		}
	})
}

// A process that dies between two steps of the end is followed by another, and
// nothing of what it would have said is missing. What was announced already is
// announced again, the same.
func TestAnotherGoesOn(t *testing.T) {
	t.Parallel()
	b := redistest.Mini(t)
	for _, step := range []string{"accounts u1", "devices d1", "mark", "offsets", "finish", "erase"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, b, time.Hour)
			w.push(w.users, "u1")
			w.push(w.devices, "d1")
			w.must(w.registry.Cancel(t.Context(), w.run.ID))
			w.broken[step] = errors.New("killed")
			if finished, err := w.finisher("p1").look(t.Context()); finished || err == nil {
				t.Fatalf("finished %t, %v", finished, err)
			}
			delete(w.broken, step)
			second := w.finisher("p2")
			w.look(second, false) // the first may still be at it
			w.died()
			w.look(second, true)
			for _, said := range w.said {
				if said.Outcome != sdk.Aborted || len(said.FailedGrants) != 1 || said.Counts["devices_deferred"] != 1 {
					t.Errorf("announced %+v", said)
				}
			}
			if want := map[bool]int{true: 2, false: 1}[step == "erase"]; len(w.said) != want {
				t.Errorf("announced %d times, want %d", len(w.said), want)
			}
			if last := w.events[len(w.events)-1]; last != "sweep" {
				t.Errorf("the last step was %s", last)
			}
		})
	}
}

// A run is finished also if what older ones left is not cleared away.
func TestSweepFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redistest.Mini(t), time.Hour)
	w.produced(nil)
	w.broken["sweep"] = errors.New("down")
	w.look(w.finisher("p1"), true)
	if got := w.end().Outcome; got != sdk.Complete {
		t.Errorf("the outcome is %s", got)
	}
}

// Run goes on looking while Redis cannot be reached, and ends with its context.
func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redistest.Mini(t), time.Hour)
	f := w.finisher("p1")
	f.Config.Run = "no-such-run"
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	cancel(stop)
	if err := f.Run(ctx); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}
