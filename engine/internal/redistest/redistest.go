// Package redistest gives tests the Redis servers that the engine must run on:
// real redis-server processes on loopback, alone or as a cluster, and the
// in-process stand-in. Each belongs to the test that started it and ends with
// it.
package redistest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Backend is a server, or a cluster of them, that a suite runs on.
type Backend struct {
	Name   string
	addrs  []string
	shards bool         // a cluster: one database, several addresses
	next   atomic.Int32 // the next database that is handed out

	restricted bool // clients are the engine's user, not one that may do everything
}

// databases is how many databases a server has, so how many clients Each can
// keep apart on it. A cluster has one, and a stand-in any number.
const databases = 256

// Patience is how long tests wait for what takes a moment.
const Patience = 30 * time.Second

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

// Client connects to a database of its own, which is empty; the first one to
// database 0. The clients of a cluster share one database: tests keep apart by
// the names of their runs. On real servers it is a user that may do no more than
// the documentation asks for: keys begin with dd:.
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
	options := b.options(database)
	if b.restricted {
		options.Username, options.Password = user, password
	}
	return open(t, options)
}

// Admin connects to the given database as the user that may do everything.
func (b *Backend) Admin(t testing.TB, database int) redis.UniversalClient {
	t.Helper()
	return open(t, b.options(database))
}

func (b *Backend) options(database int) *redis.UniversalOptions {
	options := &redis.UniversalOptions{Addrs: b.addrs, IsClusterMode: b.shards, DisableIdentity: true}
	if !b.shards {
		options.DB = database
	}
	return options
}

func open(t testing.TB, options *redis.UniversalOptions) redis.UniversalClient {
	t.Helper()
	c := redis.NewUniversalClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Clustered tells whether the keys lie on several servers.
func (b *Backend) Clustered() bool { return b.shards }

// Addr is the host and port of the server, or of one of them.
func (b *Backend) Addr() string { return b.addrs[0] }

// URL is the address of a cluster as configurations have it, with the engine's
// user.
func (b *Backend) URL() string {
	return "redis+cluster://" + user + ":" + password + "@" + strings.Join(b.addrs, ",")
}
