package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// TestSuite is that of all harmonizers. The graph is compared without what
// tells the worlds apart.
func TestSuite(t *testing.T) {
	t.Parallel()
	sdktest.Harmonizer(t, func(t *testing.T) sdktest.Fresh {
		w := newWorld(t)
		return sdktest.Fresh{Harmonizer: renamed{w.h, w}, Snapshot: func(t *testing.T) any {
			w.TB = t
			return w.graph()
		}}
	})
}

// TestSourceSuite is that of all sources.
func TestSourceSuite(t *testing.T) {
	w := newWorld(t)
	const encrypted = "tLS/3YDDeDb/ese45Ovl2g==IfbvqFHWwv1dCEv6LoUuUQ==8WUJ9MA0nQOLQ92E+0BFpw==" // "pw"
	w.user("B00000000", map[string]any{"Password": encrypted, "self": true})
	sdktest.Source(t, func(t *testing.T) sdk.Source {
		users, _, err := neo4j.NewUsers(w.in, w.config.SourceConfig, w.h.logger)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = users.Close() }) // the test is over
		return users
	})
}

// renamed has the same hashes in every world: they come from URIs, which differ.
type renamed struct {
	*harmonizer
	w *world
}

func (r renamed) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	result, err := r.harmonizer.HarmonizeTimeSeries(ctx, batch)
	for i := range result.Records {
		record := &result.Records[i]
		c := batch.Items[record.Item]
		real := r.harmonizer.mapping.Sensor(c.Series).Graph(c.CUPS, c.Series).Hash
		same := string(c.CUPS) + c.Series.String()
		record.Key = []byte(strings.ReplaceAll(string(record.Key), real[:16], same))
		record.Value = []byte(strings.ReplaceAll(string(record.Value), real, same))
	}
	return result, err
}

// chunks hands chunks over and gives back the points by topic and key.
func (w *world) chunks(chunks ...sdk.Chunk) ([]sdk.Record, []sdk.ItemResult) {
	w.Helper()
	result, err := w.h.HarmonizeTimeSeries(w.Context(), sdk.Batch[sdk.Chunk]{Run: "run", ID: "b", Items: chunks})
	if err != nil {
		w.Fatal(err)
	}
	return result.Records, result.Items
}

// sensor reads start and end of the sensor of a series.
func (w *world) sensor(series sdk.Series) (start, end time.Time) {
	w.Helper()
	rows := w.query(`MATCH (d:Resource {uri: $device})-[:bigg__hasSensor]->(s:bigg__Sensor {uri: $sensor})-[:bigg__hasMeasurement]->(m:bigg__Measurement)
		RETURN s.bigg__timeSeriesStart AS start, s.bigg__timeSeriesEnd AS end`, map[string]any{
		"device": w.base + "DEVICE-DatadisSource-" + cups,
		"sensor": w.base + fmt.Sprintf("SENSOR-datadis-%s-%s-RAW-%s", cups, series.Property, series.Resolution),
	})
	if len(rows) != 1 {
		w.Fatalf("%d sensors", len(rows))
	}
	return rows[0]["start"].(time.Time).UTC(), rows[0]["end"].(time.Time).UTC()
}

func TestSensorsAreWidenedNeverNarrowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	month := func(m time.Month) sdk.Chunk { return sdktest.Chunk(cups, sdk.EnergyHourly, sdk.NewMonth(2026, m), 1) }
	expect := func(from, to time.Month) {
		t.Helper()
		start, end := w.sensor(sdk.EnergyHourly)
		if want := sdk.NewMonth(2026, from).Start().UTC(); !start.Equal(want) {
			t.Errorf("it starts at %v, not %v", start, want)
		}
		if want := sdk.NewMonth(2026, to).End().UTC(); !end.Equal(want) {
			t.Errorf("it ends at %v, not %v", end, want)
		}
	}
	w.chunks(month(time.May))
	expect(time.May, time.May)
	w.chunks(month(time.March), month(time.June))
	expect(time.March, time.June)
	w.chunks(month(time.April))
	expect(time.March, time.June)
	w.chunks(sdktest.Chunk(cups, sdk.EnergyHourly, sdk.NewMonth(2026, time.May), 2))
	expect(time.March, time.June)
}

// TestSensorThatSomebodyRemoved comes back with the next batch.
func TestSensorThatSomebodyRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sdktest.Chunk(cups, sdk.EnergyHourly, sdk.NewMonth(2026, time.May), 1)
	w.chunks(c)
	before := w.graph()
	w.query("MATCH (n:Resource) WHERE n.uri STARTS WITH $base DETACH DELETE n", map[string]any{"base": w.base})
	w.chunks(c)
	if after := w.graph(); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
}

func TestSensorGraph(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("B00000000", nil)
	w.harmonize("run-1", supply("B00000000", "", day(2), full(nil)))
	for _, series := range []sdk.Series{sdk.EnergyHourly, sdk.PowerMonthly} {
		w.chunks(sdktest.Chunk(cups, series, sdk.NewMonth(2026, time.March), 1))
	}
	w.golden("sensors")
}

// point is what readers of the topic find.
type point struct {
	Start, End int64
	Value      json.Number
	IsReal     *bool `json:"isReal"`
	Hash       string
}

func TestPoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sdktest.Merged() // October 2025, with an hour of two hours
	c.CUPS = cups
	c.Consumption.Set(0, sdk.Decimal{Units: 312, Scale: 3})
	c.Consumption.Set(1, sdk.Decimal{})
	c.Consumption.Missing.Set(2)
	c.Methods, c.MethodIndex = []string{"Real", "Estimada", ""}, make([]uint8, c.Len())
	c.MethodIndex[1], c.MethodIndex[3] = 1, 2
	c.Flags[4] = sdk.Padding
	c.Starts[6], c.Flags[5], c.Flags[6] = c.Starts[5], sdk.Duplicate, 0 // the second one is to be preferred
	c.Consumption.Set(6, sdk.Decimal{Units: 7})
	records, items := w.chunks(c)
	if len(items) > 0 {
		t.Fatalf("%+v", items)
	}
	points := map[int64]point{}
	for _, r := range records {
		var p point
		if err := json.Unmarshal(r.Value, &p); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		if want := fmt.Sprintf("%s/%d", p.Hash[:16], p.Start); r.Topic != "points" || string(r.Key) != want || p.IsReal == nil {
			t.Errorf("topic %s, key %s, value %s", r.Topic, r.Key, r.Value)
		}
		points[p.Start] = p
	}
	if want := c.Len() - 3; len(records) != want || len(points) != want { // no value, padding, duplicate
		t.Errorf("%d points of %d starts, want %d", len(records), len(points), want)
	}
	first := c.Starts[0]
	for i, want := range map[int]string{0: "0.312 true", 1: "0 false", 3: "0.103 false", 5: "7 true"} {
		p, ok := points[c.Starts[i]]
		if !ok || fmt.Sprintf("%s %v", p.Value, *p.IsReal) != want || p.End != p.Start+3599 {
			t.Errorf("reading %d: %+v, want %s", i, p, want)
		}
	}
	if p := points[c.Starts[0]]; p.Start != first || string(records[0].Value) != fmt.Sprintf(`{"start":%d,"end":%d,"value":0.312,"isReal":true,"hash":%q}`, first, first+3599, p.Hash) {
		t.Errorf("got %s", records[0].Value)
	}
	merged := time.Date(2025, time.October, 26, 0, 0, 0, 0, time.UTC).Unix()
	if p := points[merged]; p.End != merged+7199 {
		t.Errorf("the hour of two hours is %+v", p)
	}
}

// TestPointsThatALaterRevisionDoesNotHave are deleted, and no others: not those
// of hours to come, and none by a first revision.
func TestPointsThatALaterRevisionDoesNotHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gaps := sdktest.Gaps() // February 2024 without a value at 5, nor readings at 100 and 101
	gaps.CUPS = cups
	start := gaps.Month.Start()
	for _, test := range []struct {
		name     string
		revision uint32
		fetched  time.Time
		want     []int // hours of the month
	}{
		{"first", 1, gaps.FetchedAt, nil},
		{"later", 2, gaps.FetchedAt, []int{5, 100, 101}},
		{"in the month", 3, start.Add(100 * time.Hour), []int{5}},
	} {
		gaps.Revision, gaps.FetchedAt = test.revision, test.fetched
		records, _ := w.chunks(gaps)
		hash := w.h.mapping.Sensor(gaps.Series).Graph(gaps.CUPS, gaps.Series).Hash
		var want, got []string
		for _, hour := range test.want {
			want = append(want, fmt.Sprintf("%s/%d", hash[:16], start.Add(time.Duration(hour)*time.Hour).Unix()))
		}
		for _, r := range records {
			if r.Value == nil {
				got = append(got, string(r.Key))
			}
		}
		if !slices.Equal(got, want) || len(records) != gaps.Len()-1+len(want) {
			t.Errorf("%s: of %d records these delete: %q, want %q", test.name, len(records), got, want)
		}
	}
}

// TestABatchOfHoursFitsOneAnswer: what does not fit is handed over again, in
// halves.
func TestABatchOfHoursFitsOneAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.h.topic = "datadis.points.sime"
	records, _ := w.chunks(sdktest.Chunk(cups, sdk.EnergyHourly, sdk.NewMonth(2026, time.March), 1))
	size := 0
	for _, r := range records {
		size += len(r.Topic) + len(r.Key) + len(r.Value) + 14 // tags and lengths
	}
	if hundred := 100 * size; hundred > plugin.MaxMessageSize {
		t.Errorf("100 months have %d bytes, a message %d", hundred, plugin.MaxMessageSize)
	}
}

func TestOtherSeriesAreSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reactive := sdktest.Chunk(cups, sdk.ReactiveMonthly, sdk.NewMonth(2026, time.March), 1)
	south := sdktest.Chunk(cups, sdk.EnergyHourly, sdk.NewMonth(2026, time.March), 1)
	south.Source = "south"
	records, items := w.chunks(reactive, south)
	if len(records) > 0 || len(items) != 2 || items[0].Reason != "no_sensor" || items[1].Reason != "other_source" {
		t.Errorf("got %d records, %+v", len(records), items)
	}
	if text := w.graph(); text != "" {
		t.Errorf("the graph has\n%s", text)
	}
}
