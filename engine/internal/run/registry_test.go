package run

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/sdk"
)

// world is a registry in which a producer counts as lost soon.
type world struct {
	*testing.T
	*Registry
}

const silent = 150 * time.Millisecond

// each runs a test on every kind of server.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	redistest.EachAndCluster(t, func(t *testing.T, b *redistest.Backend) {
		t.Parallel()
		test(&world{t, NewRegistry(b.Client(t), silent)})
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// spec is what a producer of one source opens a run with.
func spec(policy, source string) Spec {
	return Spec{
		Policy: policy, Started: time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC), Life: time.Hour,
		From: sdk.NewMonth(2024, time.December), To: sdk.NewMonth(2026, time.November),
		Routes: map[string]sdk.Route{source: {Topic: "datadis." + source}},
	}
}

func (w *world) open(producer string, s Spec) Run {
	w.Helper()
	run, err := w.Open(w.Context(), producer, s)
	w.must(err)
	return run
}

func (w *world) finish(id string) {
	w.Helper()
	w.must(w.Finish(w.Context(), id, sdk.Complete, time.Now()))
}

func TestARunIsWhatItWasOpenedWith(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		s := spec("repair", "north")
		s.Slot, s.Now = "2026-11-23T02:00", time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
		run := w.open("p1", s)
		if run.Policy != "repair" || run.Slot != s.Slot || run.State != Open || !run.Started.Equal(s.Started) || !run.Now.Equal(s.Now) ||
			run.From != s.From || run.To != s.To || !reflect.DeepEqual(run.Routes, s.Routes) {
			w.Errorf("got %+v", run)
		}
		if life := run.Deadline.Sub(run.Opened); life != s.Life || time.Since(run.Opened).Abs() > time.Minute {
			w.Errorf("opened at %s for %s", run.Opened, life)
		}
	})
}

func TestProducersOfOnePolicyShareARun(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		first := w.open("p1", spec("last", "north"))
		second := w.open("p2", spec("last", "south"))
		if second.ID != first.ID || len(second.Routes) != 2 {
			w.Errorf("joined %s with the routes %v, want %s with two", second.ID, second.Routes, first.ID)
		}
		other := w.open("p3", spec("repair", "north"))
		if other.ID == first.ID {
			w.Error("another policy joined it")
		}
		unfinished, err := w.Unfinished(w.Context())
		w.must(err)
		var ids []string
		for _, run := range unfinished {
			ids = append(ids, run.ID)
		}
		if want := []string{first.ID, other.ID}; !slices.Equal(ids, want) && !slices.Equal(ids, []string{other.ID, first.ID}) {
			w.Errorf("unfinished: %v, want %v", ids, want)
		}
		w.finish(first.ID)
		if next := w.open("p4", spec("last", "north")); next.ID == first.ID {
			w.Error("joined a run that is finished")
		}
		routes, err := w.Routes(w.Context())
		w.must(err)
		if len(routes) != 2 || routes["south"].Topic != "datadis.south" {
			w.Errorf("routes: %v", routes)
		}
	})
}

func TestManyProducersAtOnceOpenOneRun(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ids := make([]string, 16)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				run, err := w.Open(w.Context(), fmt.Sprint("p", i), spec("last", fmt.Sprint("s", i)))
				if err != nil {
					w.Error(err)
				}
				ids[i] = run.ID
			})
		}
		all.Wait()
		slices.Sort(ids)
		if unique := slices.Compact(ids); len(unique) != 1 {
			w.Fatalf("runs: %v", unique)
		}
		run, err := w.Get(w.Context(), ids[0])
		w.must(err)
		if len(run.Routes) != 16 {
			w.Errorf("%d routes", len(run.Routes))
		}
	})
}

func TestASlotHasOneRun(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		s := spec("last", "north")
		s.Slot = "2026-11-23T02:00"
		first := w.open("p1", s)
		w.finish(first.ID)
		if again := w.open("p2", s); again.ID != first.ID || again.State != Finished {
			w.Errorf("the slot has %s, which is %s", again.ID, again.State)
		}
		s.Slot = "2026-11-25T02:00"
		if next := w.open("p3", s); next.ID == first.ID {
			w.Error("two slots share a run")
		}
	})
}

func TestASealedRunIsNotJoined(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		run := w.open("p1", spec("last", "north"))
		w.must(w.Seal(w.Context(), run.ID))
		if _, err := w.Open(w.Context(), "p2", spec("last", "south")); !errors.Is(err, ErrSealed) {
			w.Errorf("got %v, want %v", err, ErrSealed)
		}
		if active, err := w.Producing(w.Context(), run.ID); err != nil || !active {
			w.Errorf("its producer: %t, %v", active, err)
		}
		w.finish(run.ID)
		// A process that saw the run before it was finished is late.
		w.must(w.Seal(w.Context(), run.ID))
		if got, err := w.Get(w.Context(), run.ID); err != nil || got.State != Finished || got.Ended.IsZero() {
			w.Errorf("after a late seal: %+v, %v", got, err)
		}
	})
}

// Invariant 14.
func TestAProducerThatFallsSilentIsLost(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		run := w.open("p1", spec("last", "north"))
		w.open("p2", spec("last", "south"))
		w.must(w.Done(w.Context(), run.ID, "p2", map[string]string{"south": "its database is down"}))
		beating := time.Now().Add(3 * silent)
		for time.Now().Before(beating) {
			w.must(w.Beat(w.Context(), run.ID, "p1"))
			if active, err := w.Producing(w.Context(), run.ID); err != nil || !active {
				w.Fatalf("while it beats: %t, %v", active, err)
			}
		}
		for active := true; active; {
			var err error
			active, err = w.Producing(w.Context(), run.ID)
			w.must(err)
		}
		w.must(w.Beat(w.Context(), run.ID, "p1")) // too late: the run goes on without it
		got, err := w.Get(w.Context(), run.ID)
		w.must(err)
		if active, _ := w.Producing(w.Context(), run.ID); active || !got.LostProducer || got.FailedSources["south"] != "its database is down" {
			w.Errorf("%+v, producing %t", got, active)
		}
	})
}

func TestFailedGrantsAreCollectedOnce(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		run := w.open("p1", spec("last", "north"))
		one := sdk.FailedGrant{Source: "north", Username: "12345678Z", Reason: "rejected"}
		other := sdk.FailedGrant{Source: "north", Username: "12345678Z", NIF: "A58818501", Reason: "not authorised"}
		for range 2 {
			w.must(w.Fail(w.Context(), run.ID, one, other))
		}
		failed, err := w.Failed(w.Context(), run.ID)
		w.must(err)
		if len(failed) != 2 || !slices.Contains(failed, one) || !slices.Contains(failed, other) {
			w.Errorf("failed: %+v", failed)
		}
	})
}

func TestOldRunsAreForgotten(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		first := w.open("p1", spec("last", "north"))
		w.finish(first.ID)
		open := w.open("p2", spec("repair", "north"))
		old, err := w.Old(w.Context(), 0)
		w.must(err)
		if len(old) != 1 || old[0].ID != first.ID {
			w.Errorf("old: %+v, want the finished one", old)
		}
		if old, err := w.Old(w.Context(), time.Hour); err != nil || len(old) != 0 {
			w.Errorf("an hour old: %+v, %v", old, err)
		}
		w.must(w.Remove(w.Context(), first.ID))
		recent, err := w.Recent(w.Context(), 10)
		w.must(err)
		if len(recent) != 1 || recent[0].ID != open.ID {
			w.Errorf("recent: %+v", recent)
		}
	})
}

func TestOneProcessAnnounces(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		run := w.open("p1", spec("last", "north"))
		first, err := w.Announce(w.Context(), run.ID, "a")
		w.must(err)
		second, err := w.Announce(w.Context(), run.ID, "b")
		w.must(err)
		if !first || second {
			w.Errorf("announced by a: %t, by b: %t", first, second)
		}
	})
}

// A server that lost its last moments may remember that there is a run, and not
// the run.
func TestARunThatIsGoneIsReplaced(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		s := spec("last", "north")
		s.Slot = "2026-11-23T02:00"
		lost := w.open("p1", s)
		w.must(w.client.Del(w.Context(), runKey(lost.ID)).Err())
		if run := w.open("p2", s); run.ID == lost.ID || run.State != Open {
			w.Errorf("got %+v", run)
		}
		if _, err := w.Get(w.Context(), lost.ID); !errors.Is(err, ErrUnknown) {
			w.Errorf("got %v, want %v", err, ErrUnknown)
		}
		if runs, err := w.Recent(w.Context(), 10); err != nil || len(runs) != 1 {
			w.Errorf("recent: %v, %v", runs, err)
		}
	})
}
