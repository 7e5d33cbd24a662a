package redistest_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

func TestEachGivesSeparateDatabasesWhoseTimeRuns(t *testing.T) {
	t.Parallel()
	redistest.EachAndCluster(t, func(t *testing.T, b *redistest.Backend) {
		t.Parallel()
		ctx := t.Context()
		one, other := b.Client(t), b.Client(t)
		for i := range 20 { // keys of many slots, so of all masters
			if err := one.Set(ctx, "dd:k"+strconv.Itoa(i), "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := other.Get(ctx, "dd:k1").Err(); err != nil && !errors.Is(err, redis.Nil) || (err == nil) != b.Clustered() {
			t.Errorf("the other client asks for the key: %v", err)
		}
		now, err := one.Time(ctx).Result()
		if err != nil || time.Since(now).Abs() > time.Minute {
			t.Errorf("server time %v, %v", now, err)
		}
		if err := one.Set(ctx, "dd:short", "v", 30*time.Millisecond).Err(); err != nil {
			t.Fatal(err)
		}
		wait, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		for one.Get(wait, "dd:short").Err() == nil {
		}
		if wait.Err() != nil {
			t.Error("the key did not expire")
		}
	})
}

func TestServerKeepsWhatItConfirmedWhenKilled(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Backend().Client(t)
	if err := c.Set(t.Context(), "dd:k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Kill()
	if err := c.Get(t.Context(), "dd:k").Err(); err == nil {
		t.Fatal("a killed server answered")
	}
	s.Restart()
	if v, err := c.Get(t.Context(), "dd:k").Result(); err != nil || v != "v" {
		t.Errorf("after the restart: %q, %v", v, err)
	}
}
