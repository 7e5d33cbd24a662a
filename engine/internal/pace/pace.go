// Package pace spaces requests out over all processes that share a Redis: the
// generic cell rate algorithm, which lets a short burst through and then one
// request after the other, without the double rate that counting by windows
// allows at their edges.
package pace

import (
	"context"
	_ "embed" // the script
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"
)

//go:embed reserve.lua
var reserveSource string

var reserveScript = redis.NewScript(reserveSource)

// key is when the next request of all processes is due.
const key = "dd:{pace}:due"

// Pace is a limit that processes share. It implements datadis.Limiter.
type Pace struct {
	client   redis.UniversalClient
	interval time.Duration
	burst    time.Duration // how far ahead of their time requests may be
	alone    *rate.Limiter // while Redis does not answer
	log      *slog.Logger
}

// New is a limit of so many requests per second over all processes; up to a
// second's worth may come at once.
func New(client redis.UniversalClient, perSecond float64, log *slog.Logger) *Pace {
	interval := time.Duration(float64(time.Second) / perSecond)
	return &Pace{
		client: client, interval: interval, burst: max(time.Second-interval, 0),
		alone: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond))), log: log,
	}
}

// Wait returns when one more request may be sent. While Redis does not answer,
// the process keeps to the limit by itself.
func (p *Pace) Wait(ctx context.Context) error {
	wait, err := reserveScript.Run(ctx, p.client, []string{key}, p.interval.Microseconds(), p.burst.Microseconds()).Int64()
	if err != nil && ctx.Err() == nil {
		p.log.Warn("the pace that all processes share is not known; keeping to it alone", "error", err)
		return p.alone.Wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("wait for the pace: %w", context.Cause(ctx))
	}
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(wait) * time.Microsecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for the pace: %w", context.Cause(ctx))
	case <-timer.C:
		return nil
	}
}
