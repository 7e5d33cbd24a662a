package health

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadyIsWhatEveryCheckSays(t *testing.T) {
	t.Parallel()
	var b Board
	if b.Report().Ready {
		t.Error("ready before anything was checked")
	}
	b.Set("redis", true, "ignored")
	b.Set("kafka", false, "Kafka does not answer")
	r := b.Report()
	if r.Ready || !slices.Equal(r.Reasons(), []string{"kafka: Kafka does not answer"}) {
		t.Errorf("report %+v", r)
	}
	b.Set("kafka", true, "")
	if r := b.Report(); !r.Ready || len(r.Reasons()) > 0 {
		t.Errorf("report %+v", r)
	}
	b.Drain()
	if r := b.Report(); r.Ready || !slices.Equal(r.Reasons(), []string{"draining"}) {
		t.Errorf("a draining process: %+v", r)
	}
}

func TestFailuresThatNobodyEndsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b Board
		b.Set("key", true, "")
		b.Fail("key", "unknown", time.Minute)
		time.Sleep(50 * time.Second)
		b.Fail("key", "unknown", time.Minute) // it was said again
		time.Sleep(50 * time.Second)
		if b.Report().Ready {
			t.Error("ready 50 s after the last failure")
		}
		time.Sleep(11 * time.Second)
		if r := b.Report(); !r.Ready {
			t.Errorf("61 s after the last failure: %+v", r)
		}
	})
}

func TestSinceIsWhenItChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b Board
		b.Set("redis", true, "")
		first := b.Report().Checks[0].Since
		time.Sleep(time.Second)
		b.Set("redis", true, "")
		if !b.Report().Checks[0].Since.Equal(first) {
			t.Error("since moved though nothing changed")
		}
		time.Sleep(time.Second)
		b.Set("redis", false, "gone")
		if got := b.Report().Checks[0].Since.Sub(first); got != 2*time.Second {
			t.Errorf("changed after %s, want 2s", got)
		}
	})
}
