package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/worker"
)

// step is a worker.Step made of a function.
type step func(ctx context.Context, body string, attempt int) job.Verdict

func (s step) Handle(ctx context.Context, body []byte, attempt int) job.Verdict {
	return s(ctx, string(body), attempt)
}

// world is a queue, and a pool that works on it.
type world struct {
	*queue.Queue
	t       *testing.T
	pool    worker.Pool
	client  redis.UniversalClient
	settled chan job.Verdict
	log     *safe
}

// safe is a log that several goroutines write.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newWorld(t *testing.T, b *redistest.Backend, o queue.Options, do step) *world {
	t.Helper()
	client := b.Client(t)
	w := &world{Queue: queue.New(client, queue.Devices, "r1", o), client: client, t: t, settled: make(chan job.Verdict, 100), log: &safe{}}
	w.pool = worker.Pool{
		Queue: w.Queue, Name: "w", Step: do, Workers: 1, Drain: time.Minute,
		Settled: func(v job.Verdict) { w.settled <- v }, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	return w
}

// push queues items, each its own login, whose bodies are their ids.
func (w *world) push(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		if _, err := w.Push(w.t.Context(), queue.Item{ID: id, Group: "login-" + id, Body: []byte(id)}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// start runs the pool; stop ends it and waits until it has ended.
func (w *world) start() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.pool.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	w.t.Cleanup(stop)
	return stop
}

// settle waits until so many items were settled.
func (w *world) settle(n int) {
	w.t.Helper()
	for range n {
		receive(w.t, w.settled)
	}
}

func receive[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(redistest.Patience):
		t.Fatal("nothing happens")
	}
	return v
}

func (w *world) stats() queue.Stats {
	w.t.Helper()
	s, err := w.Stats(context.WithoutCancel(w.t.Context()))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// until waits for a state of the queue, tending it meanwhile as Queue.Run does.
func (w *world) until(what string, is func(queue.Stats) bool) queue.Stats {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), redistest.Patience)
	defer cancel()
	for ctx.Err() == nil {
		if _, err := w.Tick(ctx); err != nil {
			w.t.Fatal(err)
		}
		if s := w.stats(); is(s) {
			return s
		}
	}
	w.t.Fatalf("it never came to this: %s", what)
	return queue.Stats{}
}

// What a step says of an item is what becomes of it, and what it counted is
// counted in the same step.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	why := job.Failure{Class: "some_class", Reason: "a reason"}
	cases := []struct {
		name    string
		verdict job.Verdict
		want    queue.Stats
	}{
		{"done", job.Verdict{}, queue.Stats{Done: 1}},
		{"retry", job.Verdict{Action: job.Retry, Delay: time.Hour, Failure: why}, queue.Stats{Delayed: 1, Retried: 1}},
		{"defer", job.Verdict{Action: job.Defer, Failure: why}, queue.Stats{Deferred: 1}},
		{"bury", job.Verdict{Action: job.Bury, Failure: why}, queue.Stats{Dead: 1}},
		{"release", job.Verdict{Action: job.Release, Delay: time.Hour}, queue.Stats{Delayed: 1}},
	}
	redistest.Each(t, func(t *testing.T, b *redistest.Backend) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.verdict.Counts = map[string]int64{"chunks": 3}
				w := newWorld(t, b, queue.Options{}, func(context.Context, string, int) job.Verdict { return c.verdict })
				w.push("a")
				stop := w.start()
				w.settle(1)
				stop()
				got := w.stats()
				if got.Counters["chunks"] != 3 {
					t.Errorf("counted %v", got.Counters)
				}
				c.want.Enqueued, c.want.Counters = 1, got.Counters
				got.Claimable = 0 // the group leaves the ring when it is looked at next
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("the queue is %+v\nwant %+v", got, c.want)
				}
				if c.verdict.Action != job.Bury {
					return
				}
				dead, err := w.Dead(t.Context(), queue.DeadFilter{})
				if err != nil || len(dead) != 1 || dead[0].Class != why.Class || dead[0].Reason != why.Reason {
					t.Errorf("dead: %+v, %v", dead, err)
				}
			})
		}
	})
}

// An item that was released comes back as if it had not been handed out; one
// that failed comes back as the next attempt.
func TestOnlyFailuresAreAttempts(t *testing.T) {
	t.Parallel()
	var seen []int
	w := newWorld(t, redistest.Mini(t), queue.Options{}, func(_ context.Context, _ string, attempt int) job.Verdict {
		seen = append(seen, attempt)
		return []job.Verdict{{Action: job.Release}, {Action: job.Retry}, {Action: job.Release}, {}}[len(seen)-1]
	})
	w.push("a")
	stop := w.start()
	w.settle(4)
	stop()
	if fmt.Sprint(seen) != "[1 1 2 2]" {
		t.Errorf("attempts %v", seen)
	}
}

// A verdict that cools a login keeps its other items back, and those alone.
func TestCoolingLogin(t *testing.T) {
	t.Parallel()
	var seen []string
	w := newWorld(t, redistest.Mini(t), queue.Options{}, func(_ context.Context, body string, _ int) job.Verdict {
		seen = append(seen, body)
		if body == "a1" {
			return job.Verdict{Action: job.Release, Delay: time.Hour, Cool: time.Hour}
		}
		return job.Verdict{}
	})
	for _, item := range []queue.Item{{ID: "a1", Group: "a"}, {ID: "a2", Group: "a"}, {ID: "b1", Group: "b"}} {
		item.Body = []byte(item.ID)
		if _, err := w.Push(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	stop := w.start()
	w.settle(2)
	stop()
	if fmt.Sprint(seen) != "[a1 b1]" {
		t.Errorf("handled %v, want a1 and then only b1", seen)
	}
	if s := w.stats(); s.Waiting != 1 || s.Delayed != 1 || s.Done != 1 {
		t.Errorf("the queue is %+v", s)
	}
}

// A pool stops by itself when the queue is sealed.
func TestPoolEndsWithTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redistest.Mini(t), queue.Options{}, func(context.Context, string, int) job.Verdict { return job.Verdict{} })
	w.pool.Workers = 3
	w.push("a", "b")
	ended := make(chan struct{})
	go func() { defer close(ended); w.pool.Run(t.Context()) }()
	w.settle(2)
	if sealed, n, err := w.Seal(t.Context()); !sealed || err != nil {
		t.Fatalf("sealed %t, %d left, %v", sealed, n, err)
	}
	receive(t, ended)
}

// A stopping pool leases nothing more, and lets the item in hand be finished.
func TestDrainFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan string, 2), make(chan struct{})
	w := newWorld(t, redistest.Mini(t), queue.Options{}, func(ctx context.Context, body string, _ int) job.Verdict {
		begun <- body
		<-finish
		if ctx.Err() != nil {
			return job.Verdict{Action: job.Release}
		}
		return job.Verdict{}
	})
	w.push("a", "b")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.pool.Run(ctx) }()
	receive(t, begun)
	cancel()
	close(finish)
	receive(t, ended)
	if s := w.stats(); s.Done != 1 || s.Waiting != 1 || s.Leased != 0 {
		t.Errorf("the queue is %+v, want one done and one untouched", s)
	}
}

// What is not finished when the drain time is over goes back without penalty,
// even if the step calls it a failure.
func TestDrainHandsBackTheRest(t *testing.T) {
	t.Parallel()
	begun := make(chan int, 1)
	w := newWorld(t, redistest.Mini(t), queue.Options{}, func(ctx context.Context, _ string, attempt int) job.Verdict {
		begun <- attempt
		<-ctx.Done()
		return job.Verdict{Action: job.Retry, Delay: time.Hour, Failure: job.Failure{Class: "datadis_unavailable"}}
	})
	w.pool.Drain = 0
	w.push("a")
	stop := w.start()
	receive(t, begun)
	stop()
	if s := w.stats(); s.Waiting != 1 || s.Retried != 0 {
		t.Fatalf("the queue is %+v, want the item waiting, unharmed", s)
	}
	leases, err := w.TryClaim(t.Context(), "other", 1)
	if err != nil || len(leases) != 1 || leases[0].Attempt() != 1 {
		t.Errorf("handed out again: %v, %v", leases, err)
	}
}

// Whoever lost a lease is told, and what it did meanwhile is neither counted
// nor said to be settled.
func TestLostLease(t *testing.T) {
	t.Parallel()
	const lease = 50 * time.Millisecond
	begun, causes := make(chan struct{}), make(chan error, 1)
	w := newWorld(t, redistest.Mini(t), queue.Options{Lease: lease}, func(ctx context.Context, _ string, attempt int) job.Verdict {
		if attempt > 1 {
			return job.Verdict{Counts: map[string]int64{"second": 1}}
		}
		close(begun)
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return job.Verdict{Counts: map[string]int64{"first": 1}}
	})
	w.push("a")
	stop := w.start()
	receive(t, begun)
	// Nobody renews the lease: another process takes the item back and does it.
	other := queue.New(w.client, queue.Devices, "r1", queue.Options{Lease: time.Minute})
	leases, err := other.Claim(t.Context(), "other", 1)
	if err != nil {
		t.Fatal(err)
	}
	leases[0].Count("second", 1)
	if err := leases[0].Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	var tending sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	tending.Go(func() { w.Run(ctx) }) // only now does the first one ask about its lease
	if cause := receive(t, causes); !errors.Is(cause, queue.ErrLost) {
		t.Errorf("the step was stopped because of %v", cause)
	}
	stop()
	cancel()
	tending.Wait()
	if s := w.stats(); s.Done != 1 || s.Counters["first"] != 0 || s.Counters["second"] != 1 {
		t.Errorf("the queue is %+v", s)
	}
	if len(w.settled) != 0 {
		t.Error("an item that was lost is said to be settled")
	}
	if !strings.Contains(w.log.String(), "the lease was lost") {
		t.Errorf("nobody is told: %s", w.log)
	}
}

// An item that makes a step panic costs neither the process nor the other
// items. It counts as one that kills its worker: the third time it is dead.
func TestPanic(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, b *redistest.Backend) {
		w := newWorld(t, b, queue.Options{}, func(_ context.Context, body string, _ int) job.Verdict {
			switch body {
			case "poison":
				var nobody *queue.Queue
				_ = nobody.RunID()
			case "leak":
				panic("the password is hunter2")
			}
			return job.Verdict{}
		})
		w.push("poison", "leak", "good")
		w.pool.CrashDelay = time.Millisecond
		w.start()
		s := w.until("two dead and one done", func(s queue.Stats) bool { return s.Dead == 2 && s.Done == 1 })
		if s.Outstanding() != 0 || s.Reclaimed != 0 {
			t.Errorf("the queue is %+v", s)
		}
		dead, err := w.Dead(t.Context(), queue.DeadFilter{Class: "panic"})
		if err != nil || len(dead) != 2 {
			t.Fatalf("dead: %+v, %v", dead, err)
		}
		for _, d := range dead {
			if d.Crashes != 3 || d.Attempts != 0 || len(d.History) != 3 {
				t.Errorf("%s: %d crashes, %d attempts, %d in its history", d.ID, d.Crashes, d.Attempts, len(d.History))
			}
			want := map[string]string{"poison": "nil pointer", "leak": "a value of type string"}[d.ID]
			if !strings.Contains(d.Reason, want) {
				t.Errorf("%s: the reason is %q, want something of %q", d.ID, d.Reason, want)
			}
		}
		if log := w.log.String(); strings.Contains(log, "hunter2") || !strings.Contains(log, "worker_test.go") {
			t.Errorf("the log must have the stack, and not what the panic said:\n%s", log)
		}
	})
}

// A step that asks for what there is not is a defect; its item stays leased
// until the lease lapses, and is not lost.
func TestUnknownAction(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 1)
	w := newWorld(t, redistest.Mini(t), queue.Options{}, func(context.Context, string, int) job.Verdict {
		begun <- struct{}{}
		return job.Verdict{Action: 99}
	})
	w.push("a")
	stop := w.start()
	receive(t, begun)
	stop()
	if s := w.stats(); s.Leased != 1 || len(w.settled) != 0 {
		t.Errorf("the queue is %+v", s)
	}
}

// Redis is away when an item is done, for longer than anybody waits to say so:
// the lease is given up, and the item is handed out again rather than renewed
// for ever by a process that has forgotten it.
func TestAnItemWhoseEndCannotBeWrittenComesBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	var once sync.Once
	away := make(chan struct{})
	w := newWorld(t, server.Backend(), queue.Options{Lease: time.Second}, func(context.Context, string, int) job.Verdict {
		once.Do(func() {
			server.Kill()
			close(away)
		})
		return job.Verdict{Action: job.Done}
	})
	w.pool.LastWrite = 200 * time.Millisecond
	tending, stop := context.WithCancel(t.Context())
	var tender sync.WaitGroup
	tender.Go(func() { w.Queue.Run(tending) })
	t.Cleanup(func() { stop(); tender.Wait() })
	w.push("a")
	w.start()
	<-away
	for !strings.Contains(w.log.String(), "stays leased") {
		select {
		case <-t.Context().Done():
			t.Fatal("the worker never gave up")
		case <-time.After(10 * time.Millisecond):
		}
	}
	server.Restart()
	w.settle(1)
	stats, err := w.Stats(t.Context())
	if err != nil || stats.Done != 1 || stats.Reclaimed != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
}
