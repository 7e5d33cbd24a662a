package queue_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

// suite is what a queue must do on every server that the engine runs on. Each
// test has a run of its own.
var suite = map[string]func(t *testing.T, w *world){
	"push":              testPush,
	"names":             testNames,
	"turns":             testTurns,
	"cap":               testCap,
	"gap":               testGap,
	"penalise":          testPenalise,
	"counters":          testCounters,
	"retry":             testRetry,
	"release":           testRelease,
	"move":              testMove,
	"repeated end":      testRepeatedEnd,
	"lost lease":        testLostLease,
	"renewal":           testRenewal,
	"poison":            testPoison,
	"wake":              testWake,
	"pause":             testPause,
	"hold":              testHold,
	"defer a group":     testDeferGroup,
	"seal":              testSeal,
	"defer all":         testDeferAll,
	"merge states":      testMergeStates,
	"merge leased":      testMergeLeased,
	"merge group":       testMergeGroup,
	"concurrent merges": testConcurrentMerges,
	"dead":              testDead,
	"each item":         testEach,
	"dead after purge":  testDeadAfterPurge,
	"repair":            testRepair,
	"chaos":             testChaos,
}

func TestQueue(t *testing.T) {
	t.Parallel()
	redistest.EachAndCluster(t, func(t *testing.T, b *redistest.Backend) {
		client := b.Client(t)
		for name, test := range suite {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newWorld(t, client))
			})
		}
	})
}

// world is a run of its own on a shared server.
type world struct {
	t      *testing.T
	ctx    context.Context
	client redis.UniversalClient
	run    string
}

var runs atomic.Int64

func newWorld(t *testing.T, client redis.UniversalClient) *world {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return &world{t, ctx, client, fmt.Sprintf("r%d", runs.Add(1))}
}

// queue is the devices queue of the run.
func (w *world) queue(o queue.Options) *queue.Queue {
	return queue.New(w.client, queue.Devices, w.run, o)
}

// start runs a queue's background work until the test ends.
func (w *world) start(q *queue.Queue) {
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		q.Run(ctx)
	}()
	w.t.Cleanup(func() { cancel(); <-ended })
}

func (w *world) push(q *queue.Queue, items ...queue.Item) {
	w.t.Helper()
	r, err := q.Push(w.ctx, items...)
	if err != nil || r.Added != len(items) {
		w.t.Fatalf("push: %+v, %v", r, err)
	}
}

// claim claims n items without waiting and expects exactly those.
func (w *world) claim(q *queue.Queue, n int, ids ...string) []*queue.Lease {
	w.t.Helper()
	leases, err := q.TryClaim(w.ctx, "worker", n)
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, l := range leases {
		got = append(got, l.Item().ID)
	}
	if fmt.Sprint(got) != fmt.Sprint(ids) {
		w.t.Fatalf("claimed %v, want %v", got, ids)
	}
	return leases
}

// eventually waits until an item can be claimed.
func (w *world) eventually(q *queue.Queue) *queue.Lease {
	w.t.Helper()
	leases, err := q.Claim(w.ctx, "worker", 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return leases[0]
}

func (w *world) stats(q *queue.Queue) queue.Stats {
	w.t.Helper()
	s, err := q.Stats(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	sum := s.Waiting + s.Leased + s.Delayed + s.Done + s.Deferred + s.Dead + s.Dropped
	if s.Enqueued != sum {
		w.t.Errorf("%d items came in, and the states add up to %d: %+v", s.Enqueued, sum, s)
	}
	return s
}

// no fails the test if err is an error.
func (w *world) no(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func item(id, group string) queue.Item {
	return queue.Item{ID: id, Group: group, Body: []byte("body of " + id)}
}

// becomes is a merge that sets the body and keeps the group.
func becomes(group, body string) queue.MergeFunc {
	return func([]byte) (string, []byte, error) { return group, []byte(body), nil }
}
