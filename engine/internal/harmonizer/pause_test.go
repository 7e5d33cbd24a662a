package harmonizer

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// A plugin that asks for centuries is asked again all the same.
func TestAPluginCannotHoldEverythingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		h := &Harmonizer{stopping: make(chan struct{})}
		if err := h.wait(t.Context(), time.Duration(math.MaxInt64)); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != longestPause {
			t.Errorf("waited for %s", waited)
		}
	})
}
