// Package storetest gives tests the stores that a suite has to pass on: a file,
// a real Redis server, the in-process stand-in and, where asked for, a cluster.
package storetest

import (
	"path/filepath"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/store"
)

// prefix of the keys in Redis; with a character that SCAN takes for a pattern,
// so that a forgotten escape shows.
const prefix = "dd:[1]:"

// Each runs the suite, as parallel subtests, on an empty store of each kind.
func Each(t *testing.T, suite func(t *testing.T, s store.Store)) {
	t.Helper()
	run(t, suite, redistest.Each)
}

// EachAndCluster is Each with a Redis Cluster, which takes longer to start.
func EachAndCluster(t *testing.T, suite func(t *testing.T, s store.Store)) {
	t.Helper()
	run(t, suite, redistest.EachAndCluster)
}

func run(t *testing.T, suite func(*testing.T, store.Store),
	servers func(*testing.T, func(*testing.T, *redistest.Backend)),
) {
	t.Helper()
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		suite(t, Bolt(t))
	})
	servers(t, func(t *testing.T, b *redistest.Backend) {
		suite(t, store.NewRedis(b.Client(t), prefix))
	})
}

// Bolt is an empty file, closed when the test ends.
func Bolt(t testing.TB) *store.Bolt {
	t.Helper()
	b, err := store.OpenBolt(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}
