package web

import (
	"context"
	"sync"
	"time"
)

// How long answers are kept: those that cost more longer.
const (
	briefly = 2 * time.Second
	awhile  = 20 * time.Second
	// mostKept bounds what is remembered.
	mostKept = 64
)

// cache keeps answers for a while, so that many who look cost the servers as
// much as one. Only one answer is made at a time.
type cache[T any] struct {
	lasts time.Duration

	mu   sync.Mutex
	kept map[string]kept[T]
}

type kept[T any] struct {
	at    time.Time
	value T
}

func newCache[T any](lasts time.Duration) *cache[T] {
	return &cache[T]{lasts: lasts, kept: make(map[string]kept[T])}
}

// get is the answer of that name, made anew if it is old.
func (c *cache[T]) get(ctx context.Context, name string, fresh func(context.Context) (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.kept[name]; ok && time.Since(k.at) < c.lasts {
		return k.value, nil
	}
	value, err := fresh(ctx)
	if err != nil {
		return value, err
	}
	if len(c.kept) >= mostKept {
		clear(c.kept)
	}
	c.kept[name] = kept[T]{time.Now(), value}
	return value, nil
}

// forget makes the next answer be made anew.
func (c *cache[T]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.kept)
}
