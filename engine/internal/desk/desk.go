// Package desk gathers what people ask of an engine: where the runs stand, what
// the accounts see, what is complete, and which items are dead; and does what
// they ask for with the dead ones.
//
// What it shows lies in three places: the registry of runs and the queues, which
// are gone in local mode when the process is, and the store, which stays.
package desk

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/entitlement"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

// Store is what a Desk needs of the store package.
type Store interface {
	Get(ctx context.Context, key string) (map[string][]byte, error)
	Put(ctx context.Context, key string, set map[string][]byte, del ...string) error
	Delete(ctx context.Context, key string) error
	Keys(ctx context.Context, prefix string, visit func(key string) error) error
}

// Config of a Desk.
type Config struct {
	Store Store
	// Finished lists what is kept of runs in the store, the newest first.
	Finished func(ctx context.Context) ([]view.Run, error)
	// Registry and Queues are nil where the servers of runs are not there: in
	// local mode once the process has ended.
	Registry *run.Registry
	Queues   func(run string) (users, devices *queue.Queue)
	Mask     func(string) string // hides personal data in a text
	Now      func() time.Time    // the engine's clock, for the ledger; nil: the machine's
}

// Desk answers. It is for concurrent use.
type Desk struct {
	Config
	letters Letters
	ledger  *ledger.Ledger
	listed  *entitlement.Register
	pacer   view.Pacer
}

// New returns a Desk.
func New(config Config) *Desk {
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Desk{
		Config: config, letters: Letters{config.Store},
		ledger: ledger.New(config.Store, ledger.Config{Now: config.Now}),
		listed: entitlement.NewRegister(config.Store),
	}
}

// recent is how many runs are looked up on their servers. Older ones are in the
// store.
const recent = 20

// Look is where the runs stand, without looking at any item: it costs the same
// however large they are.
func (d *Desk) Look(ctx context.Context) (view.Status, error) {
	s := view.Status{At: time.Now().UTC(), Runs: []view.Run{}, Queues: []view.Queue{}}
	finished, err := d.Finished(ctx)
	if err != nil {
		return s, err
	}
	s.Runs = finished
	if d.Registry == nil {
		return s, nil
	}
	known, err := d.Registry.Recent(ctx, recent)
	if err != nil {
		return s, err
	}
	for _, r := range known {
		if err := d.add(ctx, &s, r); err != nil {
			return s, err
		}
	}
	slices.SortStableFunc(s.Runs, func(a, b view.Run) int { return cmp.Compare(b.ID, a.ID) }) // ids sort by time
	d.pacer.Note(s.At, s.Runs, func(r view.Run) time.Time { return Began(r.ID) })
	return s, nil
}

// add adds a run that the registry knows, unless the store knows how it ended.
func (d *Desk) add(ctx context.Context, s *view.Status, r run.Run) error {
	at := slices.IndexFunc(s.Runs, func(known view.Run) bool { return known.ID == r.ID })
	if at >= 0 && s.Runs[at].State == string(run.Finished) {
		return nil
	}
	users, devices := d.Queues(r.ID)
	userStats, errUsers := users.Stats(ctx)
	deviceStats, errDevices := devices.Stats(ctx)
	if err := errors.Join(errUsers, errDevices); err != nil {
		return err
	}
	shown := runOf(r, userStats, deviceStats)
	if at >= 0 {
		s.Runs[at] = shown
	} else {
		s.Runs = append(s.Runs, shown)
	}
	if r.State != run.Finished {
		s.Queues = append(s.Queues, queueOf(r, view.Users, userStats), queueOf(r, view.Devices, deviceStats))
	}
	return nil
}

// Began is when a run was opened, by the machine's clock, which its id tells;
// the zero time for an id that is none. Run.Started is by the engine's clock,
// which may be simulated.
func Began(id string) time.Time {
	stamp, _, _ := strings.Cut(id, "-")
	at, err := time.Parse("20060102T150405", stamp)
	if err != nil {
		return time.Time{}
	}
	return at
}

// Status is Look, and the dead letters.
func (d *Desk) Status(ctx context.Context) (view.Status, error) {
	s, err := d.Look(ctx)
	if err != nil {
		return s, err
	}
	letters, err := d.all(ctx)
	s.DeadLetters = len(letters)
	for _, l := range letters {
		if !l.HandedOver.IsZero() {
			s.HandedOver++
		}
	}
	return s, err
}

// Coverage is what is complete.
func (d *Desk) Coverage(ctx context.Context, r coverage.Request) (coverage.Report, error) {
	return coverage.Read(ctx, d.ledger, r, d.Now())
}
