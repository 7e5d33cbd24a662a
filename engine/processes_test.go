package main

import (
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/sdk"
)

// The flow as separate processes on real servers: each entitled chunk is in
// its sources' topics and files once, and the run ends once.
func TestFleet(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Config{Seed: 21, Accounts: 3, Supplies: 2})
	harmonizers := []*member{f.start("harmonizer"), f.start("harmonizer")}
	f.start("producer", "--policy", "repair").finish()
	consumers := []*member{f.start("consumer", "--once"), f.start("consumer", "--once")}
	for _, c := range consumers {
		c.finish()
		if !strings.Contains(c.stdout.String(), "reclaimed 0") {
			t.Errorf("summary: %s", c.stdout.String())
		}
	}
	end := f.checkEnd()
	if end.Outcome != sdk.Complete || len(end.FailedGrants) > 0 {
		t.Errorf("the end: %+v", end)
	}
	if repeats := f.checkTopics(); repeats != 0 {
		t.Errorf("%d messages were published twice", repeats)
	}
	f.answered()
	f.harmonized(end.Run)
	f.checkFiles()
	for _, h := range harmonizers {
		h.terminate()
	}
}
