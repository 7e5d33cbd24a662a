package login

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

// state reads a login's state, or fails the test.
func state(t *testing.T, b *Book, id string) State {
	t.Helper()
	s, err := b.State(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refused notes a refusal, or fails the test.
func refused(t *testing.T, b *Book, id string) (State, bool) {
	t.Helper()
	s, first, err := b.Refuse(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s, first
}

func TestBook(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, backend *redistest.Backend) {
		t.Parallel()
		client := backend.Client(t)
		t.Run("refused twice too soon is refused once", func(t *testing.T) {
			b := NewBook(client, "soon", time.Hour)
			if s, _ := refused(t, b, "l"); s.Kind != Refused || time.Until(s.Until) < 59*time.Minute {
				t.Errorf("after the first refusal: %+v", s)
			}
			if s, first := refused(t, b, "l"); s.Kind != Refused || first {
				t.Errorf("after a second one at once: %+v, %t", s, first)
			}
			if s := state(t, b, "l"); s.Kind != Refused || time.Until(s.Until) < 59*time.Minute {
				t.Errorf("state: %+v", s)
			}
		})
		t.Run("refused again after the retry time is rejected, once", func(t *testing.T) {
			b := NewBook(client, "again", 0)
			refused(t, b, "l")
			var firsts atomic.Int32
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					if s, first := refused(t, b, "l"); s.Kind != Rejected {
						t.Errorf("state: %+v", s)
					} else if first {
						firsts.Add(1)
					}
				})
			}
			all.Wait()
			if firsts.Load() != 1 || state(t, b, "l").Kind != Rejected {
				t.Errorf("rejected %d times, state %+v", firsts.Load(), state(t, b, "l"))
			}
		})
		t.Run("accepted is counted once, and clears a refusal", func(t *testing.T) {
			b := NewBook(client, "accept", 0)
			refused(t, b, "l")
			for i := range 3 {
				if first, err := b.Accept(t.Context(), "l"); err != nil || first != (i == 0) {
					t.Errorf("accept %d: %t, %v", i, first, err)
				}
			}
			if s := state(t, b, "l"); s.Kind != Accepted {
				t.Errorf("state: %+v", s)
			}
			if s, _ := refused(t, b, "l"); s.Kind != Refused {
				t.Errorf("one refusal of a login that worked: %+v", s)
			}
		})
		t.Run("runs are apart, and forgotten", func(t *testing.T) {
			b, other := NewBook(client, "one", 0), NewBook(client, "two", 0)
			refused(t, b, "l")
			if s := state(t, other, "l"); s.Kind != Unknown {
				t.Errorf("in another run: %+v", s)
			}
			if err := b.Forget(t.Context()); err != nil || state(t, b, "l").Kind != Unknown {
				t.Errorf("after Forget: %+v, %v", state(t, b, "l"), err)
			}
		})
	})
}
