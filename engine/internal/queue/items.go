package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// ItemState is an item of the queue and how it is.
type ItemState struct {
	Item
	State    string // waiting, leased, delayed, done, deferred, dead or dropped
	Attempts int    // that failed
}

// itemStates names the letters of the scripts.
var itemStates = map[string]string{
	"w": "waiting", "l": "leased", "y": "delayed", "d": "done", "f": "deferred", "x": "dead", "r": "dropped",
}

// scanAtOnce is how many items one step of Each looks at.
const scanAtOnce = 200

// Each calls visit for every item, in no order; one that changes meanwhile may
// come twice or in its older state. It looks at every item, so it is for people
// who ask, not for what runs all the time.
func (q *Queue) Each(ctx context.Context, visit func(ItemState) error) error {
	var cursor uint64
	for {
		pairs, next, err := q.client.HScan(ctx, q.keys[keyStates], cursor, "", scanAtOnce).Result()
		if err != nil {
			return fmt.Errorf("listing the queue's items: %w", err)
		}
		if err := q.visit(ctx, pairs, visit); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// visit hands on the items of one step, with their bodies.
func (q *Queue) visit(ctx context.Context, pairs []string, visit func(ItemState) error) error {
	var ids []string
	for i := 0; i+1 < len(pairs); i += 2 {
		ids = append(ids, pairs[i])
	}
	if len(ids) == 0 {
		return nil
	}
	bodies, err := q.client.HMGet(ctx, q.keys[keyBodies], ids...).Result()
	if err != nil {
		return fmt.Errorf("listing the queue's items: %w", err)
	}
	for i, id := range ids {
		item, err := parseState(id, pairs[2*i+1])
		if err != nil {
			return err
		}
		if body, ok := bodies[i].(string); ok {
			item.Body = []byte(body)
		}
		if err := visit(item); err != nil {
			return err
		}
	}
	return nil
}

// parseState reads state|group|attempts|…
func parseState(id, record string) (ItemState, error) {
	fields := strings.SplitN(record, "|", 4)
	if len(fields) != 4 || itemStates[fields[0]] == "" {
		return ItemState{}, fmt.Errorf("the state of %s is damaged", id)
	}
	attempts, err := strconv.Atoi(fields[2])
	if err != nil {
		return ItemState{}, fmt.Errorf("the attempts of %s: %w", id, err)
	}
	return ItemState{Item{ID: id, Group: fields[1]}, itemStates[fields[0]], attempts}, nil
}
