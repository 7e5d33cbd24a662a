package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/queue"
)

const (
	chaosItems  = 600
	chaosGroups = 12
	chaosCap    = 2
	chaosLease  = 300 * time.Millisecond
	poison      = "i000007"
)

// chaos is what workers and the test tell each other.
type chaos struct {
	*world
	q *queue.Queue

	mu      sync.Mutex
	ended   map[string]int // how often an item was confirmed as done
	refused int            // confirmations that came too late
}

// testChaos attacks invariant 7: workers are killed and stall, an item kills all of its workers, a
// producer pushes everything twice meanwhile. Every item is done exactly once
// by the counters, no group exceeds its cap, and the queue can be sealed.
func testChaos(t *testing.T, w *world) {
	c := &chaos{world: w, ended: map[string]int{}}
	c.q = queue.New(w.client, queue.Users, w.run, queue.Options{Lease: chaosLease, Cap: chaosCap})
	w.start(c.q)
	var work sync.WaitGroup
	for i := range 16 {
		work.Go(func() { c.work(fmt.Sprintf("w%d", i)) })
	}
	work.Go(func() { c.produce() })
	sealed := false
	for !sealed && w.ctx.Err() == nil {
		c.checkCap()
		var err error
		sealed, _, err = c.q.Seal(w.ctx)
		w.no(err)
	}
	work.Wait()
	s := w.stats(c.q)
	if s.Enqueued != chaosItems || s.Done != chaosItems-1 || s.Dead != 1 || s.Outstanding() != 0 {
		t.Errorf("stats %+v", s)
	}
	if s.Counters["done"] != chaosItems-1 {
		t.Errorf("counted %d", s.Counters["done"])
	}
	dead, err := c.q.Dead(w.ctx, queue.DeadFilter{})
	if err != nil || ids(dead) != poison || dead[0].Class != "crash" {
		t.Errorf("dead %+v, %v", dead, err)
	}
	for id, n := range c.ended {
		if n != 1 {
			t.Errorf("%s was confirmed %d times", id, n)
		}
	}
	t.Logf("%d leases lapsed, %d workers were refused as they were too late", s.Reclaimed, c.refused)
}

// produce pushes all items twice, in small lots.
func (c *chaos) produce() {
	for range 2 {
		for i := 0; i < chaosItems; i += 20 {
			var lot []queue.Item
			for n := i; n < i+20; n++ {
				lot = append(lot, item(fmt.Sprintf("i%06d", n), fmt.Sprintf("g%d", n%chaosGroups)))
			}
			if _, err := c.q.Push(c.ctx, lot...); err != nil {
				c.t.Errorf("push: %v", err)
			}
		}
	}
	if err := c.q.Close(c.ctx); err != nil {
		c.t.Errorf("close: %v", err)
	}
}

// work does items until the queue is sealed. Now and then the worker is killed
// in the middle: nobody renews its lease, or ends it. Now and then it stalls
// until its lease was lost, and then goes on as if nothing had happened.
func (c *chaos) work(name string) {
	for {
		leases, err := c.q.Claim(c.ctx, name, 1+rand.N(3))
		if errors.Is(err, queue.ErrSealed) {
			return
		}
		if err != nil {
			c.t.Errorf("claim: %v", err)
			return
		}
		for _, l := range leases {
			switch n := rand.N(100); {
			case l.Item().ID == poison, n < 4 && l.Attempt() == 1:
				queue.Forget(l)
			case n < 6 && l.Attempt() == 1:
				c.stall(l)
			default:
				c.finish(l)
			}
		}
	}
}

func (c *chaos) stall(l *queue.Lease) {
	queue.Forget(l)
	ctx, cancel := context.WithTimeout(c.ctx, chaosLease*5/2)
	defer cancel()
	<-ctx.Done() // the time that the stall takes is what is tested
	c.finish(l)
}

func (c *chaos) finish(l *queue.Lease) {
	l.Count("done", 1)
	err := l.Done(c.ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.ended[l.Item().ID]++
	case errors.Is(err, queue.ErrLost):
		c.refused++
	default:
		c.t.Errorf("done: %v", err)
	}
}

// checkCap looks at what is in flight per group.
func (c *chaos) checkCap() {
	inFlight, err := c.client.HGetAll(c.ctx, "dd:{u:"+c.run+"}:i").Result()
	c.no(err)
	for group, n := range inFlight {
		if n > "2" {
			c.t.Errorf("group %s has %s items in flight", group, n)
		}
	}
}
