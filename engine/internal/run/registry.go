package run

import (
	"context"
	"crypto/rand"
	_ "embed" // the scripts
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	routesKey  = "dd:{runs}:routes"  // HASH source → its latest route
)

func runKey(id string) string       { return "dd:{runs}:r:" + id }     // HASH of the run
func producersKey(id string) string { return "dd:{runs}:p:" + id }     // HASH producer → last heartbeat, 0 when done
func failedKey(id string) string    { return "dd:{runs}:f:" + id }     // SET of failed grants
func finalKey(id string) string     { return "dd:{runs}:final:" + id } // who announces the end
func slotKey(slot string) string    { return "dd:{runs}:slot:" + slot }

var (
	//go:embed open.lua
	openSource string
	//go:embed forget.lua
	forgetSource string
	//go:embed join.lua
	joinSource string
	//go:embed producers.lua
	producersSource string
	//go:embed seal.lua
	sealSource string
	//go:embed finish.lua
	finishSource string

	openScript      = redis.NewScript(openSource)
	forgetScript    = redis.NewScript(forgetSource)
	joinScript      = redis.NewScript(joinSource)
	producersScript = redis.NewScript(producersSource)
	sealScript      = redis.NewScript(sealSource)
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

// NewRegistry returns the registry in a Redis. A producer that is silent for
// longer than the given time counts as lost.
func NewRegistry(client redis.UniversalClient, silent time.Duration) *Registry {
	return &Registry{client, silent}
}

// newID is an id that sorts by time.
func newID(now time.Time) (string, error) {
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("make the id of a run: %w", err)
	}
	return now.UTC().Format("20060102T150405") + "-" + hex.EncodeToString(random[:]), nil
}

// Open opens a run for a producer, or joins the one that its policy, or its
// slot, has already. A run of the slot that is finished is returned as it is:
// there is nothing to do. It fails with ErrSealed.
func (r *Registry) Open(ctx context.Context, producer string, spec Spec) (Run, error) {
	candidate, err := newID(time.Now())
	if err != nil {
		return Run{}, err
	}
	slot := slotKey(spec.Slot)
	if spec.Slot == "" {
		slot = slotKey(candidate) // of its own
	}
	for {
		id, err := r.open(ctx, candidate, producer, slot, spec)
		if err != nil {
			return Run{}, err
		}
		if id == candidate {
			return r.Get(ctx, id)
		}
		run, err := r.join(ctx, id, producer, spec)
		if !errors.Is(err, ErrUnknown) {
			return run, err
		}
		// A server that lost data may know of a run that it does not have.
		err = forgetScript.Run(ctx, r.client, []string{currentKey, slot}, spec.Policy, id).Err()
		if err != nil {
			return Run{}, fmt.Errorf("forget run %s, which is gone: %w", id, err)
		}
	}
}

// slotLife is how long a slot is remembered: longer than a late CronJob may be.
const slotLife = 7 * 24 * time.Hour

// open makes the candidate the run of its policy and slot, unless there is one;
// it returns the id of the run that they have.
func (r *Registry) open(ctx context.Context, candidate, producer, slot string, spec Spec) (string, error) {
	fields := []any{
		"slot", spec.Slot, "started", text(spec.Started),
		"from", spec.From.String(), "to", spec.To.String(), "now", text(spec.Now),
	}
	args := append([]any{
		spec.Policy, candidate, slotLife.Milliseconds(), spec.Life.Milliseconds(), producer, len(fields) / 2,
	}, fields...)
	routes, err := routeArgs(spec.Routes)
	if err != nil {
		return "", err
	}
	keys := []string{currentKey, slot, allKey, runKey(candidate), producersKey(candidate), routesKey}
	id, err := openScript.Run(ctx, r.client, keys, append(args, routes...)...).Text()
	if err != nil {
		return "", fmt.Errorf("open a run: %w", err)
	}
	return id, nil
}

// join makes the producer known to the run, and its routes. It fails with
// ErrSealed and ErrUnknown.
func (r *Registry) join(ctx context.Context, id, producer string, spec Spec) (Run, error) {
	routes, err := routeArgs(spec.Routes)
	if err != nil {
		return Run{}, err
	}
	keys := []string{runKey(id), producersKey(id), routesKey}
	state, err := joinScript.Run(ctx, r.client, keys, append([]any{producer}, routes...)...).Text()
	if err != nil {
		return Run{}, fmt.Errorf("join run %s: %w", id, err)
	}
	if State(state) == Sealed {
		return Run{}, fmt.Errorf("join run %s: %w", id, ErrSealed)
	}
	return r.Get(ctx, id)
}

// routeArgs are sources and their routes by turns, as scripts take them.
func routeArgs(routes map[string]sdk.Route) ([]any, error) {
	args := make([]any, 0, 2*len(routes))
	for source, route := range routes {
		value, err := json.Marshal(route)
		if err != nil {
			return nil, fmt.Errorf("route of source %s: %w", source, err)
		}
		args = append(args, source, value)
	}
	return args, nil
}

// Routes lists the latest route of every source that ever took part in a run.
func (r *Registry) Routes(ctx context.Context) (map[string]sdk.Route, error) {
	fields, err := r.client.HGetAll(ctx, routesKey).Result()
	if err != nil {
		return nil, fmt.Errorf("read the routes of the sources: %w", err)
	}
	routes := make(map[string]sdk.Route, len(fields))
	for source, value := range fields {
		var route sdk.Route
		if err := json.Unmarshal([]byte(value), &route); err != nil {
			return nil, fmt.Errorf("read the route of source %s: %w", source, err)
		}
		routes[source] = route
	}
	return routes, nil
}

// Fields of a run whose names go on with a source, or a login.
const (
	routePrefix  = "route:"
	failedPrefix = "failed:"
	cancelPrefix = "cancelled:" // and a login's id
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
		Cancelled: f["cancelled"] != "", LostProducer: f["lost"] != "", Marked: f["marked"] != "",
	}
	var problems []error
	for name, to := range map[string]*time.Time{
		"started": &run.Started, "opened": &run.Opened, "deadline": &run.Deadline, "now": &run.Now,
		"finished": &run.Finished, "ended": &run.Ended,
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
		if login, ok := strings.CutPrefix(name, cancelPrefix); ok {
			run.CancelledLogins = append(run.CancelledLogins, login)
		}
		if source, ok := strings.CutPrefix(name, routePrefix); ok {
			var route sdk.Route
			problems = append(problems, json.Unmarshal([]byte(value), &route))
			run.Routes[source] = route
		}
	}
	slices.Sort(run.CancelledLogins)
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
	ids, err := r.client.HVals(ctx, currentKey).Result()
	if err != nil {
		return nil, fmt.Errorf("list the runs that are not finished: %w", err)
	}
	slices.Sort(ids) // by time
	return r.all(ctx, ids)
}

// Old lists the finished runs that ended that long ago, the oldest first.
func (r *Registry) Old(ctx context.Context, age time.Duration) ([]Run, error) {
	now, err := r.client.Time(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("list old runs: %w", err)
	}
	limit := now.Add(-age)
	ids, err := r.client.ZRangeByScore(ctx, allKey, &redis.ZRangeBy{Min: "-inf", Max: text(limit)}).Result()
	if err != nil {
		return nil, fmt.Errorf("list old runs: %w", err)
	}
	runs, err := r.all(ctx, ids)
	return slices.DeleteFunc(runs, func(run Run) bool { return run.State != Finished || run.Ended.After(limit) }), err
}

// Remove forgets a finished run. Its queues must be gone already: nothing else
// leads to them.
func (r *Registry) Remove(ctx context.Context, id string) error {
	_, err := r.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.Del(ctx, runKey(id), producersKey(id), failedKey(id), finalKey(id))
		tx.ZRem(ctx, allKey, id)
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget run %s: %w", id, err)
	}
	return nil
}

// Recent lists the latest runs, the newest first.
func (r *Registry) Recent(ctx context.Context, most int64) ([]Run, error) {
	ids, err := r.client.ZRevRange(ctx, allKey, 0, most-1).Result()
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return r.all(ctx, ids)
}

// all reads runs, but for those that are forgotten meanwhile.
func (r *Registry) all(ctx context.Context, ids []string) ([]Run, error) {
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
