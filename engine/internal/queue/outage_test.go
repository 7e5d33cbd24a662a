package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redisaccess"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

const (
	outageItems   = 300
	outageWorkers = 8
	// outageLease is short: leases whose claim was not answered must lapse.
	outageLease = 2 * time.Second
)

// openURL opens an address as the commands do.
func openURL(t *testing.T, address string) redis.UniversalClient {
	t.Helper()
	client, err := redisaccess.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// outage is a queue whose server goes away in the middle of the work.
type outage struct {
	*world
	q        *queue.Queue
	done     atomic.Int64
	failures atomic.Int64
}

func newOutage(t *testing.T, client redis.UniversalClient) *outage {
	w := newWorld(t, client)
	o := &outage{world: w, q: queue.New(client, queue.Users, w.run, queue.Options{Lease: outageLease, Cap: outageWorkers})}
	var items []queue.Item
	for i := range outageItems {
		items = append(items, item(fmt.Sprintf("i%03d", i), fmt.Sprintf("g%d", i%5)))
	}
	w.push(o.q, items...)
	w.no(o.q.Close(w.ctx))
	return o
}

// through does all items, and calls the interruptions one after the other while
// it does.
func (o *outage) through(interruptions ...func()) {
	o.start(o.q)
	var work sync.WaitGroup
	for i := range outageWorkers {
		work.Go(func() { o.work(fmt.Sprintf("w%d", i)) })
	}
	for i, interrupt := range interruptions {
		enough := int64(outageItems * (i + 1) / (len(interruptions) + 2))
		o.until(func() bool { return o.done.Load() >= enough })
		interrupt()
	}
	o.until(func() bool {
		sealed, _, err := o.q.Seal(o.ctx)
		return err == nil && sealed
	})
	work.Wait()
	s := o.stats(o.q)
	if s.Enqueued != outageItems || s.Done != outageItems || s.Dead != 0 {
		o.t.Errorf("stats %+v", s)
	}
	o.t.Logf("%d calls failed, %d leases lapsed", o.failures.Load(), s.Reclaimed)
}

// until waits until it is so.
func (o *outage) until(so func() bool) {
	o.t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !so() {
		select {
		case <-poll.C:
		case <-o.ctx.Done():
			o.t.Fatalf("after %d items: %v", o.done.Load(), o.ctx.Err())
		}
	}
}

// work does items until the queue is sealed. A call that fails is repeated, as
// the engine's workers do.
func (o *outage) work(name string) {
	for o.ctx.Err() == nil {
		leases, err := o.q.Claim(o.ctx, name, 2)
		if errors.Is(err, queue.ErrSealed) {
			return
		}
		if err != nil {
			o.failures.Add(1)
			o.pause()
			continue
		}
		for _, l := range leases {
			o.finish(l)
		}
	}
}

func (o *outage) finish(l *queue.Lease) {
	for o.ctx.Err() == nil {
		err := l.Done(o.ctx)
		if err == nil {
			o.done.Add(1)
		}
		if err == nil || errors.Is(err, queue.ErrLost) {
			return
		}
		o.failures.Add(1)
		o.pause()
	}
}

func (o *outage) pause() {
	ctx, cancel := context.WithTimeout(o.ctx, 10*time.Millisecond)
	defer cancel()
	<-ctx.Done() // between two tries
}

// A server that is stopped, or killed, and started again on its append-only file
// has lost nothing.
func TestQueueGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	o := newOutage(t, openURL(t, server.URL()))
	o.through(
		func() { server.Stop(); server.Restart() },
		func() { server.Kill(); server.Restart() },
	)
}

// When the master dies, the queue goes on with the replica that Sentinel makes
// the new one. What the dead master confirmed last may be done again.
func TestQueueGoesOnAfterAFailover(t *testing.T) {
	t.Parallel()
	servers := redistest.Sentinel(t)
	o := newOutage(t, openURL(t, servers.URL()))
	servers.Synchronise(t)
	o.through(servers.Kill)
	if master := openURL(t, servers.Server.URL()).Ping(t.Context()).Err(); master == nil {
		t.Error("the first master is still there")
	}
}

// A full server takes nothing in, and says so; what it has is neither lost nor
// done twice.
func TestQueueOnAFullServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	admin := server.Backend().Admin(t, 0)
	o := newOutage(t, openURL(t, server.URL()))
	held, err := o.q.TryClaim(o.ctx, "early", 1)
	o.no(err)
	o.no(admin.ConfigSet(o.ctx, "maxmemory", "1").Err())
	_, err = o.q.Push(o.ctx, item("more", "g0"))
	if err == nil || !strings.Contains(err.Error(), "the memory of Redis is full") {
		t.Errorf("pushing to a full server: %v", err)
	}
	full := o.stats(o.q)
	if full.Enqueued != outageItems || full.Leased != 1 {
		t.Errorf("on the full server: %+v", full)
	}
	o.no(held[0].Done(o.ctx)) // what is under way can be ended
	o.done.Add(1)
	o.no(admin.ConfigSet(o.ctx, "maxmemory", "0").Err())
	o.through()
}
