package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
)

// killsKey says how often the plugin is killed; 10 times if it is not set.
const killsKey = "DATADIS_TEST_PLUGIN_KILLS"

// A plugin that is killed at any instant costs no reading and leaves no row
// twice, however often that happens.
func TestRunWhileItsPluginIsKilled(t *testing.T) {
	t.Parallel()
	kills := 10
	if text := os.Getenv(killsKey); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	s := newStage(t, simulator.Config{Seed: 21, Accounts: 1 + kills/25, Supplies: 6 + kills/8})
	s.write("users.csv", s.users())
	ctx, stop := context.WithCancel(t.Context())
	killer := &killer{states: s.path("data/plugins/states"), left: kills}
	var killing sync.WaitGroup
	killing.Go(func() { killer.run(ctx) })
	began := time.Now()
	result, log := s.run("--users", s.path("users.csv"), "--policy", "repair")
	stop()
	killing.Wait()
	t.Logf("%d kills in %s", killer.done, time.Since(began).Round(time.Second/10))
	if killer.done < kills {
		t.Errorf("the run was over after %d kills: give it more to do", killer.done)
	}
	if d := s.difference("users"); !d.None() || d.Right == 0 {
		t.Errorf("after %d kills: %s", killer.done, d)
	}
	if dead := result.Counts[job.Dead]; dead != 0 || strings.Contains(log, "plugin_crashed") {
		t.Errorf("%d dead letters", dead)
	}
	if told := strings.Count(log, "plugin was killed by somebody else"); told < killer.done {
		t.Errorf("%d of %d kills are in the log", told, killer.done)
	}
}

// What a plugin crashes on is set aside, each for itself: the rest of its work
// is done, and the other plugins do not notice.
func TestRunWithAPluginThatCrashesOnSomeMonths(t *testing.T) {
	t.Parallel()
	s := newStage(t, simulator.Config{Seed: 22, Accounts: 1, Supplies: 1})
	actor, err := actorBinary()
	if err != nil {
		t.Fatal(err)
	}
	plugins, err := pluginsDir()
	if err != nil {
		t.Fatal(err)
	}
	s.environ = append(s.environ, "DATADIS_PLUGINS_PATHS="+plugins+","+s.path("bin"))
	y := &yard{shell: &shell{dir: s.dir, environ: s.environ}}
	s.write("bin/.keep", "")
	y.copyTo(t, actor, s.path("bin/datadis-plugin-actor"))
	now := time.Now()
	month := now.AddDate(0, -4, 1-now.Day()).Format("2006-01")
	s.write("users.csv", s.users())
	s.write("plugins/config_actor.json", `{"word": "poison `+month+`"}`)
	s.write("plugins/config_parquet.json", `{"dir": "../out"}`)
	_, log := s.run("--users", s.path("users.csv"))
	if d := s.difference("users"); !d.None() || d.Right == 0 {
		t.Errorf("of the other harmonizer: %s", d)
	}
	poison, err := filepath.Glob(filepath.Join(s.path("out"), "users", "*_PT1H", "*", month+".csv"))
	if err != nil || len(poison) == 0 {
		t.Fatal(poison, err)
	}
	if buried := strings.Count(log, `"reason":"plugin_crashed"`); buried != len(poison) {
		t.Errorf("%d chunks were set aside, want %d", buried, len(poison))
	}
	if strings.Contains(log, "it is not started any more") {
		t.Error("the breaker stopped a plugin that works")
	}
}

// killer kills each process of the parquet plugin some time after it has come
// up.
type killer struct {
	states     string // folder
	left, done int
}

func (k *killer) run(ctx context.Context) {
	last := 0
	for k.left > 0 && ctx.Err() == nil {
		pid := k.find()
		if pid == 0 || pid == last {
			doze(ctx, time.Millisecond)
			continue
		}
		doze(ctx, rand.N(300*time.Millisecond))
		if k.find() == pid && syscall.Kill(pid, syscall.SIGKILL) == nil {
			k.left, k.done = k.left-1, k.done+1
		}
		last = pid
	}
}

// find is the number of the plugin's process, 0 while there is none.
func (k *killer) find() int {
	files, _ := filepath.Glob(filepath.Join(k.states, "parquet.*.json")) // the pattern is good
	for _, file := range files {
		var state host.State
		if text, err := os.ReadFile(file); err == nil && json.Unmarshal(text, &state) == nil {
			return state.PID
		}
	}
	return 0
}

func doze(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
