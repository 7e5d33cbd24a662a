// Package harmonizer is the last step: it reads what was published, hands it
// to a harmonizer plugin in batches, publishes the records that the plugin
// makes of it, and tells the plugin when a run is over.
//
// Input offsets are committed only when every item before them is terminal:
// done, skipped, or safe in the dead letters. Whatever stops the process, the
// items that were not committed are handed over again.
package harmonizer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/sdk"
)

// Position of a message.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Message as it was read.
type Message struct {
	Position
	envelope.Message
}

// Input is the harmonizer's consumer group, as this process sees it.
type Input interface {
	// Poll returns up to max messages, or fewer once it has waited long enough
	// for more, which may be none.
	Poll(ctx context.Context, max int, wait time.Duration) ([]Message, error)
	// Commit confirms everything before the given offsets. An offset of a
	// partition that was given to another process is left out.
	Commit(ctx context.Context, next map[Partition]int64) error
	// Committed returns what the group has confirmed, by partition.
	Committed(ctx context.Context, partitions []Partition) (map[Partition]int64, error)
	// Assigned tells whether the partition is still this process's.
	Assigned(p Partition) bool
}

// Partition of a topic.
type Partition struct {
	Topic string
	ID    int32
}

// Output takes records and dead letters, and returns when they are safe.
type Output interface {
	Publish(ctx context.Context, messages []envelope.Message) error
}

// Config of a Harmonizer.
type Config struct {
	Name   string // of the instance
	Plugin sdk.Harmonizer
	Intake sdk.Intake
	Input  Input
	Output Output

	StaticTopic  string
	ControlTopic string
	DeadTopic    string

	BatchItems int           // items handed over in one call at most; 100 if 0
	Linger     time.Duration // how long a batch waits for more; 200 ms if 0
	Patience   time.Duration // after which an unavailable plugin is tried again at the latest; 1 min if 0
	Drain      time.Duration // that the batch in hand may take once the context has ended

	OnEnd  func(run string) // called after the plugin was told of a run's end; may be nil
	Logger *slog.Logger
}

// Harmonizer feeds one plugin.
type Harmonizer struct {
	Config
	tracker tracker
	recent  recent
	begun   map[string]bool
	runs    map[string]envelope.Started
	ends    []end

	stopping <-chan struct{} // closed when nothing more is to be begun
}

// New returns a Harmonizer.
func New(config Config) *Harmonizer {
	if config.BatchItems <= 0 {
		config.BatchItems = 100
	}
	if config.Linger <= 0 {
		config.Linger = 200 * time.Millisecond
	}
	if config.Patience <= 0 {
		config.Patience = time.Minute
	}
	return &Harmonizer{
		Config:  config,
		tracker: make(tracker),
		recent:  newRecent(),
		begun:   make(map[string]bool),
		runs:    make(map[string]envelope.Started),
	}
}

// Run harmonizes until the context ends, or the plugin says that it cannot
// work until somebody mends its target.
func (h *Harmonizer) Run(ctx context.Context) error {
	hands, stop := h.drained(ctx)
	defer stop()
	h.stopping = ctx.Done()
	for {
		messages, err := h.Input.Poll(ctx, h.BatchItems, h.Linger)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("harmonizer %s: read: %w", h.Name, err)
		}
		if err := h.take(hands, messages); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("harmonizer %s: %w", h.Name, err)
		}
	}
}

// drained is a context that ends some time after ctx does: what the plugin has
// begun is finished and committed, rather than done twice.
func (h *Harmonizer) drained(ctx context.Context) (context.Context, func()) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(h.Drain, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(late, func() { timer.Stop() })
	})
	return late, func() {
		stop()
		cancel(context.Canceled)
	}
}

// take deals with some messages, commits them, and ends the runs that are over.
func (h *Harmonizer) take(ctx context.Context, messages []Message) error {
	var work workload
	for _, m := range messages {
		if err := h.sort(ctx, &work, h.tracker.seen(m.Position), m); err != nil {
			return err
		}
	}
	if err := h.hand(ctx, &work); err != nil {
		return err
	}
	h.commit(ctx) // invariant 11: everything that was read is terminal, or its partition waits
	return h.finish(ctx)
}

// sort finds out what a message is. What cannot be read goes to the dead
// letters.
func (h *Harmonizer) sort(ctx context.Context, work *workload, state *progress, m Message) error {
	var err error
	switch m.Position.Topic {
	case h.ControlTopic:
		err = h.control(m)
	case h.StaticTopic:
		err = h.supply(work, m)
	default:
		err = h.part(work, state, m)
	}
	if err == nil || errors.Is(err, envelope.ErrFinal) {
		return nil
	}
	return h.bury(ctx, []Message{m}, "unreadable", err.Error())
}

// supply adds a static message to the work.
func (h *Harmonizer) supply(work *workload, m Message) error {
	s, err := envelope.ParseSupply(&m.Message)
	if err != nil {
		return err
	}
	if s.Sources = h.wanted(s.Sources); len(s.Sources) > 0 {
		work.supplies = append(work.supplies, item[sdk.Supply]{id: s.Run + string(m.Key) + string(m.Value), run: s.Run, value: s, messages: []Message{m}})
	}
	return nil
}

// part adds a chunk to the work, once all its parts are there.
func (h *Harmonizer) part(work *workload, state *progress, m Message) error {
	part, err := envelope.ParsePart(&m.Message)
	if err != nil {
		return err
	}
	if len(h.wanted([]string{part.Chunk.Source})) == 0 {
		return nil
	}
	whole, messages := state.join(part, m)
	if whole == nil || h.recent.stale(whole) {
		return nil
	}
	work.chunks = append(work.chunks, item[sdk.Chunk]{id: version(whole), run: whole.Run, value: *whole, messages: messages})
	return nil
}

// wanted are those of the sources that the plugin takes.
func (h *Harmonizer) wanted(sources []string) []string {
	if len(h.Intake.Sources) == 0 {
		return sources
	}
	var wanted []string
	for _, s := range sources {
		for _, w := range h.Intake.Sources {
			if s == w {
				wanted = append(wanted, s)
			}
		}
	}
	return wanted
}

// commit confirms all that is terminal. The end of a run that the plugin was
// not told of yet is left, to be read again by whoever comes next.
func (h *Harmonizer) commit(ctx context.Context) {
	h.tracker.keep(h.Input.Assigned)
	next := h.tracker.next()
	for _, e := range h.ends {
		p := Partition{e.position.Topic, e.position.Partition}
		if offset, ok := next[p]; !ok || offset <= e.position.Offset {
			continue
		}
		if next[p] = e.position.Offset; next[p] <= h.tracker[p].done {
			delete(next, p)
		}
	}
	if len(next) == 0 {
		return
	}
	if err := h.Input.Commit(ctx, next); err != nil {
		// Nothing is lost: it is committed with the next batch, or, if the
		// partitions were given away meanwhile, read again by their new owner.
		h.Logger.Warn("cannot commit", "harmonizer", h.Name, "error", err)
		return
	}
	h.tracker.committed(next)
	crash.Here(crash.Committed)
}
