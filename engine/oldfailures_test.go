package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
	"github.com/datadis-engine/datadis/sdk"
)

// A second producer joins the run that is open: what the first one queued stays,
// and nothing is queued twice.
func TestASecondProducerDoesNotWipeTheQueue(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Config{Seed: 26, World: smallWorld()})
	users := f.queue(queue.Users)
	queued := func() (enqueued, outstanding int64) {
		f.start("producer", "--policy", "repair").finish()
		stats, err := users().Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats.Enqueued, stats.Outstanding()
	}
	enqueued, outstanding := queued()
	if enqueued == 0 || outstanding != enqueued {
		t.Fatalf("%d accounts queued, %d outstanding", enqueued, outstanding)
	}
	if again, still := queued(); again != enqueued || still != outstanding {
		t.Errorf("after the second producer %d accounts are queued, %d outstanding; before it %d", again, still, enqueued)
	}
	f.start("consumer", "--once").finish()
	f.checkEnd()
	if repeats := f.checkTopics(); repeats != 0 {
		t.Errorf("%d messages were published twice", repeats)
	}
	f.answered()
}

// A listing that fails is tried again, and then nothing is missing.
func TestAFailedListingIsTriedAgain(t *testing.T) {
	t.Parallel()
	fails := simulator.Rule{
		Match: simulator.Match{Endpoint: simulator.EndpointSupplies}, Times: 5, Fault: simulator.Fault{Kind: simulator.Kind{"500"}},
	}
	s := newStage(t, simulator.Config{Seed: 27, World: smallWorld(), Faults: []simulator.Rule{fails}})
	s.write("users.csv", s.users())
	result, _ := s.run("--users", s.path("users.csv"))
	if result.Outcome != sdk.Complete || len(result.FailedGrants) > 0 {
		t.Errorf("the run ended %s with %+v", result.Outcome, result.FailedGrants)
	}
	if d := s.difference("users"); !d.None() || d.Right == 0 {
		t.Errorf("%s", d)
	}
}

// A distributor whose listing fails to the end makes the run partial, and is
// reported; the supplies of the others come all the same.
func TestAListingThatFailsIsReported(t *testing.T) {
	t.Parallel()
	down := simulator.Rule{
		Match: simulator.Match{Endpoint: simulator.EndpointSupplies, Distributor: "8"}, Fault: simulator.Fault{Kind: simulator.Kind{"outage"}},
	}
	s := newStage(t, simulator.Config{Seed: 28, World: smallWorld(), Faults: []simulator.Rule{down}})
	s.write("users.csv", s.users())
	result, _ := s.run("--users", s.path("users.csv"))
	if result.Outcome != sdk.Partial || len(result.FailedGrants) == 0 {
		t.Errorf("the run ended %s with %+v", result.Outcome, result.FailedGrants)
	}
	d := s.difference("users")
	if d.Right == 0 || d.Missing == 0 || d.Wrong+d.Doubled+d.Extra > 0 {
		t.Errorf("want the supplies of the other distributor, and those alone: %s", d)
	}
}

// The tests that docs/invariants.md names are there.
func TestTestsThatTheInvariantsNameExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/invariants.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	err = filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		tests.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)").FindAllStringSubmatch(string(page), -1)
	if len(named) == 0 {
		t.Fatal("the page names no test")
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
	}
}
