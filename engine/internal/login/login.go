// Package login keeps what the processes of a run have learned of its logins:
// accepted, refused once, or rejected. Logins are named by their keyed ids;
// neither user names nor passwords come here.
package login

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// State of a login in a run.
type State struct {
	Kind  Kind
	Until time.Time // for Refused: not to be tried before
}

// Kind of a State.
type Kind string

// The kinds.
const (
	Unknown  Kind = ""         // not tried yet
	Accepted Kind = "accepted" // Datadis let it in
	Refused  Kind = "refused"  // refused once; Datadis sometimes refuses good ones
	Rejected Kind = "rejected" // refused again: not tried any more in this run
)

// ErrKeyUnknown says that a login's password is encrypted with a key that is
// not configured in this process. Another process may have it.
var ErrKeyUnknown = errors.New("the credentials are encrypted with a key that is not configured here")

//go:embed refuse.lua
var refuseSource string

var refuse = redis.NewScript(refuseSource)

// Book holds the logins of one run, in the Redis of the users queue.
type Book struct {
	client redis.UniversalClient
	key    string
	retry  time.Duration
}

// NewBook returns the book of a run. A refused login is tried again no sooner
// than retry later.
func NewBook(client redis.UniversalClient, run string, retry time.Duration) *Book {
	return &Book{client: client, key: "dd:{u:" + run + "}:logins", retry: retry}
}

// State tells what is known of a login.
func (b *Book) State(ctx context.Context, id string) (State, error) {
	value, err := b.client.HGet(ctx, b.key, id).Result()
	if err == redis.Nil {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("read what is known of a login: %w", err)
	}
	kind, since, _ := strings.Cut(value, ":")
	state := State{Kind: Kind(kind)}
	if state.Kind == Refused {
		ms, err := strconv.ParseInt(since, 10, 64)
		if err != nil {
			return State{}, fmt.Errorf("read what is known of a login: %q is no time", since)
		}
		state.Until = time.UnixMilli(ms).Add(b.retry)
	}
	return state, nil
}

// Accept notes that Datadis let the login in. It returns true to the one call
// that was the first of the run.
func (b *Book) Accept(ctx context.Context, id string) (first bool, err error) {
	var seen *redis.BoolCmd
	_, err = b.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.HSet(ctx, b.key, id, string(Accepted))
		seen = tx.HSetNX(ctx, b.key, id+":accepted", 1)
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("note an accepted login: %w", err)
	}
	return seen.Val(), nil
}

// Refuse notes that Datadis refused the login. It is Refused after the first
// time, and Rejected once it was refused again at least the retry time later.
// The second result is true for the one call that made it Rejected.
func (b *Book) Refuse(ctx context.Context, id string) (State, bool, error) {
	reply, err := refuse.Run(ctx, b.client, []string{b.key}, id, b.retry.Milliseconds()).Slice()
	if err != nil {
		return State{}, false, fmt.Errorf("note a refused login: %w", err)
	}
	kind, _ := reply[0].(string)
	ms, _ := reply[1].(int64)
	first, _ := reply[2].(int64)
	state := State{Kind: Kind(kind)}
	if state.Kind == Refused {
		state.Until = time.UnixMilli(ms).Add(b.retry)
	}
	return state, first == 1, nil
}

// Forget drops the book, when the run is over.
func (b *Book) Forget(ctx context.Context) error {
	if err := b.client.Del(ctx, b.key).Err(); err != nil {
		return fmt.Errorf("drop what is known of logins: %w", err)
	}
	return nil
}
