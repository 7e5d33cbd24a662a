package main

import (
	"context"
	"maps"
	"slices"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
)

// control announces the end of runs.
type control struct {
	servers  *servers
	registry *runs.Registry
	settings *settings.Settings
}

// Mark implements finisher.Control: with kafka.final_message, each partition of
// the static topic gets the older end marker. A process that dies between the
// marker and the note of it makes the next one send it again.
func (c control) Mark(ctx context.Context, run runs.Run) error {
	if !c.settings.Kafka.FinalMessage || run.Marked {
		return nil
	}
	topic := c.settings.Kafka.StaticTopic
	ends, err := c.servers.admin.EndOffsets(ctx, []string{topic})
	if err != nil {
		return err
	}
	var messages []envelope.Message
	for _, partition := range slices.Sorted(maps.Keys(ends[topic])) {
		message, err := envelope.Final(run.ID, slices.Sorted(maps.Keys(run.Routes)), topic, partition)
		if err != nil {
			return err
		}
		messages = append(messages, message)
	}
	if _, err := c.servers.publisher.Publish(ctx, messages); err != nil {
		return err
	}
	return c.registry.Mark(ctx, run.ID)
}

// EndOffsets implements finisher.Control.
func (c control) EndOffsets(ctx context.Context, run runs.Run) (envelope.EndOffsets, error) {
	topics := map[string]bool{c.settings.Kafka.StaticTopic: true}
	for _, route := range run.Routes {
		topics[route.Topic] = true
	}
	names := make([]string, 0, len(topics))
	for name := range topics {
		names = append(names, name)
	}
	return c.servers.admin.EndOffsets(ctx, names)
}

// Finish implements finisher.Control.
func (c control) Finish(ctx context.Context, finished envelope.Finished) error {
	message, err := finished.Message(c.settings.Kafka.ControlTopic)
	if err != nil {
		return err
	}
	_, err = c.servers.publisher.Publish(ctx, []envelope.Message{message})
	return err
}
