package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/mapping"
	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/sdk"
)

// sensorKey is what a sensor stands for.
type sensorKey struct {
	cups   sdk.CUPS
	series sdk.Series
}

// extent is a sensor and the time that the batch has readings of.
type extent struct {
	sensor     *mapping.Sensor
	graph      mapping.SensorGraph
	start, end time.Time // of the first reading, and of the last; zero without readings
}

// HarmonizeTimeSeries implements [sdk.Harmonizer]. The points become records;
// the graph learns that there is a sensor, and from when to when.
func (h *harmonizer) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	if err := h.prepare(ctx); err != nil {
		return sdk.Result{}, err
	}
	var result sdk.Result
	extents := map[sensorKey]*extent{}
	for i := range batch.Items {
		c := &batch.Items[i]
		sensor := h.mapping.Sensor(c.Series)
		switch {
		case !h.sources[c.Source]:
			result.Items = append(result.Items, skipped(i, "other_source", "its source is not configured here"))
			continue
		case sensor == nil:
			result.Items = append(result.Items, skipped(i, "no_sensor", "the mapping has no sensor for this series"))
			continue
		}
		key := sensorKey{c.CUPS, c.Series}
		e := extents[key]
		if e == nil {
			e = &extent{sensor: sensor, graph: sensor.Graph(c.CUPS, c.Series)}
			extents[key] = e
		}
		result.Records = h.appendPoints(result.Records, i, c, e)
	}
	if err := h.writeSensors(ctx, extents); err != nil {
		return sdk.Result{}, err
	}
	return result, nil
}

func skipped(item int, reason, message string) sdk.ItemResult {
	return sdk.ItemResult{Item: item, Verdict: sdk.Skipped, Reason: reason, Message: message}
}

// appendPoints makes a record of each reading that has a value. Its key is the
// point's own, so that the newest of a point wins in a compacted topic; the
// engine adds the chunk's id and hash. Points that a later revision does not have
// any more are deleted.
func (h *harmonizer) appendPoints(to []sdk.Record, item int, c *sdk.Chunk, e *extent) []sdk.Record {
	values := e.sensor.Values(c)
	kept := plainReadings(c, values)
	for _, i := range kept {
		value, _ := values.Value(i)
		start, end := c.Start(i), c.End(i)
		if e.start.IsZero() || start.Before(e.start) {
			e.start = start
		}
		if end.After(e.end) {
			e.end = end
		}
		to = append(to, sdk.Record{
			Item: item, Topic: h.topic, Key: pointKey(e.graph.Hash, start),
			Value: appendPoint(make([]byte, 0, 160), start, end, value, e.sensor.IsReal(c.Method(i)), e.graph.Hash),
		})
	}
	return h.appendGone(to, item, c, kept, e.graph.Hash)
}

// appendGone deletes the points that an earlier revision may have had, and this
// one has not: what earlier ones had nobody remembers, so it names every interval
// without a point that was over when Datadis answered. Readings of a length of
// their own have no such intervals.
func (h *harmonizer) appendGone(to []sdk.Record, item int, c *sdk.Chunk, kept []int, hash string) []sdk.Record {
	step, end := c.Series.Step(), c.Month.End()
	if c.Revision <= 1 || step == 0 {
		return to
	}
	if !c.FetchedAt.IsZero() && c.FetchedAt.Before(end) {
		end = c.FetchedAt
	}
	for at := c.Month.Start(); at.Before(end); at = at.Add(step) {
		for len(kept) > 0 && c.Start(kept[0]).Before(at) {
			kept = kept[1:]
		}
		if len(kept) == 0 || !c.Start(kept[0]).Equal(at) {
			to = append(to, sdk.Record{Item: item, Topic: h.topic, Key: pointKey(hash, at)})
		}
	}
	return to
}

// pointKey is short, since the answer to a batch must fit one message: a hundred
// months of hours do. 16 digits of the hash tell the sensors of a country apart.
func pointKey(hash string, start time.Time) []byte {
	return strconv.AppendInt(append(make([]byte, 0, keyDigits+12), hash[:keyDigits]+"/"...), start.Unix(), 10)
}

const keyDigits = 16

// appendPoint writes {"start","end","value","isReal","hash"}: epoch seconds, the
// end the last second that still belongs to the reading.
func appendPoint(to []byte, start, end time.Time, value sdk.Decimal, real bool, hash string) []byte {
	to = strconv.AppendInt(append(to, `{"start":`...), start.Unix(), 10)
	to = strconv.AppendInt(append(to, `,"end":`...), end.Unix()-1, 10)
	to = value.Append(append(to, `,"value":`...))
	to = strconv.AppendBool(append(to, `,"isReal":`...), real)
	return append(append(append(to, `,"hash":"`...), hash...), `"}`...)
}

// doubtful marks readings of which another one of the same interval is to be
// preferred.
const doubtful = sdk.Duplicate | sdk.Padding | sdk.Unreadable

// plainReadings are the readings that become points: with a value, in an hour
// that there is, and one for each start. Where the distributor sent several, the
// first that is not doubtful is taken.
func plainReadings(c *sdk.Chunk, values *sdk.Column) []int {
	kept := make([]int, 0, c.Len())
	for i := range c.Len() {
		if _, ok := values.Value(i); !ok || c.Flag(i)&sdk.Padding != 0 {
			continue
		}
		// Readings are in time order: those of one start follow each other.
		last := len(kept) - 1
		if last < 0 || c.Starts[kept[last]] != c.Starts[i] || c.Series.Step() == 0 {
			kept = append(kept, i)
			continue
		}
		if c.Flag(kept[last])&doubtful != 0 && c.Flag(i)&doubtful == 0 {
			kept[last] = i
		}
	}
	return kept
}

// widenSensors moves the start and the end of sensors apart, never together,
// and tells which there are.
const widenSensors = `UNWIND $rows AS row
MATCH (n:Resource {uri: row.uri})
SET n.%[1]s = CASE WHEN n.%[1]s IS NULL OR n.%[1]s > row.start THEN row.start ELSE n.%[1]s END,
    n.%[2]s = CASE WHEN n.%[2]s IS NULL OR n.%[2]s < row.end THEN row.end ELSE n.%[2]s END
RETURN n.uri AS uri`

// writeSensors writes the sensors of a batch in one transaction. What a sensor
// is like is written once in a process; after that only its start and end.
func (h *harmonizer) writeSensors(ctx context.Context, extents map[sensorKey]*extent) error {
	var known, others []*extent
	for _, e := range extents {
		switch {
		case e.start.IsZero(): // no readings: nothing is known of it
		case h.described[e.graph.Sensor.URI]:
			known = append(known, e)
		default:
			others = append(others, e)
		}
	}
	if len(known)+len(others) == 0 {
		return nil
	}
	var missing []*extent
	err := h.client.Write(ctx, func(tx neo4j.Tx) (err error) {
		if missing, err = widen(ctx, tx, known); err != nil {
			return err
		}
		missing = append(missing, others...)
		for _, s := range describeSensors(h.mapping, missing) {
			if _, err := tx.Run(ctx, s); err != nil {
				return err
			}
		}
		_, err = widen(ctx, tx, missing)
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range missing {
		h.described[e.graph.Sensor.URI] = true
	}
	return nil
}

// describeSensors makes sensors and measurements, and the devices' relations to
// them. What a device is like, its supply tells.
func describeSensors(m *mapping.Mapping, extents []*extent) []neo4j.Statement {
	b := newBatch(m)
	for _, e := range extents {
		b.node(mapping.Node{URI: e.graph.Relations[0].From})
		b.node(e.graph.Sensor)
		b.node(e.graph.Measurement)
		b.relate(e.graph.Relations)
	}
	return b.statements()
}

// widen moves the start and the end of sensors, and returns those that are not
// in the graph: somebody removed them.
func widen(ctx context.Context, tx neo4j.Tx, extents []*extent) (missing []*extent, err error) {
	queries := map[string][]any{}
	for _, e := range extents {
		query := strings.NewReplacer("%[1]s", "`"+e.sensor.Start+"`", "%[2]s", "`"+e.sensor.End+"`").Replace(widenSensors)
		queries[query] = append(queries[query], map[string]any{"uri": e.graph.Sensor.URI, "start": e.start, "end": e.end})
	}
	there := map[any]bool{}
	for _, query := range sortedKeys(queries) {
		rows, err := tx.Run(ctx, neo4j.Statement{Query: query, Params: map[string]any{"rows": queries[query]}})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			there[r["uri"]] = true
		}
	}
	for _, e := range extents {
		if !there[e.graph.Sensor.URI] {
			missing = append(missing, e)
		}
	}
	return missing, nil
}
