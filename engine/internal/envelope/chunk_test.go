package envelope

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -update if that is meant\ngot  %.2000s\nwant %.2000s", name, got, want)
	}
}

// show is a message as a golden file has it: topic, key, headers, value.
func show(t *testing.T, messages ...Message) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, m := range messages {
		out.WriteString("topic " + m.Topic + "\nkey   " + string(m.Key) + "\n")
		for _, h := range m.Headers {
			out.WriteString(h.Name + ": " + h.Value + "\n")
		}
		if json.Valid(m.Value) {
			out.Write(m.Value)
		} else {
			t.Errorf("the value is no JSON: %.300s", m.Value)
		}
		out.WriteString("\n\n")
	}
	return out.Bytes()
}

var route = sdk.Route{
	Topic:   "datadis.north",
	Tables:  []string{"datadis:raw_datadis_ts_{prop}_{freq}"},
	RowKeys: [][]string{{"cups", "timestamp"}},
	Extra:   map[string]string{"station": "A", "device": "{cups}-{freq}"},
}

func decimal(text string) sdk.Decimal {
	d, err := sdk.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

// facts is a chunk without readings.
func facts(series sdk.Series, month sdk.Month) *sdk.Chunk {
	return &sdk.Chunk{
		ID: "c1f0", Revision: 2, Hash: 0x0123456789abcdef, Run: "r1", Source: "north",
		CUPS: "ES0031000000000001BJ0F", Series: series, Month: month,
		FetchedAt: time.Date(2026, 11, 23, 12, 30, 0, 250e6, time.UTC),
	}
}

// hourly is the beginning of the autumn change day, with a merged hour.
func hourly() *sdk.Chunk {
	c := facts(sdk.EnergyHourly, sdk.NewMonth(2023, time.October))
	start := time.Date(2023, 10, 28, 22, 0, 0, 0, time.UTC).Unix()
	c.Starts = []int64{start, start + 3600, start + 10800}
	c.Spans = []uint32{3600, 7200, 3600}
	c.Flags = []sdk.Flags{0, sdk.Merged | sdk.Assumed, 0}
	for i, text := range []string{"0.312", "2.566", "0"} {
		c.Consumption.Set(i, decimal(text))
	}
	c.Surplus.Set(1, decimal("0.05"))
	c.Methods, c.MethodIndex = []string{"Real", "Estimada"}, []uint8{0, 0, 1}
	closeColumns(c)
	return c
}

func closeColumns(c *sdk.Chunk) *sdk.Chunk {
	for _, column := range []*sdk.Column{
		&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive,
	} {
		column.Close(c.Len())
	}
	return c
}

// power is a month with one peak per period.
func power() *sdk.Chunk {
	c := facts(sdk.PowerMonthly, sdk.NewMonth(2026, time.July))
	c.Starts = []int64{
		time.Date(2026, 7, 9, 21, 45, 0, 0, time.UTC).Unix(),
		time.Date(2026, 7, 16, 9, 0, 0, 0, time.UTC).Unix(),
	}
	c.Spans, c.Periods = []uint32{900, 900}, []uint8{2, 1}
	c.Peak.Set(0, decimal("2.5"))
	c.Peak.Set(1, decimal("3.516"))
	return c
}

// peaks has two peaks of one period, and one that could not be read.
func peaks() *sdk.Chunk {
	c := power()
	c.Starts = append(c.Starts, c.Starts[1]+900, c.Starts[1]+1800)
	c.Spans = append(c.Spans, 900, 900)
	c.Periods = append(c.Periods, 1, 3)
	c.Flags = []sdk.Flags{0, 0, sdk.Watts, sdk.Unreadable}
	c.Peak.Set(2, decimal("4.879"))
	return closeColumns(c)
}

func reactive() *sdk.Chunk {
	c := facts(sdk.ReactiveMonthly, sdk.NewMonth(2024, time.January))
	start, hours := c.Month.Start().Unix(), uint32(c.Month.Hours())
	for i, text := range []string{"0", "100", "-150.25"} {
		c.Starts = append(c.Starts, start)
		c.Spans = append(c.Spans, hours*3600)
		c.Periods = append(c.Periods, uint8(i*2+1))
		c.Reactive.Set(i, decimal(text))
	}
	return c
}

// quarters is a whole October in quarter hours.
func quarters() *sdk.Chunk {
	c := facts(sdk.EnergyQuarterHour, sdk.NewMonth(2025, time.October))
	c.Methods = []string{"Real"}
	random := rand.New(rand.NewPCG(1, 2))
	for at := c.Month.Start(); at.Before(c.Month.End()); at = at.Add(15 * time.Minute) {
		i := c.Len()
		c.Starts = append(c.Starts, at.Unix())
		c.Consumption.Set(i, sdk.Decimal{Units: random.Int64N(3000), Scale: 3})
		c.Surplus.Set(i, sdk.Decimal{})
		c.MethodIndex = append(c.MethodIndex, 0)
	}
	return c
}

func encode(t testing.TB, c *sdk.Chunk) []Message {
	t.Helper()
	messages, err := Chunk(c, route, Header{HeaderTrace, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// decode gives the chunk back from its messages.
func decode(t testing.TB, messages []Message) *sdk.Chunk {
	t.Helper()
	a := NewAssembler(0)
	var whole *Whole
	for i, m := range messages {
		p, err := ParsePart(&m)
		if err != nil {
			t.Fatal(err)
		}
		w, _ := a.Add(p, int64(i))
		if (w != nil) != (i == len(messages)-1) {
			t.Fatalf("whole after part %d of %d: %v", i+1, len(messages), w != nil)
		}
		whole = w
	}
	return whole.Chunk
}

func TestChunkGolden(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*sdk.Chunk{
		"hourly": hourly(), "power": power(), "peaks": peaks(), "reactive": reactive(),
	} {
		golden(t, name+".txt", show(t, encode(t, c)...))
	}
}

func TestChunkComesBack(t *testing.T) {
	t.Parallel()
	onlyNulls := hourly()
	onlyNulls.Consumption, onlyNulls.Surplus, onlyNulls.Spans, onlyNulls.Flags = sdk.Column{}, sdk.Column{}, nil, nil
	onlyNulls.Methods, onlyNulls.MethodIndex = nil, nil
	noText := hourly()
	noText.Methods, noText.MethodIndex = []string{""}, []uint8{0, 0, 0}
	for name, c := range map[string]*sdk.Chunk{
		"hourly": hourly(), "power": power(), "several peaks": peaks(), "reactive": reactive(),
		"parts": quarters(), "only nulls": onlyNulls, "empty method": noText,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := decode(t, encode(t, c)); !reflect.DeepEqual(got, c) {
				t.Errorf("got  %+v\nwant %+v", got, c)
			}
		})
	}
}

func TestPartsStaySmall(t *testing.T) {
	t.Parallel()
	c := quarters()
	messages := encode(t, c)
	if len(messages) < 2 {
		t.Fatalf("%d parts", len(messages))
	}
	rows := 0
	for i, m := range messages {
		var envelope struct{ Data []map[string]any }
		if err := json.Unmarshal(m.Value, &envelope); err != nil {
			t.Fatal(err)
		}
		rows += len(envelope.Data)
		if len(m.Value) >= 256<<10 || i+1 < len(messages) && len(m.Value) < 255<<10 {
			t.Errorf("part %d has %d bytes", i, len(m.Value))
		}
	}
	if rows != c.Len() {
		t.Errorf("%d rows of %d readings", rows, c.Len())
	}
}

func TestChunkRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*sdk.Chunk, *sdk.Route)
		want   string
	}{
		"no readings":     {func(c *sdk.Chunk, _ *sdk.Route) { c.Starts, c.Spans = nil, nil }, "no readings"},
		"short column":    {func(c *sdk.Chunk, _ *sdk.Route) { c.Flags = c.Flags[:1] }, "one entry per reading"},
		"foreign column":  {func(c *sdk.Chunk, _ *sdk.Route) { c.Peak = c.Consumption }, "does not belong"},
		"scale":           {func(c *sdk.Chunk, _ *sdk.Route) { c.Consumption.Scale = 19 }, "scale"},
		"no length":       {func(c *sdk.Chunk, _ *sdk.Route) { c.Spans[0] = 0 }, "no length"},
		"year 10000":      {func(c *sdk.Chunk, _ *sdk.Route) { c.Starts[2] = 1 << 40 }, "four digits"},
		"taken name":      {func(_ *sdk.Chunk, r *sdk.Route) { r.Extra = map[string]string{"cups": "x"} }, "field of the row"},
		"taken pattern":   {func(_ *sdk.Chunk, r *sdk.Route) { r.Extra = map[string]string{"maxPower_period_9": ""} }, "field of the row"},
		"no topic":        {func(_ *sdk.Chunk, r *sdk.Route) { r.Topic = "" }, "name of a Kafka topic"},
		"keys and tables": {func(_ *sdk.Chunk, r *sdk.Route) { r.RowKeys = nil }, "row_keys"},
		"a row too large": {
			func(_ *sdk.Chunk, r *sdk.Route) { r.Extra = map[string]string{"x": strings.Repeat("x", MaxValue)} },
			"exceeds",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, r := hourly(), route
			tc.change(c, &r)
			if _, err := Chunk(c, r); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func BenchmarkChunk(b *testing.B) {
	c := quarters()
	b.ReportAllocs()
	for b.Loop() {
		encode(b, c)
	}
	b.ReportMetric(float64(c.Len()*b.N)/b.Elapsed().Seconds(), "readings/s")
}

func BenchmarkParse(b *testing.B) {
	messages := encode(b, quarters())
	readings := 0
	b.ReportAllocs()
	for b.Loop() {
		readings += decode(b, messages).Len()
	}
	b.ReportMetric(float64(readings)/b.Elapsed().Seconds(), "readings/s")
}
