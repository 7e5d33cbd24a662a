package harmonizer

import (
	"context"
	"fmt"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/sdk"
)

// end is a run that is over, but of which the plugin was not told yet. The
// process that holds the only partition of the control topic is the one that
// tells it; the message stays uncommitted until then, so that another process
// does it if this one dies.
type end struct {
	position Position
	run      string
	finished envelope.Finished
}

// control reads a message of the control topic.
func (h *Harmonizer) control(m Message) error {
	c, err := envelope.ParseControl(&m.Message)
	switch {
	case err != nil:
		return err
	case c.Started != nil:
		h.runs[c.Started.Run] = *c.Started
	default:
		h.ends = append(h.ends, end{m.Position, c.Finished.Run, *c.Finished})
	}
	return nil
}

// finish tells the plugin of the runs of which everything has been handed over,
// in their order.
func (h *Harmonizer) finish(ctx context.Context) error {
	for len(h.ends) > 0 {
		e := h.ends[0]
		if !h.Input.Assigned(Partition{e.position.Topic, e.position.Partition}) {
			h.ends = nil // another process reads them again
			return nil
		}
		passed, err := h.passed(ctx, e.finished) // invariant 12
		if err != nil || !passed {
			return err
		}
		if err := h.tell(ctx, e); err != nil {
			return err
		}
		crash.Here(crash.Told)
		h.ends = h.ends[1:]
		h.commit(ctx)
		if h.OnEnd != nil {
			h.OnEnd(e.run)
		}
	}
	return nil
}

// passed tells whether the group has confirmed everything that was published
// up to the end of a run.
func (h *Harmonizer) passed(ctx context.Context, finished envelope.Finished) (bool, error) {
	ends := h.relevant(finished)
	partitions := make([]Partition, 0, len(ends))
	for p := range ends {
		partitions = append(partitions, p)
	}
	committed, err := h.Input.Committed(ctx, partitions)
	if err != nil {
		return false, fmt.Errorf("read the group's offsets: %w", err)
	}
	for p, offset := range ends {
		if committed[p] < offset {
			return false, nil
		}
	}
	return true, nil
}

// relevant are the end offsets of the topics that the plugin takes, without
// the empty partitions.
func (h *Harmonizer) relevant(finished envelope.Finished) map[Partition]int64 {
	topics := map[string]bool{h.StaticTopic: true}
	for source, route := range finished.Routes {
		if len(h.wanted([]string{source})) > 0 {
			topics[route.Topic] = true
		}
	}
	ends := make(map[Partition]int64)
	for topic, partitions := range finished.EndOffsets {
		for id, offset := range partitions {
			if topics[topic] && offset > 0 {
				ends[Partition{topic, id}] = offset
			}
		}
	}
	return ends
}

// tell calls the plugin's EndRun, and publishes what it returns.
func (h *Harmonizer) tell(ctx context.Context, e end) error {
	ender, ok := h.Plugin.(sdk.RunEnder)
	if !ok {
		return nil
	}
	if err := h.begin(ctx, e.run); err != nil {
		return err
	}
	over := sdk.RunEnd{
		Run:          sdk.Run{ID: e.run, Policy: e.finished.Policy, Started: e.finished.Started, Sources: h.Intake.Sources},
		Outcome:      e.finished.Outcome,
		Finished:     e.finished.Finished,
		FailedGrants: e.finished.FailedGrants,
	}
	var result sdk.Result
	err := persist(ctx, h, func() (err error) {
		result, err = ender.EndRun(ctx, over)
		return err
	})
	if err != nil {
		return fmt.Errorf("end run %s: %w", e.run, err)
	}
	return h.publish(ctx, result.Records, make([][]Message, 1))
}
