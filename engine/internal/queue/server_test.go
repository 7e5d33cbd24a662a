package queue_test

import (
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

func TestCheckServerLooksAtTheEvictionPolicy(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, admin := server.Backend().Client(t), server.Backend().Admin(t, 0)
	for _, c := range []struct{ policy, limit, warning, refusal string }{
		{"noeviction", "0", "", ""},
		{"noeviction", "100mb", "", ""},
		{"allkeys-lru", "0", "allkeys-lru, which matters as soon as maxmemory is set", ""},
		{"allkeys-lru", "100mb", "", "set maxmemory-policy to noeviction"},
		{"volatile-ttl", "100mb", "", "set maxmemory-policy to noeviction"},
	} {
		if err := admin.ConfigSet(t.Context(), "maxmemory-policy", c.policy).Err(); err != nil {
			t.Fatal(err)
		}
		if err := admin.ConfigSet(t.Context(), "maxmemory", c.limit).Err(); err != nil {
			t.Fatal(err)
		}
		warnings, err := queue.CheckServer(t.Context(), client)
		said := strings.Join(warnings, "; ")
		if (said != "") != (c.warning != "") || !strings.Contains(said, c.warning) {
			t.Errorf("%s with %s: warnings %q", c.policy, c.limit, warnings)
		}
		if (err != nil) != (c.refusal != "") || err != nil && !strings.Contains(err.Error(), c.refusal) {
			t.Errorf("%s with %s: %v", c.policy, c.limit, err)
		}
	}
	// Where INFO is closed, as some who run Redis for others do.
	if err := admin.Do(t.Context(), "ACL", "SETUSER", "engine", "-info").Err(); err != nil {
		t.Fatal(err)
	}
	warnings, err := queue.CheckServer(t.Context(), client)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "the eviction policy is unknown") {
		t.Errorf("without INFO: %q, %v", warnings, err)
	}
	server.Kill()
	if _, err := queue.CheckServer(t.Context(), client); err == nil {
		t.Error("a server that is gone passed")
	}
}

// One node that evicts is enough to lose work.
func TestCheckServerLooksAtEveryMaster(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t)
	if warnings, err := queue.CheckServer(t.Context(), cluster.Client(t)); err != nil || len(warnings) > 0 {
		t.Errorf("got %q, %v", warnings, err)
	}
	node := openURL(t, "redis://"+cluster.Addr())
	if err := node.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	warnings, err := queue.CheckServer(t.Context(), cluster.Client(t))
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], cluster.Addr()+": ") {
		t.Errorf("got %q, %v", warnings, err)
	}
}
