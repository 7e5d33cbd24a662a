package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/engine/internal/truthtest"
)

// `make chaos` sets these; the defaults are the short chaos of `make test`.
var (
	chaosSeed    = flag.Uint64("chaos-seed", 1, "what happens in TestChaos, and when")
	chaosMinutes = flag.Float64("chaos-minutes", 0.3, "how long TestChaos kills and stops, before all comes to rest")
	chaosLogs    = flag.String("chaos-logs", "", "an existing folder for the logs of TestChaos, to be kept")
)

// chaosDay is how long Datadis refuses to repeat an answer in a chaos: so long
// is a simulated day. It is longer than any process is frozen.
const chaosDay = 12 * time.Second

// maxDays is how many simulated days all may take to come to rest.
const maxDays = 15

// Processes are killed, stopped and frozen at random, the servers too, and
// Datadis fails in all of its ways. Afterwards, once all has come to rest,
// nothing is lost, nothing is doubled, nobody has what is not theirs, and no
// query was repeated without a reason.
func TestChaos(t *testing.T) {
	t.Parallel()
	length := time.Duration(*chaosMinutes * float64(time.Minute))
	c := newChaos(t, *chaosSeed, length)
	t.Logf("seed %d, %s; the plan:\n%s", *chaosSeed, length, c.plan)
	c.rage()
	days := c.settle()
	c.check(days)
}

// The plan of a seed is always the same, hits everything, and ends with all
// servers running.
func TestChaosPlans(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		plan := planFor(seed, 20*time.Second)
		if plan.String() != planFor(seed, 20*time.Second).String() {
			t.Errorf("the plan of seed %d differs from time to time", seed)
		}
		for _, name := range servings {
			down, up := plan.planned(killIt, name)+plan.planned(stopIt, name), plan.planned(startIt, name)
			if down == 0 || up != down {
				t.Errorf("seed %d: %s goes down %d times and comes back %d times", seed, name, down, up)
			}
		}
		if hits := plan.planned(killIt, "") + plan.planned(stopIt, "") + plan.planned(freezeIt, ""); hits < 6 {
			t.Errorf("seed %d hits %d times", seed, hits)
		}
	}
	if planFor(1, time.Minute).String() == planFor(2, time.Minute).String() {
		t.Error("two seeds have one plan")
	}
}

// chaos is one run of the suite.
type chaos struct {
	*fleet
	plan     chaosPlan
	crowd    *crowd
	outages  *outages
	bodies   *bodies
	registry *runs.Registry
	truths   map[string]truthtest.Readings // by source; see want
	over     time.Time                     // when the chaos was over, and the rest began

	stopProducers, stopOthers context.CancelFunc
}

// newChaos brings everything up.
func newChaos(t *testing.T, seed uint64, length time.Duration) *chaos {
	t.Helper()
	users, devices := redistest.Start(t), redistest.Start(t)
	broker := kafkatest.Start(t)
	c := &chaos{
		plan:   planFor(seed, length),
		bodies: &bodies{served: make(map[[32]byte]bool)},
		outages: &outages{
			servers: map[string]server{"redis-users": users, "redis-devices": devices, "kafka": broker},
			log:     make(map[string][]outage),
		},
	}
	config := simulator.Config{
		Seed: seed, World: chaosWorld(t, seed, length), RepeatAfter: chaosDay, Faults: chaosFaults(),
		Latency: simulator.Latency{Min: 100 * time.Millisecond, Max: time.Second},
	}
	c.fleet = newFleetOn(t, config, users.URL(), devices.URL(), broker.Bootstrap(), c.bodies.wrap)
	c.environ = append(c.environ,
		"DATADIS_DATADIS_REPEAT_AFTER="+chaosDay.String(), "DATADIS_DATADIS_TIMEOUT=5s",
		// A member of a group that was killed is missed for as long as this.
		"DATADIS_KAFKA_CONNECTION_SESSION_TIMEOUT_MS=6000",
	)
	client, err := openRedis("", settings.NewURL(users.URL()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	c.registry = runs.NewRegistry(client, time.Minute)
	c.crowd = newCrowd(c.fleet)
	return c
}

// newCrowd is all slots, as yet without processes.
func newCrowd(f *fleet) *crowd {
	c := &crowd{f: f, slots: make(map[string]*slot), logs: *chaosLogs}
	if c.logs == "" {
		c.logs = f.TempDir()
	}
	for _, name := range consumers {
		c.slots[name] = &slot{name: name, rest: 200 * time.Millisecond, args: func(int) []string { return []string{"consumer"} }}
	}
	for _, name := range harmonizers {
		c.slots[name] = &slot{name: name, rest: 200 * time.Millisecond, args: func(int) []string { return []string{"harmonizer"} }}
	}
	for i, name := range producers { // now and then both policies are at work
		c.slots[name] = &slot{name: name, rest: 3 * time.Second, args: func(nth int) []string {
			return []string{"producer", "--policy", []string{"repair", "last", "repair"}[(nth+i)%3]}
		}}
	}
	return c
}

// chaosWorld has so many supplies that there is work for as long as the chaos
// lasts.
func chaosWorld(t *testing.T, seed uint64, length time.Duration) *simulator.World {
	t.Helper()
	supplies := max(2, int(math.Ceil(3*length.Minutes())))
	made, err := simulator.New(simulator.Config{Seed: seed, Accounts: 3, Supplies: supplies})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = made.Close() }()
	world := made.World()
	for i := range world.Supplies {
		world.Supplies[i].From = time.Now().AddDate(0, -8-i%4, 0).Format("2006-01-02")
		world.Supplies[i].Earlier = nil
	}
	return &world
}

// chaosFaults are how Datadis fails: its gateways, its pages, its connections,
// its limits.
func chaosFaults() []simulator.Rule {
	limit := simulator.Fault{Status: 429, ContentType: "text/plain", Body: "Too many requests", Header: map[string]string{"Retry-After": "1"}}
	return []simulator.Rule{
		{Match: simulator.Match{Nth: simulator.Range{From: 2, To: 2}, Probability: 0.1}, Fault: limit},
		{
			Match: simulator.Match{Probability: 0.15},
			Fault: simulator.Fault{Kind: simulator.Kind{"500", "502", "503", "html200", "cut", "reset", "stall", "latency"}, Delay: simulator.Duration(3 * time.Second)},
		},
	}
}

// rage starts everything, and carries the plan out.
func (c *chaos) rage() {
	c.Helper()
	var produce, others context.Context
	produce, c.stopProducers = context.WithCancel(c.Context())
	others, c.stopOthers = context.WithCancel(c.Context())
	c.Cleanup(func() { // whatever happened, nobody is left behind
		c.stopProducers()
		c.stopOthers()
		for _, l := range c.crowd.all() {
			l.hit(killIt)
			<-l.ended
		}
	})
	for name, s := range c.crowd.slots {
		if (&life{slot: name}).kind() == "producer" {
			c.crowd.keep(produce, s)
		} else {
			c.crowd.keep(others, s)
		}
	}
	c.until("the first answer", func() bool { return c.simulator.Summary().Endpoints[simulator.EndpointConsumption]["ok"] > 0 })
	began := time.Now()
	for _, e := range c.plan {
		if err := pause(c.Context(), time.Until(began.Add(e.at))); err != nil {
			c.Fatal(err)
		}
		if c.outages.servers[e.victim] != nil {
			c.outages.take(e.victim, e.action)
		} else {
			c.crowd.hit(e.victim, e.action)
		}
	}
	c.over = time.Now()
}

// settle ends the chaos, lets days go by until nothing is missing, and returns
// how many that took. All processes have ended then.
func (c *chaos) settle() (days int) {
	c.Helper()
	for name := range c.outages.servers {
		c.outages.take(name, startIt)
	}
	if err := c.simulator.SetFaults(nil); err != nil {
		c.Fatal(err)
	}
	c.stopProducers()
	for _, l := range c.crowd.all() {
		l.hit(thawIt)
		if l.kind() == "producer" {
			c.await(l)
		}
	}
	missing := "not looked at"
	for days = 1; days <= maxDays && missing != ""; days++ {
		c.day()
		missing = c.missing()
	}
	if missing != "" {
		c.Errorf("after %d days: %s", maxDays, missing)
	}
	c.harmonized()
	c.crowd.end(c.stopOthers)
	return days - 1
}

// await waits for the end of a process.
func (c *chaos) await(l *life) {
	c.Helper()
	select {
	case <-l.ended:
	case <-time.After(patience):
		c.Fatalf("%s does not end; see %s", l.client, filepath.Base(l.log))
	}
}

// day lets a simulated day go by, and then one run.
func (c *chaos) day() {
	c.Helper()
	c.truths = make(map[string]truthtest.Readings) // a real day may have gone by
	c.until("the runs to finish", c.idle)
	if err := pause(c.Context(), chaosDay); err != nil { // it is the day itself
		c.Fatal(err)
	}
	producer, err := c.crowd.start("producer-rest", []string{"producer", "--policy", "repair"})
	if err != nil {
		c.Fatal(err)
	}
	c.await(producer)
	if producer.code != codeDone {
		c.Fatalf("%s ended with %d", producer.client, producer.code)
	}
	c.until("the run of the day to finish", c.idle)
}

// idle tells whether no run is open.
func (c *chaos) idle() bool {
	open, err := c.registry.Unfinished(c.Context())
	return err == nil && len(open) == 0
}

// String of the counts that are asked for.
func (n chaosCounts) String() string {
	return fmt.Sprintf("kills %d, stops %d, freezes %d, restarts %d, outages %d, days %d\n"+
		"queries %d (%d in the chaos), repeated queries %d: %s, unmatched %d\n"+
		"chunks %d, readings %d, repeated messages %d, repeated with other content %d\n"+
		"lost %d, doubled rows %d, wrong %d, entitlements violated %d",
		n.kills, n.stops, n.freezes, n.restarts, n.outages, n.days,
		n.queries, n.inChaos, n.repeated, n.reasons, n.unmatched,
		n.chunks, n.readings, n.repeats, n.clashes,
		n.lost, n.doubled, n.wrong, n.foreign)
}
