package simulator

import (
	"sync"
	"time"
)

// clock is a source of time that can be set, advanced and stopped.
type clock struct {
	source func() time.Time

	mu      sync.Mutex
	offset  time.Duration
	stopped *time.Time
}

// StartingAt is a clock for [Config.Now] that shows start now and runs on.
func StartingAt(start time.Time) func() time.Time {
	began := time.Now()
	return func() time.Time { return start.Add(time.Since(began)) }
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped != nil {
		return *c.stopped
	}
	return c.source().Add(c.offset)
}

// set makes the clock show t, running or not as before.
func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setLocked(t)
}

// advance moves the clock by d, which may be negative.
func (c *clock) advance(d time.Duration) { c.set(c.now().Add(d)) }

// stop holds the clock where it is, or lets it run on from there.
func (c *clock) stop(stopped bool) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = nil
	if stopped {
		c.stopped = &now
		return
	}
	c.setLocked(now)
}

func (c *clock) setLocked(t time.Time) {
	if c.stopped != nil {
		c.stopped = &t
		return
	}
	c.offset = t.Sub(c.source())
}

func (c *clock) isStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped != nil
}
