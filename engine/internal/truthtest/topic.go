package truthtest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is a message as an independent client reads it.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	Value     []byte
	Headers   map[string]string
}

// Records reads topics from their first message up to the given end offsets, by
// topic and partition.
func Records(t testing.TB, bootstrap string, ends map[string]map[int32]int64) []Record {
	t.Helper()
	var topics []string
	left := 0
	for topic, partitions := range ends {
		topics = append(topics, topic)
		for _, end := range partitions {
			if end > 0 {
				left++
			}
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var records []Record
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("read the topics: %v; %d partitions are not at their end", err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end := ends[r.Topic][r.Partition]
			if r.Offset == end-1 {
				left--
			}
			if r.Offset < end {
				records = append(records, record(r))
			}
		})
	}
	return records
}

func record(r *kgo.Record) Record {
	headers := make(map[string]string, len(r.Headers))
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	return Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: string(r.Key), Value: r.Value, Headers: headers}
}

// Published is what time-series messages hold once readers have dropped the
// repeats.
type Published struct {
	BySource map[string]Readings
	Repeats  int      // messages that came again with the same content
	Clashes  []string // messages that came again with other content
}

// Time reads the time-series messages among the records. A message repeats
// another if source, chunk, part and revision are equal; its content must be
// too. Of several revisions the highest counts.
func Time(t testing.TB, records []Record) Published {
	t.Helper()
	p := Published{BySource: make(map[string]Readings)}
	seen := make(map[string]Record)
	newest := make(map[string]string) // source and chunk → revision, padded
	for _, r := range records {
		h := r.Headers
		chunk, revision := h["dd-source"]+" "+h["dd-chunk"], fmt.Sprintf("%010s", h["dd-revision"])
		id := chunk + " " + revision + " " + h["dd-part"]
		if before, ok := seen[id]; ok {
			p.Repeats++
			if before.Headers["dd-hash"] != h["dd-hash"] || string(before.Value) != string(r.Value) {
				p.Clashes = append(p.Clashes, id)
			}
			continue
		}
		seen[id] = r
		newest[chunk] = max(newest[chunk], revision)
	}
	for _, r := range seen {
		h := r.Headers
		source := h["dd-source"]
		if newest[source+" "+h["dd-chunk"]] != fmt.Sprintf("%010s", h["dd-revision"]) {
			continue
		}
		readings, ok := p.BySource[source]
		if !ok {
			readings = Readings{Values: make(map[Reading]string)}
		}
		if err := readings.rows(r, source); err != nil {
			t.Errorf("%s/%d at %d: %v", r.Topic, r.Partition, r.Offset, err)
		}
		p.BySource[source] = readings
	}
	return p
}

// row is one row of an envelope, as its readers see it.
type row map[string]any

// rows adds the rows of a message.
func (r *Readings) rows(m Record, source string) error {
	var envelope struct {
		Data   []row `json:"data"`
		Kwargs struct {
			Collection string   `json:"collection_type"`
			Sources    []string `json:"dblist"`
		} `json:"kwargs"`
	}
	d := json.NewDecoder(strings.NewReader(string(m.Value)))
	d.UseNumber()
	if err := d.Decode(&envelope); err != nil {
		return err
	}
	if envelope.Kwargs.Collection != "timeseries" || len(envelope.Kwargs.Sources) != 1 || envelope.Kwargs.Sources[0] != source {
		return fmt.Errorf("its kwargs are %+v", envelope.Kwargs)
	}
	for _, row := range envelope.Data {
		if cups, _ := row["cups"].(string); cups != m.Key {
			return fmt.Errorf("its key is %s, its CUPS %s", m.Key, cups)
		}
		if row["freq"] == "P1M" {
			r.peaks(row)
		} else {
			r.interval(row)
		}
	}
	return nil
}

// interval adds an energy reading.
func (r *Readings) interval(row row) {
	start := instant(row["timestamp"])
	end := start.Add(map[string]time.Duration{"PT1H": time.Hour, "PT15M": 15 * time.Minute}[fmt.Sprint(row["freq"])])
	if text, ok := row["end"].(string); ok {
		end, _ = time.Parse(time.RFC3339, text) // a zero time is in no truth
	}
	r.add(reading(row, start, end, ""), value(row["consumptionKWh"]))
}

// peaks adds the maxima of a month.
func (r *Readings) peaks(row row) {
	for _, period := range []string{"1", "2", "3", "4", "5", "6"} {
		if peak, ok := row["maxPower_period_"+period]; ok {
			start := instant(row["datetime_period_"+period])
			r.add(reading(row, start, start.Add(15*time.Minute), period), value(peak))
		}
	}
}

func reading(row row, start, end time.Time, period string) Reading {
	return Reading{
		CUPS: fmt.Sprint(row["cups"]), Series: fmt.Sprint(row["prop"], "_", row["freq"]),
		Start: start.UTC().Format(time.RFC3339), End: end.UTC().Format(time.RFC3339), Period: period,
	}
}

func instant(epoch any) time.Time {
	number, ok := epoch.(json.Number)
	if !ok {
		return time.Time{}
	}
	seconds, _ := number.Int64() // a zero time is in no truth
	return time.Unix(seconds, 0)
}

func value(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
