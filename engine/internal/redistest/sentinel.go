package redistest

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/redisaccess"
)

// masterName is what Sentinel knows the master by.
const masterName = "test"

// Failover is a master, a replica, and a Sentinel that watches over both.
type Failover struct {
	*Server  // the first master
	sentinel *Server
}

// Sentinel starts a master with a replica, both real, and a Sentinel that makes
// the replica the master when that has been silent for half a second.
func Sentinel(t testing.TB) *Failover {
	t.Helper()
	master := Start(t)
	replica := Start(t, "--replicaof", "127.0.0.1", strconv.Itoa(master.port))
	await(t, replica, func(ctx context.Context, c *redis.Client) bool {
		info, err := c.InfoMap(ctx, "replication").Result()
		return err == nil && info["Replication"]["master_link_status"] == "up"
	})
	file := filepath.Join(t.TempDir(), "sentinel.conf") // which Sentinel rewrites
	monitor := strings.Join([]string{
		"sentinel monitor " + masterName + " 127.0.0.1 " + strconv.Itoa(master.port) + " 1",
		"sentinel down-after-milliseconds " + masterName + " 500",
		"sentinel failover-timeout " + masterName + " 5000",
		"user " + user + " on >" + password + " " + strings.Join(redisaccess.SentinelRules(), " "), "",
	}, "\n")
	if err := os.WriteFile(file, []byte(monitor), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := start(t, file, "--sentinel")
	await(t, sentinel, func(ctx context.Context, c *redis.Client) bool {
		replicas, err := redis.NewSentinelClient(c.Options()).Replicas(ctx, masterName).Result()
		return err == nil && len(replicas) == 1
	})
	return &Failover{master, sentinel}
}

// URL is the address as configurations have it, with the engine's user on both.
func (f *Failover) URL() string {
	return "redis+sentinel://" + user + ":" + password + "@" + f.sentinel.Addr() + "/0?master_name=" + masterName +
		"&sentinel_username=" + user + "&sentinel_password=" + password
}

// Synchronise waits until the replica has all that the master has confirmed.
func (f *Failover) Synchronise(t testing.TB) {
	t.Helper()
	await(t, f.Server, func(ctx context.Context, c *redis.Client) bool {
		n, err := c.Wait(ctx, 1, startTimeout).Result()
		return err == nil && n == 1
	})
}

// await waits until a server is as it should be.
func await(t testing.TB, s *Server, done func(context.Context, *redis.Client) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer func() { _ = c.Close() }()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !done(ctx, c) {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatal("master, replica and Sentinel do not find together")
		}
	}
}
