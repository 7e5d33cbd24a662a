package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// tick is how often the Redis server's clock is moved on: keys expire that much
// late at most.
const tick = 50 * time.Millisecond

// Redis is a Redis protocol server in memory.
type Redis struct {
	server   *miniredis.Miniredis
	password string
	cancel   context.CancelFunc
	ticking  sync.WaitGroup
}

// StartRedis starts a server on a free port of 127.0.0.1. It runs until it is
// closed or ctx is done; close it in either case.
func StartRedis(ctx context.Context) (*Redis, error) {
	r := &Redis{server: miniredis.NewMiniRedis(), password: rand.Text()}
	r.server.RequireAuth(r.password)
	if err := r.server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the embedded Redis server: %w", err)
	}
	ctx, r.cancel = context.WithCancel(ctx)
	r.ticking.Go(func() { r.run(ctx) })
	return r, nil
}

// run moves the clock on: by itself the server lets no key expire.
func (r *Redis) run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// By what has passed, not by a tick: tickers drop ticks.
			now := time.Now()
			r.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// URL is how to reach the server, the password included: do not log it.
func (r *Redis) URL() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", r.password), Host: r.server.Addr(), Path: "/0"}
	return u.String()
}

// Close stops the server and forgets its data.
func (r *Redis) Close() {
	r.cancel()
	r.ticking.Wait()
	r.server.Close()
}
