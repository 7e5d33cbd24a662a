package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// What a plan does to a process or to a server.
const (
	killIt   = "kill"    // SIGKILL; servers come back later
	stopIt   = "stop"    // SIGTERM; servers come back later
	freezeIt = "freeze"  // SIGSTOP, for longer than a lease
	thawIt   = "thaw"    // SIGCONT
	startIt  = "restart" // of a server
)

// event is one thing that happens, and when.
type event struct {
	at     time.Duration // from the start of the chaos
	action string
	victim string // a slot or a server
}

// String is the event as the plan is printed.
func (e event) String() string {
	return fmt.Sprintf("%6.1f s  %s %s", e.at.Seconds(), e.action, e.victim)
}

// chaosPlan is what happens when. It follows from the seed and the length alone.
type chaosPlan []event

// String is the plan, a line for each event.
func (p chaosPlan) String() string {
	lines := make([]string, len(p))
	for i, e := range p {
		lines[i] = e.String()
	}
	return strings.Join(lines, "\n")
}

// planned counts the events with an action on victims whose names begin so.
func (p chaosPlan) planned(action, victims string) (n int) {
	for _, e := range p {
		if e.action == action && strings.HasPrefix(e.victim, victims) {
			n++
		}
	}
	return n
}

// The slots that processes live in, and the servers.
var (
	consumers   = []string{"consumer-1", "consumer-2", "consumer-3"}
	harmonizers = []string{"harmonizer-1", "harmonizer-2"}
	producers   = []string{"producer-1", "producer-2"}
	servings    = []string{"redis-users", "redis-devices", "kafka"}
)

// accidents are what may happen, with their weights.
var accidents = []struct {
	weight  int
	action  string
	victims []string
}{
	{34, killIt, consumers}, {12, killIt, harmonizers}, {12, killIt, producers},
	{12, stopIt, consumers}, {6, stopIt, harmonizers}, {4, stopIt, producers},
	{12, freezeIt, consumers}, {5, freezeIt, harmonizers}, {3, freezeIt, producers},
}

// planFor makes the plan of a seed. Each server goes down once a minute, and at
// least once.
func planFor(seed uint64, length time.Duration) chaosPlan {
	dice := rand.New(rand.NewPCG(seed, 0xda7ad15)) //nolint:gosec // it is to be repeatable
	var plan chaosPlan
	down := func(victim string, action string, at, back time.Duration, again string) {
		plan = append(plan, event{at, action, victim}, event{at + back, again, victim})
	}
	frozen := make(map[string]time.Duration)
	for at := between(dice, 1, 3); at < length; at += between(dice, 0.7, 3.5) {
		action, victim := accident(dice)
		switch {
		case at < frozen[victim] && action != killIt: // it could not notice
		case action == freezeIt:
			lasts := between(dice, 2.5, 5.5)
			frozen[victim] = at + lasts
			down(victim, freezeIt, at, lasts, thawIt)
		default:
			plan = append(plan, event{at, action, victim})
		}
	}
	rounds := max(1, int(length/time.Minute))
	for round := range rounds {
		for _, i := range dice.Perm(len(servings)) {
			share := (float64(round) + 0.15 + 0.7*dice.Float64()) / float64(rounds)
			at := time.Duration(share * float64(length))
			down(servings[i], []string{killIt, stopIt}[dice.IntN(2)], at, between(dice, 0.5, 4), startIt)
		}
	}
	slices.SortStableFunc(plan, func(a, b event) int { return int(a.at - b.at) })
	return plan
}

// accident chooses what happens next.
func accident(dice *rand.Rand) (action, victim string) {
	sum := 0
	for _, a := range accidents {
		sum += a.weight
	}
	n := dice.IntN(sum)
	for _, a := range accidents {
		if n -= a.weight; n < 0 {
			return a.action, a.victims[dice.IntN(len(a.victims))]
		}
	}
	panic("the weights do not add up")
}

// between is a time between so many seconds.
func between(dice *rand.Rand, least, most float64) time.Duration {
	return time.Duration((least + dice.Float64()*(most-least)) * float64(time.Second)).Round(100 * time.Millisecond)
}
