package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// pushAtOnce bounds how long one push keeps the server busy.
const pushAtOnce = 100

// PushResult tells new items from known ones.
type PushResult struct {
	Added int
	Known int // were there already, in whatever state, and are left as they are
}

// Push adds the items that the queue does not know by their id. Pushing the
// same again changes nothing, so a push whose outcome is unknown can be
// repeated. It fails with ErrSealed if the run is over.
func (q *Queue) Push(ctx context.Context, items ...Item) (PushResult, error) {
	var result PushResult
	for _, item := range items {
		if err := checkNames(item.ID, item.Group); err != nil {
			return result, err
		}
	}
	for chunk := range slices.Chunk(items, pushAtOnce) {
		args := make([]any, 0, 3*len(chunk))
		for _, item := range chunk {
			args = append(args, item.ID, item.Group, item.Body)
		}
		added, err := q.evalInt(ctx, pushScript, args...)
		if err != nil {
			return result, fmt.Errorf("pushing items: %w", err)
		}
		if added < 0 {
			return result, ErrSealed
		}
		result.Added += int(added)
		result.Known += len(chunk) - int(added)
	}
	return result, nil
}

// MergeState says what a merge did to the item.
type MergeState int

// What a merge can do.
const (
	Unchanged MergeState = iota // the body stayed the same: nothing
	Added                       // the item is new
	Updated                     // it waits or is delayed, and has the new body now
	Marked                      // it is leased, and will wait again when its lease ends
	Reopened                    // it had ended, and waits again
)

var mergeStates = []string{"unchanged", "added", "updated", "marked", "reopened"}

// String is the state's name.
func (s MergeState) String() string { return mergeStates[s] }

// mergeReplies maps what the script answers from 1 on.
var mergeReplies = []MergeState{Added, Updated, Marked, Reopened}

// MergeFunc makes the new body of an item from its current one, which is nil
// for a new item, and names its group. It may be called several times.
type MergeFunc func(current []byte) (group string, body []byte, err error)

// mergeTries bounds how often a merge starts over because others were faster.
// Each start means that somebody else succeeded, so few are ever needed.
const mergeTries = 100

// Merge changes an item's body, or adds the item. Of merges at the same time
// none is lost. An item that is leased comes back once its lease ended, one that
// had ended is reopened, unless the body stays the same. It fails with ErrSealed
// if the run is over and there would be something to change.
func (q *Queue) Merge(ctx context.Context, id string, merge MergeFunc) (MergeState, error) {
	for range mergeTries {
		current, err := q.body(ctx, id)
		if err != nil {
			return Unchanged, fmt.Errorf("merging %s: %w", id, err)
		}
		group, body, err := merge(current)
		if err != nil {
			return Unchanged, fmt.Errorf("merging %s: %w", id, err)
		}
		if current != nil && bytes.Equal(current, body) {
			return Unchanged, nil
		}
		if err := checkNames(id, group); err != nil {
			return Unchanged, err
		}
		reply, err := q.evalInt(ctx, mergeScript, id, group, flag(current != nil), current, body)
		switch {
		case err != nil:
			return Unchanged, fmt.Errorf("merging %s: %w", id, err)
		case reply < 0:
			return Unchanged, ErrSealed
		case reply > 0:
			return mergeReplies[reply-1], nil
		}
	}
	return Unchanged, fmt.Errorf("merging %s: the item changed %d times meanwhile", id, mergeTries)
}

// body is an item's body, nil if there is no such item.
func (q *Queue) body(ctx context.Context, id string) ([]byte, error) {
	body, err := q.client.HGet(ctx, q.keys[keyBodies], id).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if body == nil && err == nil {
		body = []byte{} // an empty body is not a missing one
	}
	return body, err
}
