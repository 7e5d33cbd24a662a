package run

import (
	"context"
	"crypto/rand"
	_ "embed" // the scripts
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/sdk"
)

// All keys share a slot of a Redis Cluster.
const (
	allKey     = "dd:{runs}:all"     // ZSET of run ids by start
	currentKey = "dd:{runs}:current" // HASH policy → the run that is not finished
)

func runKey(id string) string       { return "dd:{runs}:r:" + id }     // HASH of the run
func producersKey(id string) string { return "dd:{runs}:p:" + id }     // HASH producer → last heartbeat, 0 when done
func failedKey(id string) string    { return "dd:{runs}:f:" + id }     // SET of failed grants
func finalKey(id string) string     { return "dd:{runs}:final:" + id } // who announces the end
func slotKey(slot string) string    { return "dd:{runs}:slot:" + slot }

// Silent is how long a producer may be silent before it counts as lost.
const Silent = 10 * time.Minute

var (
	//go:embed reserve.lua
	reserveSource string
	//go:embed join.lua
	joinSource string
	//go:embed producers.lua
	producersSource string
	//go:embed finish.lua
	finishSource string

	reserveScript   = redis.NewScript(reserveSource)
	joinScript      = redis.NewScript(joinSource)
	producersScript = redis.NewScript(producersSource)
	finishScript    = redis.NewScript(finishSource)
)

// Errors that callers decide on.
var (
	// ErrUnknown: there is no such run.
	ErrUnknown = errors.New("there is no such run")
	// ErrSealed: the run of the policy is about to finish; open again when it
	// has.
	ErrSealed = errors.New("the run is sealed")
)

// Registry of runs.
type Registry struct {
	client redis.UniversalClient
	silent time.Duration
}

// NewRegistry returns the registry in a Redis.
func NewRegistry(client redis.UniversalClient) *Registry { return &Registry{client, Silent} }

// newID is an id that sorts by time.
func newID(now time.Time) (string, error) {
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("make the id of a run: %w", err)
	}
	return now.UTC().Format("20060102T150405") + "-" + hex.EncodeToString(random[:]), nil
}

// Open opens a run for a producer, or joins the one that its policy, or its
// slot, has already; opened tells which. A run of the slot that is finished is
// returned as it is: there is nothing to do. It fails with ErrSealed.
func (r *Registry) Open(ctx context.Context, producer string, spec Spec) (run Run, opened bool, err error) {
	candidate, err := newID(time.Now())
	if err != nil {
		return Run{}, false, err
	}
	if err := r.write(ctx, candidate, spec); err != nil {
		return Run{}, false, err
	}
	slot := spec.Slot
	if slot == "" {
		slot = candidate // of its own
	}
	id, err := reserveScript.Run(ctx, r.client, []string{currentKey, slotKey(slot), allKey},
		spec.Policy, candidate, slotLife.Milliseconds(), time.Now().UnixMilli()).Text()
	if err != nil {
		return Run{}, false, fmt.Errorf("open a run: %w", err)
	}
	opened = id == candidate
	if opened {
		err = r.client.Persist(ctx, runKey(candidate)).Err()
	} else {
		err = r.client.Del(ctx, runKey(candidate)).Err()
	}
	if err != nil {
		return Run{}, false, fmt.Errorf("open a run: %w", err)
	}
	if run, err = r.join(ctx, id, producer, spec); err != nil {
		return Run{}, false, err
	}
	return run, opened, nil
}

// slotLife is how long a slot is remembered: longer than a late CronJob may be.
const slotLife = 7 * 24 * time.Hour

// write writes a run that nobody knows of yet.
func (r *Registry) write(ctx context.Context, id string, spec Spec) error {
	server, err := r.client.Time(ctx).Result()
	if err != nil {
		return fmt.Errorf("open a run: %w", err)
	}
	fields := map[string]any{
		"policy": spec.Policy, "slot": spec.Slot, "state": string(Open),
		"started": text(spec.Started), "deadline": text(server.Add(spec.Life)),
		"from": spec.From.String(), "to": spec.To.String(), "now": text(spec.Now),
	}
	_, err = r.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.HSet(ctx, runKey(id), fields)
		tx.Expire(ctx, runKey(id), time.Hour) // unless it becomes the one
		return nil
	})
	if err != nil {
		return fmt.Errorf("open a run: %w", err)
	}
	return nil
}

// join makes the producer known to the run, and its routes.
func (r *Registry) join(ctx context.Context, id, producer string, spec Spec) (Run, error) {
	args := []any{producer}
	for source, route := range spec.Routes {
		value, err := json.Marshal(route)
		if err != nil {
			return Run{}, fmt.Errorf("route of source %s: %w", source, err)
		}
		args = append(args, routePrefix+source, value)
	}
	state, err := joinScript.Run(ctx, r.client, []string{runKey(id), producersKey(id)}, args...).Text()
	if err != nil {
		return Run{}, fmt.Errorf("join run %s: %w", id, err)
	}
	if State(state) == Sealed {
		return Run{}, fmt.Errorf("join run %s: %w", id, ErrSealed)
	}
	return r.Get(ctx, id)
}

// Fields of a run whose names go on with a source.
const (
	routePrefix  = "route:"
	failedPrefix = "failed:"
)

// Get reads a run. It fails with ErrUnknown.
func (r *Registry) Get(ctx context.Context, id string) (Run, error) {
	fields, err := r.client.HGetAll(ctx, runKey(id)).Result()
	if err != nil {
		return Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	if len(fields) == 0 {
		return Run{}, fmt.Errorf("read run %s: %w", id, ErrUnknown)
	}
	run, err := parse(id, fields)
	if err != nil {
		return Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	return run, nil
}

func parse(id string, f map[string]string) (Run, error) {
	run := Run{
		ID: id, Policy: f["policy"], Slot: f["slot"], State: State(f["state"]), Outcome: sdk.Outcome(f["outcome"]),
		Routes: make(map[string]sdk.Route), FailedSources: make(map[string]string),
		Cancelled: f["cancelled"] != "", LostProducer: f["lost"] != "",
	}
	var problems []error
	for name, to := range map[string]*time.Time{
		"started": &run.Started, "deadline": &run.Deadline, "now": &run.Now, "finished": &run.Finished,
	} {
		at, err := parseTime(f[name])
		*to = at
		problems = append(problems, err)
	}
	problems = append(problems, run.From.UnmarshalText([]byte(f["from"])), run.To.UnmarshalText([]byte(f["to"])))
	for name, value := range f {
		if source, ok := strings.CutPrefix(name, failedPrefix); ok {
			run.FailedSources[source] = value
		}
		if source, ok := strings.CutPrefix(name, routePrefix); ok {
			var route sdk.Route
			problems = append(problems, json.Unmarshal([]byte(value), &route))
			run.Routes[source] = route
		}
	}
	return run, errors.Join(problems...)
}

// Times are stored as milliseconds since the epoch, "" for none.
func text(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time", text)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// Unfinished lists the runs that are not finished, the oldest first.
func (r *Registry) Unfinished(ctx context.Context) ([]Run, error) {
	runs, err := r.Recent(ctx, recentRuns)
	if err != nil {
		return nil, err
	}
	var unfinished []Run
	for i := len(runs) - 1; i >= 0; i-- {
		if runs[i].State != Finished {
			unfinished = append(unfinished, runs[i])
		}
	}
	return unfinished, nil
}

// recentRuns is how far back Unfinished looks: each policy has one run at most
// that is not finished.
const recentRuns = 20

// Recent lists the latest runs, the newest first.
func (r *Registry) Recent(ctx context.Context, most int64) ([]Run, error) {
	ids, err := r.client.ZRevRange(ctx, allKey, 0, most-1).Result()
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	runs := make([]Run, 0, len(ids))
	for _, id := range ids {
		run, err := r.Get(ctx, id)
		if errors.Is(err, ErrUnknown) {
			continue // forgotten meanwhile
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}
