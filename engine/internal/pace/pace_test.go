package pace

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

func TestPace(t *testing.T) {
	t.Parallel()
	redistest.EachAndCluster(t, func(t *testing.T, b *redistest.Backend) {
		t.Parallel()
		client, log := b.Client(t), slog.New(slog.DiscardHandler)
		const perSecond = 200
		began := time.Now()
		var sent atomic.Int32
		var all sync.WaitGroup
		for range 4 { // processes
			p := New(client, perSecond, log)
			for range 4 {
				all.Go(func() {
					for time.Since(began) < 700*time.Millisecond {
						if err := p.Wait(t.Context()); err != nil {
							t.Error(err)
							return
						}
						sent.Add(1)
					}
				})
			}
		}
		all.Wait()
		// A second's worth at once, then the rate, whatever the machine does: a
		// slow one sends fewer, and takes longer.
		if most := perSecond*(1+time.Since(began).Seconds()) + 1; float64(sent.Load()) > most {
			t.Errorf("%d were sent in %s, at most %.0f may be", sent.Load(), time.Since(began), most)
		}
		if sent.Load() < perSecond {
			t.Errorf("%d were sent, fewer than may come at once", sent.Load())
		}
	})
}

func TestPaceEndsWithTheContext(t *testing.T) {
	t.Parallel()
	client := redistest.Mini(t).Client(t)
	p := New(client, 0.001, slog.New(slog.DiscardHandler))
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestPaceWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Backend().Client(t)
	server.Kill()
	p := New(client, 5, slog.New(slog.DiscardHandler))
	for range 5 {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.Wait(ctx); err == nil {
		t.Error("without Redis there is no limit")
	}
}
