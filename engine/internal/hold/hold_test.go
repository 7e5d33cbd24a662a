package hold

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

// take takes a hold, or fails the test.
func take(t *testing.T, h *Holds, name string) (context.Context, func()) {
	t.Helper()
	held, release, err := h.Take(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return held, release
}

func TestHolds(t *testing.T) {
	t.Parallel()
	redistest.EachAndCluster(t, func(t *testing.T, b *redistest.Backend) {
		t.Parallel()
		client, log := b.Client(t), slog.New(slog.DiscardHandler)
		one, other := New(client, "one", time.Minute, log), New(client, "other", time.Minute, log)
		t.Run("one at a time", func(t *testing.T) {
			_, release := take(t, one, "a")
			for _, h := range []*Holds{one, other} {
				if _, _, err := h.Take(t.Context(), "a"); !errors.Is(err, ErrHeld) {
					t.Errorf("got %v, want %v", err, ErrHeld)
				}
			}
			take(t, other, "b")
			release()
			_, release = take(t, other, "a")
			release()
		})
		t.Run("is renewed while it is held", func(t *testing.T) {
			brief := New(client, "brief", time.Second, log) // long enough for a machine that is busy
			held, release := take(t, brief, "c")
			defer release()
			until := time.Now().Add(2500 * time.Millisecond)
			for time.Now().Before(until) {
				if _, _, err := other.Take(t.Context(), "c"); !errors.Is(err, ErrHeld) {
					t.Fatalf("got %v, want %v", err, ErrHeld)
				}
			}
			if held.Err() != nil {
				t.Errorf("lost: %v", context.Cause(held))
			}
		})
		t.Run("one that lapsed and was taken is lost", func(t *testing.T) {
			brief := New(client, "late", 60*time.Millisecond, log)
			held, release := take(t, brief, "d")
			if err := client.Set(t.Context(), key("d"), "thief", time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			<-held.Done()
			if !errors.Is(context.Cause(held), ErrLost) {
				t.Errorf("cause: %v", context.Cause(held))
			}
			release()
			if owner := client.Get(t.Context(), key("d")).Val(); owner != "thief" {
				t.Errorf("the release took %q from its owner", owner)
			}
		})
		t.Run("many who want it", func(t *testing.T) {
			var inside, rounds atomic.Int32
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for rounds.Load() < 50 {
						_, release, err := one.Take(t.Context(), "e")
						if errors.Is(err, ErrHeld) {
							continue
						}
						if err != nil || inside.Add(1) > 1 {
							t.Errorf("error %v, or two inside", err)
						}
						rounds.Add(1)
						inside.Add(-1)
						release()
					}
				})
			}
			all.Wait()
		})
	})
}
