package run

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/sdk"
)

// suite is what a registry must do on every server that the engine runs on. The
// tests share a server, so each has a policy of its own.
var suite = map[string]func(t *testing.T, r *Registry, policy string){
	"the producers of a policy share a run": testJoin,
	"a finished run makes room":             testFinish,
	"a slot is one run":                     testSlot,
	"a silent producer is lost":             testLost,
	"failed grants":                         testFailed,
	"one announces":                         testAnnounce,
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	redistest.EachAndCluster(t, func(t *testing.T, b *redistest.Backend) {
		client := b.Client(t)
		for name, test := range suite {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, NewRegistry(client, time.Minute), name)
			})
		}
	})
}

func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func spec(policy, source string) Spec {
	month := sdk.NewMonth(2026, time.March)
	return Spec{
		Policy: policy, Started: time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC), Life: time.Hour, From: month, To: month,
		Routes: map[string]sdk.Route{source: {Topic: "datadis." + source}},
	}
}

func testJoin(t *testing.T, r *Registry, policy string) {
	one, err := r.Open(t.Context(), "p1", spec(policy, "north"))
	no(t, err)
	other, err := r.Open(t.Context(), "p2", spec(policy, "south"))
	no(t, err)
	if one.ID != other.ID || len(other.Routes) != 2 || other.From != one.From || !other.Started.Equal(one.Started) {
		t.Errorf("the first got %+v, the second %+v", one, other)
	}
	no(t, r.Done(t.Context(), one.ID, "p1", map[string]string{"north": "timed out"}))
	if producing, err := r.Producing(t.Context(), one.ID); !producing || err != nil {
		t.Errorf("with one of two producers done: %v, %v", producing, err)
	}
	no(t, r.Beat(t.Context(), one.ID, "p2"))
	no(t, r.Done(t.Context(), one.ID, "p2", nil))
	if producing, err := r.Producing(t.Context(), one.ID); producing || err != nil {
		t.Errorf("with both done: %v, %v", producing, err)
	}
	got, err := r.Get(t.Context(), one.ID)
	no(t, err)
	if got.FailedSources["north"] != "timed out" || got.LostProducer {
		t.Errorf("got %+v", got)
	}
}

func testFinish(t *testing.T, r *Registry, policy string) {
	first, err := r.Open(t.Context(), "p", spec(policy, "north"))
	no(t, err)
	no(t, r.Seal(t.Context(), first.ID))
	if _, err := r.Open(t.Context(), "q", spec(policy, "north")); !errors.Is(err, ErrSealed) {
		t.Errorf("joining a sealed run: %v", err)
	}
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	no(t, r.Finish(t.Context(), first.ID, sdk.Complete, at))
	got, err := r.Get(t.Context(), first.ID)
	no(t, err)
	if got.State != Finished || got.Outcome != sdk.Complete || !got.Finished.Equal(at) {
		t.Errorf("got %+v", got)
	}
	next, err := r.Open(t.Context(), "q", spec(policy, "north"))
	no(t, err)
	if next.ID == first.ID {
		t.Error("the finished run was opened again")
	}
	unfinished, err := r.Unfinished(t.Context())
	no(t, err)
	found := map[string]bool{}
	for _, run := range unfinished {
		found[run.ID] = true
	}
	if found[first.ID] || !found[next.ID] {
		t.Errorf("unfinished are %v, of %s and %s", found, first.ID, next.ID)
	}
}

func testSlot(t *testing.T, r *Registry, policy string) {
	s := spec(policy, "north")
	s.Slot = "2026-03-01T02:00:00Z"
	first, err := r.Open(t.Context(), "p", s)
	no(t, err)
	no(t, r.Finish(t.Context(), first.ID, sdk.Partial, s.Started))
	late, err := r.Open(t.Context(), "q", s)
	no(t, err)
	if late.ID != first.ID || late.State != Finished {
		t.Errorf("a late producer of the slot got %+v", late)
	}
}

func testLost(t *testing.T, r *Registry, policy string) {
	hasty := &Registry{r.client, time.Millisecond}
	run, err := hasty.Open(t.Context(), "p", spec(policy, "north"))
	no(t, err)
	for producing := true; producing; {
		producing, err = hasty.Producing(t.Context(), run.ID)
		no(t, err)
	}
	if run, err = r.Get(t.Context(), run.ID); err != nil || !run.LostProducer {
		t.Errorf("got %+v, %v", run, err)
	}
	if overdue, err := r.Overdue(t.Context(), run); overdue || err != nil {
		t.Errorf("overdue: %v, %v", overdue, err)
	}
}

func testFailed(t *testing.T, r *Registry, policy string) {
	run, err := r.Open(t.Context(), "p", spec(policy, "north"))
	no(t, err)
	want := sdk.FailedGrant{Source: "north", NIF: "B00000000", Reason: "rejected"}
	no(t, r.Fail(t.Context(), run.ID))
	for range 2 { // once is enough
		no(t, r.Fail(t.Context(), run.ID, want))
	}
	got, err := r.Failed(t.Context(), run.ID)
	if err != nil || !reflect.DeepEqual(got, []sdk.FailedGrant{want}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := r.Get(t.Context(), "none"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown run: %v", err)
	}
}

func testAnnounce(t *testing.T, r *Registry, policy string) {
	run, err := r.Open(t.Context(), "p", spec(policy, "north"))
	no(t, err)
	announcers := 0
	for i := range 3 {
		mine, err := r.Announce(t.Context(), run.ID, fmt.Sprint("process ", i))
		no(t, err)
		if mine {
			announcers++
		}
	}
	if announcers != 1 {
		t.Errorf("%d announce the end", announcers)
	}
	no(t, r.Cancel(t.Context(), run.ID))
	if run, err = r.Get(t.Context(), run.ID); err != nil || !run.Cancelled {
		t.Errorf("got %+v, %v", run, err)
	}
}
