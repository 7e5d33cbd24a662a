// Package hold lets one worker at a time deal with a thing, over all runs and
// processes: two runs of different policies may want the same supply at once,
// and Datadis would refuse what both ask.
//
// A hold is a key in Redis that lapses when its owner stops renewing it. It
// saves work; what must not happen twice is refused by the ledger.
package hold

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Errors that callers decide on.
var (
	// ErrHeld: somebody else has it.
	ErrHeld = errors.New("somebody else holds it")
	// ErrLost is the cause of a context whose hold lapsed and was taken.
	ErrLost = errors.New("the hold is lost")
)

var (
	//go:embed renew.lua
	renewSource string
	//go:embed release.lua
	releaseSource string

	renewScript   = redis.NewScript(renewSource)
	releaseScript = redis.NewScript(releaseSource)
)

// Holds of one process.
type Holds struct {
	client redis.UniversalClient
	owner  string // names the process
	life   time.Duration
	log    *slog.Logger
	count  atomic.Int64
}

// New returns the holds of a process, which lapse that long after it stopped.
func New(client redis.UniversalClient, owner string, life time.Duration, log *slog.Logger) *Holds {
	return &Holds{client: client, owner: owner, life: life, log: log}
}

func key(name string) string { return "dd:hold:{" + name + "}" }

// lastWrite is how long giving a hold back may take; else it lapses.
const lastWrite = 5 * time.Second

// Take takes the hold of a name, or fails with ErrHeld. The returned context
// ends with ctx, and when the hold is lost. Release must be called.
func (h *Holds) Take(ctx context.Context, name string) (held context.Context, release func(), err error) {
	token := h.owner + ":" + strconv.FormatInt(h.count.Add(1), 10)
	mine, err := h.client.SetNX(ctx, key(name), token, h.life).Result()
	if err != nil {
		return nil, nil, fmt.Errorf("take a hold: %w", err)
	}
	if !mine {
		return nil, nil, ErrHeld
	}
	held, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { h.renew(held, name, token, cancel) })
	return held, func() {
		cancel(context.Canceled)
		renewing.Wait()
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
		defer stop()
		if err := releaseScript.Run(last, h.client, []string{key(name)}, token).Err(); err != nil {
			h.log.Warn("a hold was not given back; it lapses by itself", "after", h.life, "error", err)
		}
	}, nil
}

// renew keeps the hold until the context ends. That Redis does not answer is no
// reason to stop: nobody else can take the hold there either.
func (h *Holds) renew(ctx context.Context, name, token string, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(h.life / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		kept, err := renewScript.Run(ctx, h.client, []string{key(name)}, token, h.life.Milliseconds()).Int()
		switch {
		case err != nil && ctx.Err() == nil:
			h.log.Warn("a hold could not be renewed; trying again", "error", err)
		case err == nil && kept == 0:
			cancel(ErrLost)
			return
		}
	}
}
