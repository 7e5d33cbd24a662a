package envelope

import (
	"slices"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/badinput"
	"github.com/datadis-engine/datadis/sdk"
)

// header changes a header of a message.
func header(m *Message, name, value string) {
	m.Headers = slices.Clone(m.Headers)
	for i := range m.Headers {
		if m.Headers[i].Name == name {
			m.Headers[i].Value = value
		}
	}
}

// What is said about records of Kafka that cannot be read. They are in the
// dead letters.
func TestBadInput(t *testing.T) {
	t.Parallel()
	good := encode(t, hourly())[0]
	var cases []badinput.Case
	add := func(name string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: accepted", name)
			return
		}
		cases = append(cases, badinput.Case{Name: name, Says: err.Error()})
	}
	for _, c := range []struct {
		name   string
		change func(m *Message)
	}{
		{"of a newer engine", func(m *Message) { header(m, HeaderSchema, "2") }},
		{"of somebody else", func(m *Message) { m.Headers = nil }},
		{"no part", func(m *Message) { header(m, HeaderPart, "first") }},
		{"part four of three", func(m *Message) { header(m, HeaderPart, "4/3") }},
		{"rows beyond the end", func(m *Message) { header(m, HeaderRows, "9/3") }},
		{"more rows than there are", func(m *Message) { header(m, HeaderRows, "0/2") }},
		{"no series", func(m *Message) { header(m, HeaderSeries, "Energy") }},
		{"no revision", func(m *Message) { header(m, HeaderRevision, "-1") }},
		{"no hash", func(m *Message) { header(m, HeaderHash, "xyz") }},
		{"no month", func(m *Message) { header(m, HeaderMonth, "July") }},
		{"no time", func(m *Message) { header(m, HeaderFetched, "yesterday") }},
		{"no key", func(m *Message) { m.Key = nil }},
		{"empty", func(m *Message) { m.Value = nil }},
		{"no JSON", func(m *Message) { m.Value = []byte("hunter2") }},
		{"cut off", func(m *Message) { m.Value = m.Value[:len(m.Value)/2] }},
		{"no rows", func(m *Message) { m.Value = []byte(`{"data":[]}`) }},
		{"a text for a row", func(m *Message) { m.Value = []byte(`{"data":["hunter2"]}`) }},
		{"a text for a value", func(m *Message) {
			m.Value = []byte(strings.Replace(string(m.Value), `"consumptionKWh":0.312`, `"consumptionKWh":"hunter2"`, 1))
		}},
	} {
		m := good
		c.change(&m)
		_, err := ParsePart(&m)
		add("time series: "+c.name, err)
	}
	addOthers(add)
	archive, err := NewArchive()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = archive.Close() })
	addRaw(t, archive, add)
	badinput.Golden(t, *update, cases, "hunter2", "ES0031000000000001BJ")
}

// addOthers adds those of the static topic and of the control topic.
func addOthers(add func(string, error)) {
	schema := []Header{{HeaderSchema, Schema}}
	for _, c := range []struct{ name, value string }{
		{"no JSON", "hunter2"}, {"of another kind", `{"data":{},"kwargs":{"collection_type":"timeseries"}}`},
		{"no object", `{"data":[1],"kwargs":{"collection_type":"supplies"}}`},
	} {
		_, err := ParseSupply(&Message{Key: []byte("k"), Value: []byte(c.value), Headers: schema})
		add("static data: "+c.name, err)
	}
	for _, c := range []struct{ name, key, value string }{
		{"another key", "r1", "{}"}, {"no JSON", "r1/finished", "hunter2"}, {"of another run", "r1/started", `{"run":"r2"}`},
	} {
		_, err := ParseControl(&Message{Key: []byte(c.key), Value: []byte(c.value), Headers: schema})
		add("end of a run: "+c.name, err)
	}
}

// addRaw adds raw copies.
func addRaw(t *testing.T, archive *Archive, add func(string, error)) {
	t.Helper()
	raw, err := archive.Raw(Facts{Chunk: "c1f0", CUPS: sdk.CUPS("ES0031000000000001BJ0F"), Status: 200}, []byte("body"), "t")
	if err != nil {
		t.Fatal(err)
	}
	other, err := archive.Raw(Facts{Chunk: "c1f0", Status: 200}, []byte("another"), "t")
	if err != nil {
		t.Fatal(err)
	}
	bomb := archive.encoder.EncodeAll(make([]byte, MaxBody+1), nil)
	for _, c := range []struct {
		name   string
		change func(m *Message)
	}{
		{"not packed", func(m *Message) { m.Value = []byte("hunter2") }},
		{"cut off", func(m *Message) { m.Value = m.Value[:len(m.Value)/2] }},
		{"of another answer", func(m *Message) { m.Value = other.Value }},
		{"without end", func(m *Message) { m.Value = bomb }},
		{"no status", func(m *Message) { header(m, HeaderStatus, "fine") }},
	} {
		m := raw
		c.change(&m)
		_, _, err := archive.OpenRaw(&m)
		add("raw copy: "+c.name, err)
	}
}
