package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
)

// dieAt lets this process be killed when it reaches a crash point: the name of
// one, or "name:n" for the nth time. Without a name it does nothing.
func dieAt(where string) {
	if where == "" {
		return
	}
	name, nth, _ := strings.Cut(where, ":")
	n, err := strconv.ParseInt(nth, 10, 64)
	if err != nil {
		n = 1
	}
	var reached atomic.Int64
	crash.Hook(func(p crash.Point) {
		if string(p) == name && reached.Add(1) == n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // nothing more happens here
		}
	})
}

// crashes says what a process that dies at a point leaves, beyond what every
// crash does: the others finish the run, nothing is lost, and nothing is in
// the files twice.
var crashes = []struct {
	point crash.Point
	nth   int
	where string // the command that dies

	// late: Datadis has answered and nothing kept it, so that it refuses to
	// answer again for a while.
	late bool
	// repeats: some messages may be in the topics twice, with equal content.
	repeats bool
}{
	{crash.ProducerOpened, 1, "producer", false, false},
	{crash.CredentialsKept, 1, "producer", false, false},
	{crash.AccountQueued, 1, "producer", false, false},
	{crash.ProducerFilled, 1, "producer", false, false},
	{crash.ListerListed, 1, "consumer", false, false},
	{crash.ListerRecorded, 1, "consumer", false, false},
	{crash.ListerQueued, 1, "consumer", false, false},
	{crash.ListerDone, 1, "consumer", false, false},
	{crash.Intended, 2, "consumer", false, false},
	{crash.Answered, 2, "consumer", true, false},
	{crash.RawPublished, 2, "consumer", true, false},
	{crash.Kept, 2, "consumer", false, false},
	{crash.Published, 2, "consumer", false, true},
	{crash.Recorded, 2, "consumer", false, false},
	{crash.StaticPublished, 1, "consumer", false, false},
	{crash.Downloaded, 1, "consumer", false, false},
	{crash.UsersSealed, 1, "consumer", true, true}, // in the middle of a download
	{crash.DevicesSealed, 1, "consumer", false, false},
	{crash.Announced, 1, "consumer", false, false},
	{crash.Finished, 1, "consumer", false, false},
	{crash.Handed, 1, "harmonizer", false, false},
	{crash.RecordsSent, 1, "harmonizer", false, false},
	{crash.Committed, 1, "harmonizer", false, false},
	{crash.Told, 1, "harmonizer", false, false},
}

// A process is killed at each point between claim and acknowledgement: invariant
// 1, invariant 2, invariant 3, invariant 4, invariant 5, invariant 8, invariant
// 9, invariant 10, invariant 11, invariant 12 and invariant 15.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	users, devices := redistest.Start(t), redistest.Start(t)
	bootstrap := fmt.Sprint(kafkatest.Real(t)["bootstrap.servers"])
	tested := make(map[crash.Point]bool)
	for i, row := range crashes {
		tested[row.point] = true
		t.Run(string(row.point), func(t *testing.T) {
			t.Parallel()
			at := func(s *redistest.Server) string { return fmt.Sprintf("redis://%s/%d", s.Addr(), i+1) }
			f := newFleetOn(t, simulator.Config{Seed: 31, World: smallWorld(), RepeatAfter: repeatSoon}, at(users), at(devices), bootstrap)
			f.environ = append(f.environ, "DATADIS_DATADIS_REPEAT_AFTER="+repeatSoon.String(), "DATADIS_DATADIS_SERIES=PT1H,power")
			f.crash(row.where, fmt.Sprintf("%s:%d", row.point, row.nth), row.late, row.repeats)
		})
	}
	for _, point := range crash.Points() {
		if !tested[point] {
			t.Errorf("no process dies at %s", point)
		}
	}
}

// smallWorld is one login with two supplies of a few months.
func smallWorld() *simulator.World {
	since := time.Now().AddDate(0, -6, 0).Format("2006-01") + "-01"
	supply := func(cups, distributor string) simulator.Supply {
		return simulator.Supply{CUPS: cups, Holders: []string{"12345678Z"}, Distributor: distributor, PointType: 5, From: since}
	}
	return &simulator.World{
		Logins:   []simulator.Login{{Username: "12345678Z", Password: "right"}},
		Supplies: []simulator.Supply{supply("ES0031000000000001BJ0F", "2"), supply("ES0021000000000001RK", "8")},
	}
}

// repeatSoon is how long Datadis refuses to repeat an answer in these tests.
const repeatSoon = 4 * time.Second

// crash lets a command die at a point, starts nobody in its place but for the
// producer and the harmonizer, of which there is one, and expects all data to
// arrive.
func (f *fleet) crash(where, point string, late, repeats bool) {
	f.Helper()
	dying := func(command string) []string {
		if command == where {
			return []string{"ENGINE_TEST_CRASH=" + point}
		}
		return nil
	}
	harmonizer := f.startWith(dying("harmonizer"), "harmonizer")
	producer := f.startWith(dying("producer"), "producer", "--policy", "repair")
	if where == "producer" {
		producer.died()
		producer = f.start("producer", "--policy", "repair")
	}
	producer.finish()
	// One worker: nothing else is under way when it dies.
	consumer := f.startWith(dying("consumer"), "consumer", "--once", "--workers", "1")
	if where == "consumer" {
		consumer.died()
		consumer = f.start("consumer", "--once")
	}
	consumer.finish()
	if where == "harmonizer" {
		harmonizer.died()
		harmonizer = f.start("harmonizer")
	}
	if refused := f.repeated(); refused > 0 && !late {
		f.Errorf("%d queries were refused as repeated", refused)
	}
	if n := f.checkTopics(); n > 0 && !repeats {
		f.Errorf("%d messages were published twice", n)
	}
	f.harmonized()
	f.checkFiles()
	harmonizer.terminate()
}

// repeated counts the guarded queries that were refused as repeated. None may
// be answered twice before Datadis allows it.
func (f *fleet) repeated() (refused int) {
	f.Helper()
	last := make(map[string]time.Time)
	for _, r := range f.simulator.Requests() {
		switch {
		case r.Query == "":
		case r.Outcome == "refused":
			refused++
		case r.Registered:
			if before, ok := last[r.Query]; ok && r.Time.Sub(before) < repeatSoon {
				f.Errorf("answered twice within %s: %s", r.Time.Sub(before), r.Query)
			}
			last[r.Query] = r.Time
		}
	}
	return refused
}
