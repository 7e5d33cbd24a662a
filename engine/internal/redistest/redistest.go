// Package redistest gives tests the Redis servers that the engine must run on:
// real redis-server processes on loopback, alone or as a cluster, and the
// in-process stand-in. Each belongs to the test that started it and ends with
// it.
package redistest

import (
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Backend is a server, or a cluster of them, that a suite runs on.
type Backend struct {
	Name   string
	addrs  []string
	shards bool         // a cluster: one database, several addresses
	next   atomic.Int32 // the next database that is handed out
}

// databases is how many databases a server has, so how many clients Each can
// keep apart on it. A cluster has one, and a stand-in any number.
const databases = 256

// Each runs suite as a subtest on a real server and on the stand-in.
func Each(t *testing.T, suite func(t *testing.T, b *Backend)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { suite(t, Start(t).Backend()) })
	t.Run("miniredis", func(t *testing.T) { suite(t, Mini(t)) })
}

// EachAndCluster runs suite as Each does, and on a cluster of three servers.
func EachAndCluster(t *testing.T, suite func(t *testing.T, b *Backend)) {
	t.Helper()
	Each(t, suite)
	t.Run("cluster", func(t *testing.T) { suite(t, Cluster(t)) })
}

// Mini starts the in-process stand-in. Its time is the real one: keys expire as
// on a real server.
func Mini(t testing.TB) *Backend {
	t.Helper()
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		t.Fatalf("starting the stand-in for Redis: %v", err)
	}
	t.Cleanup(m.Close)
	return &Backend{Name: "miniredis", addrs: []string{m.Addr()}}
}

// Client connects to a database of its own, which is empty. The clients of a
// cluster share one database: tests keep apart by the names of their runs.
func (b *Backend) Client(t testing.TB) redis.UniversalClient {
	t.Helper()
	n := int(b.next.Add(1)) - 1
	if n >= databases {
		t.Fatalf("redistest: more than %d clients of one server", databases)
	}
	return b.Open(t, n)
}

// Open connects to the given database, to have a second client of it.
func (b *Backend) Open(t testing.TB, database int) redis.UniversalClient {
	t.Helper()
	options := &redis.UniversalOptions{Addrs: b.addrs, IsClusterMode: b.shards}
	if !b.shards {
		options.DB = database
	}
	c := redis.NewUniversalClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Clustered tells whether the keys lie on several servers.
func (b *Backend) Clustered() bool { return b.shards }
