// Package queue keeps the work of a run in Redis: items that are handed out
// under leases, and go back when the worker that holds one stops.
//
// An item has an id, by which it is known for the whole run, a group, which is
// the login it needs, and a body. Groups take turns. How many items of a group
// are leased at once, how far apart they are handed out, and for how long a
// group rests are decided in the claim itself, so they hold over all processes.
//
// Each step is one Lua script, which changes the item and its counters
// together: see lua/common.lua for the keys. Time is the Redis server's.
//
// An item is done at least once. Whoever holds an outdated lease is refused by
// its token, but may have worked.
package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Kind says which of a run's two queues it is.
type Kind string

// The queues.
const (
	Users   Kind = "u" // accounts to be listed; sealed only after Close
	Devices Kind = "d" // supplies to be downloaded
)

// Errors that callers decide on.
var (
	// ErrSealed says that the run is over: nothing is taken in or handed out.
	ErrSealed = errors.New("the queue is sealed")
	// ErrLost says that the item is no longer leased to the caller. What the
	// caller wanted to do to it was not done.
	ErrLost = errors.New("the lease is lost")
	// ErrNotDead says that there is no dead item of that id.
	ErrNotDead = errors.New("no such dead item")
)

// Options of a queue. Processes that share a queue should agree on them; where
// they do not, each applies its own.
type Options struct {
	Lease       time.Duration // after which a silent worker's item is taken back; 60 s by default
	Cap         int           // items of a group that may be leased at once; 2 by default
	Gap         time.Duration // between two claims of a group; none by default
	MaxAttempts int           // failed attempts that make an item dead; 5 by default
	Crashes     int           // lapsed leases and crashes that make an item dead; 3 by default
	Log         *slog.Logger  // of what goes wrong in the background; none by default
}

func (o Options) withDefaults() Options {
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.Cap == 0 {
		o.Cap = 2
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 5
	}
	if o.Crashes == 0 {
		o.Crashes = 3
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Item is something to be done. Ids and groups are printable ASCII without
// spaces and bars, at most 128 characters long.
type Item struct {
	ID    string
	Group string // the login it needs; items of a group share caps and rests
	Body  []byte // opaque to the queue
}

// Queue is one of the queues of one run. It may be used by many goroutines.
type Queue struct {
	client  redis.UniversalClient
	kind    Kind
	run     string
	options Options
	keys    []string
	channel string

	turn   chan struct{} // held by the goroutine that is claiming
	bell   bell
	held   leases
	outage outage

	mu     sync.Mutex
	cursor uint64 // where the next tick goes on looking for lost items
}

// New is the queue of the given kind of a run. It does not talk to Redis yet.
func New(client redis.UniversalClient, kind Kind, run string, options Options) *Queue {
	tag := "dd:{" + string(kind) + ":" + run + "}:"
	names := []string{"c", "n", "b", "s", "p", "g", "i", "q", "l", "w", "f", "x", "r"}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = tag + name
	}
	return &Queue{
		client:  client,
		kind:    kind,
		run:     run,
		options: options.withDefaults(),
		keys:    keys,
		channel: tag + "wake",
		turn:    make(chan struct{}, 1),
	}
}

// RunID is the id of the run that the queue belongs to.
func (q *Queue) RunID() string { return q.run }

// The positions of the keys that are also used outside scripts.
const (
	keyCounters = 0
	keyBodies   = 2
	keyStates   = 3
	keyFailures = 10
	keyDead     = 11
	keyRecords  = 12
)

var printable = regexp.MustCompile(`^[!-{}~]{1,128}$`)

// checkNames refuses what would break the format of the keys.
func checkNames(id, group string) error {
	if !printable.MatchString(id) {
		return fmt.Errorf("%q cannot be the id of an item", id)
	}
	if !printable.MatchString(group) {
		return fmt.Errorf("%q cannot be the group of an item", group)
	}
	return nil
}
