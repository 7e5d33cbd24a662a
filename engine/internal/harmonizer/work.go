package harmonizer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/trace"
	"github.com/datadis-engine/datadis/sdk"
)

// item is something to hand over, and the messages that it came in.
type item[T any] struct {
	id       string // says what is in it
	run      string
	value    T
	messages []Message
}

// workload is what some messages came to, in their order.
type workload struct {
	supplies []item[sdk.Supply]
	chunks   []item[sdk.Chunk]
}

// hand gives the work to the plugin: static data first, so that the plugin
// knows a supply before its readings.
func (h *Harmonizer) hand(ctx context.Context, work *workload) error {
	if plugin, ok := h.Plugin.(sdk.SupplyHarmonizer); ok {
		if err := deliver(ctx, h, work.supplies, plugin.HarmonizeSupplies); err != nil {
			return err
		}
	}
	return deliver(ctx, h, work.chunks, h.Plugin.HarmonizeTimeSeries)
}

// call is a plugin's method for one kind of item.
type call[T any] func(context.Context, sdk.Batch[T]) (sdk.Result, error)

// deliver hands items over, a run at a time, and returns when all are terminal.
func deliver[T any](ctx context.Context, h *Harmonizer, items []item[T], do call[T]) error {
	for len(items) > 0 {
		n := 1
		for n < len(items) && n < h.BatchItems && items[n].run == items[0].run {
			n++
		}
		if err := h.begin(ctx, items[0].run); err != nil {
			return err
		}
		if err := settle(ctx, h, items[:n], do); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// patience with a batch that fails.
const (
	pluginFaults = 3  // calls that the plugin failed by its own fault, before the batch is halved
	maxCrashes   = 2  // of the plugin's process over one batch, before its items are handed over one by one
	itemRetries  = 10 // times that a plugin may ask for an item again
	firstPause   = time.Second
)

// settle hands over one batch until every item of it is terminal. An item that
// the plugin cannot deal with is found by halving, and buried; one that the
// plugin's store cannot take now is tried again for as long as it takes.
func settle[T any](ctx context.Context, h *Harmonizer, items []item[T], do call[T]) error {
	pause, faults, crashes := firstPause, 0, 0
	for retries := 0; len(items) > 0; {
		result, err := traced(ctx, h, items, do)
		crash.Here(crash.Handed)
		if err == nil {
			keep, after, err := h.accept(ctx, result, messagesOf(items), retries)
			if err != nil || len(keep) == 0 {
				return err
			}
			retries++
			items = pick(items, keep)
			if err := h.wait(ctx, max(after, firstPause)); err != nil {
				return err
			}
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var f fallen
		if errors.As(err, &f) {
			if f.ByItself() {
				crashes++
			}
			if crashes >= maxCrashes {
				return isolate(ctx, h, items, do, err)
			}
			h.Logger.Warn("the plugin's process ended; the batch is handed over again", "harmonizer", h.Name, "items", len(items), "error", err)
			continue // the next call waits for the next process
		}
		fault, after, stop := classify(err)
		if stop {
			return err
		}
		if fault {
			faults++
		}
		if faults >= pluginFaults {
			return halve(ctx, h, items, do, err)
		}
		h.Logger.Warn("plugin failed; the batch is handed over again", "harmonizer", h.Name, "items", len(items), "error", err)
		if err := h.wait(ctx, max(after, pause)); err != nil {
			return err
		}
		pause = min(2*pause, h.Patience)
	}
	return nil
}

// traced makes one call of the plugin. Each item's part in it is a span below
// the one that published it; the plugin is told of the first.
func traced[T any](ctx context.Context, h *Harmonizer, items []item[T], do call[T]) (result sdk.Result, err error) {
	calling := ctx
	for i, it := range items {
		under, span := trace.Begin(trace.Under(ctx, it.messages[0].Header(envelope.HeaderTrace)), "harmonize",
			"run", it.run, "harmonizer", h.Name, "items", strconv.Itoa(len(items)))
		defer func() { span.End(err) }()
		if i == 0 {
			calling = under
		}
	}
	return do(calling, batch(items))
}

// fallen is the error of a call during which the plugin's process ended. There
// is another for the next call.
type fallen interface {
	error
	// ByItself is false if somebody killed the process: that says nothing of
	// what it was doing.
	ByItself() bool
}

// isolate finds the item that the plugin crashes on. One by one, and not by
// halves: what is innocent is done in between, so that the plugin does not
// count as one that cannot do anything.
func isolate[T any](ctx context.Context, h *Harmonizer, items []item[T], do call[T], cause error) error {
	if len(items) == 1 {
		return h.bury(ctx, items[0].messages, "plugin_crashed", cause.Error())
	}
	for i := range items {
		if err := settle(ctx, h, items[i:i+1], do); err != nil {
			return err
		}
	}
	return nil
}

// halve finds the items that the plugin fails on.
func halve[T any](ctx context.Context, h *Harmonizer, items []item[T], do call[T], cause error) error {
	if len(items) == 1 {
		return h.bury(ctx, items[0].messages, "plugin_failed", cause.Error())
	}
	half := len(items) / 2
	if err := settle(ctx, h, items[:half], do); err != nil {
		return err
	}
	return settle(ctx, h, items[half:], do)
}

// classify tells whether the plugin itself is at fault, when to try again, and
// whether its work must stop.
func classify(err error) (fault bool, after time.Duration, stop bool) {
	var e *sdk.Error
	if !errors.As(err, &e) {
		return true, 0, false
	}
	switch e.Kind {
	case sdk.Precondition:
		return false, 0, true
	case sdk.Unavailable:
		return e.Origin == sdk.FromPlugin, e.After, false
	default:
		return true, 0, false
	}
}

// accept deals with what a plugin made of a batch: it publishes the records,
// buries what was rejected, and returns what is wanted again.
func (h *Harmonizer) accept(ctx context.Context, result sdk.Result, messages [][]Message, retries int) (keep []int, after time.Duration, err error) {
	if err := h.publish(ctx, result.Records, messages); err != nil {
		return nil, 0, err
	}
	crash.Here(crash.RecordsSent)
	for _, r := range result.Items {
		if r.Item < 0 || r.Item >= len(messages) {
			return nil, 0, sdk.Stop(fmt.Errorf("the plugin names item %d of a batch of %d", r.Item, len(messages)))
		}
		switch {
		case r.Verdict == sdk.Retry && retries < itemRetries:
			keep, after = append(keep, r.Item), max(after, r.RetryAfter)
		case r.Verdict == sdk.Retry:
			err = h.bury(ctx, messages[r.Item], "retries_exhausted", r.Message)
		case r.Verdict == sdk.Rejected:
			err = h.bury(ctx, messages[r.Item], r.Reason, r.Message)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return keep, after, nil
}

// begin tells the plugin of a run, once in this process.
func (h *Harmonizer) begin(ctx context.Context, run string) error {
	beginner, ok := h.Plugin.(sdk.RunBeginner)
	if !ok || h.begun[run] {
		return nil
	}
	started := h.runs[run]
	r := sdk.Run{ID: run, Policy: started.Policy, Started: started.Started, Sources: h.Intake.Sources}
	if err := persist(ctx, h, func() error { return beginner.BeginRun(ctx, r) }); err != nil {
		return fmt.Errorf("begin run %s: %w", run, err)
	}
	h.begun[run] = true
	return nil
}

// persist repeats a call for as long as the plugin is not available, and a few
// times where the plugin itself is at fault.
func persist(ctx context.Context, h *Harmonizer, do func() error) error {
	for pause, faults := firstPause, 0; ; pause = min(2*pause, h.Patience) {
		err := do()
		if err == nil || errors.Is(err, sdk.ErrUnsupported) {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fault, after, stop := classify(err)
		if fault {
			faults++
		}
		if stop || faults >= pluginFaults {
			return err
		}
		h.Logger.Warn("plugin failed; it is called again", "harmonizer", h.Name, "error", err)
		if err := h.wait(ctx, max(after, pause)); err != nil {
			return err
		}
	}
}

// errStopping says that the process stops while a plugin is not available: the
// items stay uncommitted, and are handed over again.
var errStopping = errors.New("the process stops while the plugin is not available")

// longestPause is the most that a plugin may ask for: what it asks for by
// mistake must not hold everything up for ever.
const longestPause = 10 * time.Minute

// wait pauses, unless the context ends, or nothing more is to be begun.
func (h *Harmonizer) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(min(d, longestPause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.stopping:
		return errStopping
	case <-timer.C:
		return nil
	}
}

// batch makes a batch whose id follows from its content.
func batch[T any](items []item[T]) sdk.Batch[T] {
	b := sdk.Batch[T]{Run: items[0].run, Items: make([]T, len(items))}
	hash := sha256.New()
	for i, it := range items {
		b.Items[i] = it.value
		_, _ = io.WriteString(hash, it.id) // a hash does not fail
	}
	b.ID = hex.EncodeToString(hash.Sum(nil)[:16])
	return b
}

// messagesOf lists what each item came in.
func messagesOf[T any](items []item[T]) [][]Message {
	messages := make([][]Message, len(items))
	for i, it := range items {
		messages[i] = it.messages
	}
	return messages
}

// pick returns the items with the given numbers.
func pick[T any](items []item[T], numbers []int) []item[T] {
	picked := make([]item[T], len(numbers))
	for i, n := range numbers {
		picked[i] = items[n]
	}
	return picked
}
