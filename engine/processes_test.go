package main

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/engine/internal/truthtest"
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

// The listing of a user comes so late that the supplies it shares with another
// are done: the second source still gets every chunk, and Datadis is not asked
// again.
func TestFleetListsLate(t *testing.T) {
	t.Parallel()
	world := smallWorld()
	world.Logins = append(world.Logins, simulator.Login{Username: "X1234567L", Password: "also right"})
	world.Consents = []simulator.Consent{{Holder: "12345678Z", Login: "X1234567L"}}
	release := make(chan struct{})
	late := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "get-supplies") && r.URL.Query().Get("authorizedNif") != "" {
				<-release
			}
			next.ServeHTTP(w, r)
		})
	}
	f := newFleet(t, simulator.Config{Seed: 24, World: world}, late)
	f.start("producer", "--policy", "repair").finish()
	consumer := f.start("consumer", "--once")
	devices := f.queue(queue.Devices)
	f.until("the supplies to be done", func() bool {
		stats, err := devices().Stats(t.Context())
		return err == nil && stats.Done == 2
	})
	asked := f.answered()
	close(release)
	consumer.finish()
	if again := f.answered(); again != asked {
		t.Errorf("%d queries were made for the second source", again-asked)
	}
	f.checkEnd()
	if repeats := f.checkTopics(); repeats != 0 {
		t.Errorf("%d messages were published twice", repeats)
	}
}

// A second run over the same data asks nothing that was answered, and publishes
// nothing.
func TestFleetPublishesOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Config{Seed: 25, World: smallWorld()})
	f.environ = append(f.environ, "DATADIS_RUN_KEEP=1s")
	pass := func() envelope.EndOffsets {
		f.start("producer", "--policy", "repair").finish()
		f.start("consumer", "--once").finish()
		return f.ends("north", "south", "harm", "raw")
	}
	first := pass()
	gone := f.queue(queue.Devices)().RunID()
	second := pass()
	devices := f.queue(queue.Devices)() // the newest run's
	if stats, err := queue.New(f.client(f.devices), queue.Devices, gone, queue.Options{}).Stats(t.Context()); err != nil || stats.Enqueued != 0 {
		t.Errorf("the queue of a run that was over long ago has %+v, %v", stats, err)
	}
	if stats, err := devices.Stats(t.Context()); err != nil || stats.Enqueued != 2 {
		t.Errorf("the queue of the last run has %+v, %v", stats, err)
	}
	if !reflect.DeepEqual(first, second) {
		t.Errorf("the topics ended at %v, and after the second run at %v", first, second)
	}
	f.answered()
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

// With kafka.final_message each partition of the static topic, the first one
// too, gets one end marker for each run, after everything of it.
func TestFleetMarksTheEnd(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Config{Seed: 26, World: smallWorld()})
	f.environ = append(f.environ, "DATADIS_KAFKA_FINAL_MESSAGE=true")
	f.start("producer", "--policy", "repair").finish()
	consumers := []*member{f.start("consumer", "--once"), f.start("consumer", "--once")}
	for _, c := range consumers {
		c.finish()
	}
	f.checkEnd()
	marked := make(map[int32]int)
	last := make(map[int32]truthtest.Record)
	for _, r := range f.records("harm") {
		if strings.Contains(string(r.Value), "FINAL_MESSAGE") {
			marked[r.Partition]++
		}
		last[r.Partition] = r
	}
	for partition := range int32(3) {
		if marked[partition] != 1 || !strings.Contains(string(last[partition].Value), `"dblist":["north","south"]`) {
			t.Errorf("partition %d has %d end markers, and ends with %s", partition, marked[partition], last[partition].Value)
		}
	}
}

// A source that is new gets what others have from the raw copies, and one whose
// topic was lost gets it again under the same revisions. Datadis is not asked.
func TestFleetReplays(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Config{Seed: 27, World: smallWorld()})
	f.start("producer", "--policy", "repair").finish()
	f.start("consumer", "--once").finish()
	before := len(f.simulator.Requests())
	f.write("plugins/config_east.json", fmt.Sprintf(`{"plugin": "file", "path": "users_north.csv", "topic": "%s.east"}`, f.prefix))
	f.wanted["east"] = f.wanted["north"]
	for _, source := range []string{"east", "north"} {
		replay := f.start("replay", "--source", source)
		replay.finish()
		if out := replay.stdout.String(); !strings.Contains(out, "2 supplies, 28 chunks") {
			t.Errorf("%s: %s", source, out)
		}
	}
	if asked := len(f.simulator.Requests()) - before; asked != 0 {
		t.Errorf("Datadis was asked %d times", asked)
	}
	published := truthtest.Time(f, f.records("north", "south", "east"))
	for source, cups := range f.wanted {
		if d := truthtest.Compare(published.BySource[source], f.truth(cups)); !d.None() || d.Right == 0 {
			t.Errorf("topic of %s: %s", source, d)
		}
	}
	if published.Repeats == 0 || len(published.Clashes) > 0 {
		t.Errorf("%d messages came again, clashes: %v", published.Repeats, published.Clashes)
	}
}
