package main

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/queue"
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
	f.harmonized()
	f.checkFiles()
	for _, h := range harmonizers {
		h.terminate()
	}
}

// A consumer dies with its hands full and a harmonizer in the middle of its
// work; those that were there before, or come later, finish.
func TestFleetSurvivesKills(t *testing.T) {
	t.Parallel()
	slow := simulator.Rule{Match: simulator.Match{Endpoint: "data"}, Fault: simulator.Fault{Kind: simulator.Kind{"latency"}, Delay: simulator.Duration(150 * time.Millisecond)}}
	f := newFleet(t, simulator.Config{Seed: 22, World: smallWorld(), Faults: []simulator.Rule{slow}, RepeatAfter: repeatSoon})
	f.environ = append(f.environ, "DATADIS_DATADIS_REPEAT_AFTER="+repeatSoon.String())
	first := f.start("harmonizer")
	var both sync.WaitGroup
	for range 2 { // producers at once share a run, or the second finds nothing to do
		producer := f.start("producer", "--policy", "repair")
		both.Go(func() { <-producer.ended })
		defer producer.finish()
	}
	victim := f.start("consumer", "--once")
	both.Wait()
	devices := f.queue(queue.Devices)
	f.until("the consumer to hold leases and to wait for answers", func() bool {
		stats, err := devices().Stats(t.Context())
		return err == nil && stats.Leased > 0 && len(f.simulator.Requests()) > 12
	})
	victim.kill()
	heir := f.start("consumer", "--once")
	f.until("the harmonizer to write files", func() bool { return f.rows() > 0 })
	first.kill()
	second := f.start("harmonizer")
	heir.finish()
	if out := heir.stdout.String(); strings.Contains(out, "reclaimed 0") {
		t.Errorf("nothing was reclaimed: %s", out)
	}
	f.checkEnd()
	f.checkTopics()
	// Two answers may have been on their way to the one that died.
	if refused := f.repeated(); refused > 2 {
		t.Errorf("%d queries were refused as repeated", refused)
	}
	f.harmonized()
	f.checkFiles()
	second.terminate()
}

// SIGTERM in the middle of a call: the call is finished, its answer published
// and recorded, the rest is handed back, and another consumer goes on.
func TestFleetDrains(t *testing.T) {
	t.Parallel()
	slow := simulator.Rule{
		Match: simulator.Match{Endpoint: "data"}, Times: 4,
		Fault: simulator.Fault{Kind: simulator.Kind{"latency"}, Delay: simulator.Duration(3 * time.Second)},
	}
	f := newFleet(t, simulator.Config{Seed: 23, World: smallWorld(), Faults: []simulator.Rule{slow}})
	f.start("producer", "--policy", "repair").finish()
	drained := f.start("consumer")
	devices := f.queue(queue.Devices)
	f.until("a call to be under way", func() bool {
		stats, err := devices().Stats(t.Context())
		return err == nil && stats.Leased == 2
	})
	drained.terminate()
	stats, err := devices().Stats(t.Context())
	if err != nil || stats.Leased != 0 || stats.Reclaimed != 0 || stats.Retried != 0 || stats.Outstanding() == 0 {
		t.Errorf("after the drain: %+v, %v", stats, err)
	}
	for _, r := range f.simulator.Requests() {
		if r.Abandoned {
			t.Errorf("a call was given up: %+v", r)
		}
	}
	if calls := f.answered(); calls < 2 || calls > 4 {
		t.Errorf("%d calls were answered, want those that were under way", calls)
	}
	f.start("consumer", "--once").finish()
	if repeats := f.checkTopics(); repeats != 0 {
		t.Errorf("%d messages were published twice", repeats)
	}
	f.answered()
}
