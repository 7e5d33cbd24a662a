package harmonizer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/sdk"
)

// ErrTooLarge is of an Output that will never take one of the messages, for its
// size.
var ErrTooLarge = errors.New("a message is too large")

// HeaderIndex of a record is its number among those of its item.
const HeaderIndex = "dd-index"

// engineHeaders is how the names of the engine's own headers begin. Those that a
// plugin makes are left out.
const engineHeaders = "dd-"

// publish sends the records that a plugin made of some items. Records for a
// topic that the plugin did not declare bury their item.
func (h *Harmonizer) publish(ctx context.Context, records []sdk.Record, messages [][]Message) error {
	out := make([]envelope.Message, 0, len(records))
	from := make([]int, 0, len(records)) // the item of each of them
	index := make(map[int]int)           // of the next record of each item
	for _, r := range records {
		if r.Item < 0 || r.Item >= len(messages) {
			return sdk.Stop(fmt.Errorf("the plugin made a record of item %d of a batch of %d", r.Item, len(messages)))
		}
		if !slices.Contains(h.Intake.OutputTopics, r.Topic) {
			err := h.bury(ctx, messages[r.Item], "undeclared_topic",
				fmt.Sprintf("the plugin wrote to topic %q, which it does not declare", r.Topic))
			if err != nil {
				return err
			}
			continue
		}
		out = append(out, envelope.Message{
			Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: recordHeaders(r, index[r.Item], messages[r.Item]),
		})
		from = append(from, r.Item)
		index[r.Item]++
	}
	if len(out) == 0 {
		return nil
	}
	err := h.Output.Publish(ctx, out)
	if errors.Is(err, ErrTooLarge) {
		return h.publishApart(ctx, out, from, messages)
	}
	if err != nil {
		return fmt.Errorf("publish the plugin's records: %w", err)
	}
	return nil
}

// publishApart sends the records of each item by themselves, so that one that no
// broker takes costs its own item and nothing else. Some may have been sent
// before: they are equal.
func (h *Harmonizer) publishApart(ctx context.Context, out []envelope.Message, from []int, messages [][]Message) error {
	byItem := make(map[int][]envelope.Message)
	for i, item := range from {
		byItem[item] = append(byItem[item], out[i])
	}
	for _, item := range slices.Sorted(maps.Keys(byItem)) {
		err := h.Output.Publish(ctx, byItem[item])
		if errors.Is(err, ErrTooLarge) {
			err = h.bury(ctx, messages[item], "record_too_large", "the plugin made a record that is too large for the broker")
		}
		if err != nil {
			return fmt.Errorf("publish the plugin's records: %w", err)
		}
	}
	return nil
}

// recordHeaders are a record's own headers, and those by which its readers can
// tell a repeat: chunk, revision, hash, and the record's number within it.
func recordHeaders(r sdk.Record, index int, from []Message) []envelope.Header {
	headers := make([]envelope.Header, 0, len(r.Headers)+5)
	if len(from) > 0 {
		for _, header := range from[0].Headers {
			switch header.Name {
			case envelope.HeaderChunk, envelope.HeaderHash, envelope.HeaderRevision, envelope.HeaderRun:
				headers = append(headers, header)
			}
		}
	}
	headers = append(headers, envelope.Header{Name: HeaderIndex, Value: strconv.Itoa(index)})
	for key, value := range r.Headers {
		if strings.HasPrefix(key, engineHeaders) {
			continue // a plugin does not speak for the engine
		}
		headers = append(headers, envelope.Header{Name: key, Value: value})
	}
	return headers
}

// bury sends messages to the dead letters, as they came, with the reason in
// headers.
func (h *Harmonizer) bury(ctx context.Context, messages []Message, reason, text string) error {
	if reason == "" {
		reason = "rejected"
	}
	dead := make([]envelope.Message, len(messages))
	for i, m := range messages {
		dead[i] = envelope.Dead(&m.Message, envelope.Letter{
			Where: h.Name, Reason: reason, Message: text, Partition: m.Position.Partition, Offset: m.Offset,
		}, h.DeadTopic)
	}
	if err := h.Output.Publish(ctx, dead); err != nil {
		return fmt.Errorf("publish dead letters: %w", err)
	}
	h.Logger.Error("not harmonized; it is in the dead letters", "harmonizer", h.Name,
		"topic", messages[0].Position.Topic, "offset", messages[0].Offset, "reason", reason, "error", text)
	return nil
}
