package store

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// scanCount is how many keys one step of a walk looks at: enough to be quick,
// few enough not to hold up the server.
const scanCount = 500

// Redis keeps each key as one hash of a Redis server or Cluster. All commands
// of a method touch one key, so that any slot layout will do.
type Redis struct {
	client redis.UniversalClient
	prefix string
}

// NewRedis returns a store that puts prefix before each key. It does not close
// the client.
func NewRedis(client redis.UniversalClient, prefix string) *Redis {
	return &Redis{client: client, prefix: prefix}
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, key string) (map[string][]byte, error) {
	if err := check(key); err != nil {
		return nil, err
	}
	values, err := r.client.HGetAll(ctx, r.prefix+key).Result()
	if err != nil {
		return nil, fmt.Errorf("read a hash from Redis: %w", err)
	}
	fields := make(map[string][]byte, len(values))
	for field, value := range values {
		fields[field] = []byte(value)
	}
	return fields, nil
}

// Put implements Store. Only a write that both sets and removes needs a
// transaction: each command is atomic by itself.
func (r *Redis) Put(ctx context.Context, key string, set map[string][]byte, del ...string) error {
	if err := checkPut(key, set, del); err != nil {
		return err
	}
	key = r.prefix + key
	pairs := make([]any, 0, 2*len(set))
	for field, value := range set {
		pairs = append(pairs, field, value)
	}
	var err error
	switch {
	case len(set) == 0 && len(del) == 0:
		return nil
	case len(del) == 0:
		err = r.client.HSet(ctx, key, pairs...).Err()
	case len(set) == 0:
		err = r.client.HDel(ctx, key, del...).Err()
	default:
		_, err = r.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
			tx.HSet(ctx, key, pairs...)
			tx.HDel(ctx, key, del...)
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("write a hash to Redis: %w", err)
	}
	return nil
}

// PutNew implements Store.
func (r *Redis) PutNew(ctx context.Context, key, field string, value []byte) ([]byte, error) {
	if err := check(key, field); err != nil {
		return nil, err
	}
	key = r.prefix + key
	var stored *redis.StringCmd
	_, err := r.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.HSetNX(ctx, key, field, value)
		stored = tx.HGet(ctx, key, field)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("write a new field to Redis: %w", err)
	}
	return stored.Bytes()
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, key string) error {
	if err := check(key); err != nil {
		return err
	}
	if err := r.client.Del(ctx, r.prefix+key).Err(); err != nil {
		return fmt.Errorf("delete a hash from Redis: %w", err)
	}
	return nil
}

// Keys implements Store. On a Cluster it walks over all masters.
func (r *Redis) Keys(ctx context.Context, prefix string, visit func(key string) error) error {
	w := walk{prefix: r.prefix, match: escape(r.prefix+prefix) + "*", visit: visit, seen: make(map[string]struct{})}
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		return w.scan(ctx, r.client)
	}
	return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		return w.scan(ctx, master)
	})
}

// walk is one call of Keys. The masters of a Cluster are walked at the same
// time, and Redis may name a key more than once.
type walk struct {
	prefix, match string
	visit         func(key string) error

	mu   sync.Mutex // held during visit
	seen map[string]struct{}
	err  error // of visit: no further key is visited
}

func (w *walk) scan(ctx context.Context, client redis.Cmdable) error {
	for cursor := uint64(0); ; {
		keys, next, err := client.Scan(ctx, cursor, w.match, scanCount).Result()
		if err != nil {
			return fmt.Errorf("list keys of Redis: %w", err)
		}
		if err := w.take(keys); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// take visits those keys that were not seen before.
func (w *walk) take(keys []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		if w.err != nil {
			return w.err
		}
		if _, known := w.seen[key]; known {
			continue
		}
		w.seen[key] = struct{}{}
		w.err = w.visit(strings.TrimPrefix(key, w.prefix))
	}
	return w.err
}

// globs are the characters that mean something in a pattern of SCAN.
var globs = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`)

// escape makes a pattern that matches exactly the text.
func escape(text string) string { return globs.Replace(text) }

func checkPut(key string, set map[string][]byte, del []string) error {
	if err := check(key); err != nil {
		return err
	}
	for field := range set {
		if err := check(field); err != nil {
			return err
		}
	}
	return check(del...)
}
