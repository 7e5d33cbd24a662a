package envelope

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// lines are headers as fuzz targets take them, one a line.
func lines(headers []Header) string {
	var text strings.Builder
	for _, h := range headers {
		text.WriteString(h.Name + ": " + h.Value + "\n")
	}
	return text.String()
}

// anyMessage is what a fuzz target was given.
func anyMessage(key []byte, headers string, value []byte) *Message {
	m := &Message{Topic: "t", Key: key, Value: value}
	for line := range strings.Lines(headers) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		m.Headers = append(m.Headers, Header{name, rest})
	}
	return m
}

// seed adds messages to the corpus, whole and damaged.
func seed(f *testing.F, messages ...Message) {
	f.Helper()
	for _, m := range messages {
		value := m.Value[:min(len(m.Value), 4000)]
		f.Add(m.Key, lines(m.Headers), value)
		f.Add(m.Key, lines(m.Headers), value[:len(value)/2])
		f.Add([]byte{}, lines(m.Headers[:1]), value)
	}
	f.Add([]byte("ES0031000000000001BJ0F"), "dd-schema: 2\n", []byte("{}"))
}

// expectKnown expects an error that a reader can decide on, without the
// content of the message, which is personal data.
func expectKnown(t *testing.T, err error, m *Message, known ...error) {
	t.Helper()
	for _, one := range append(known, ErrSchema, ErrMalformed) {
		if errors.Is(err, one) {
			if key := string(m.Key); len(key) >= 16 && strings.Contains(err.Error(), key) {
				t.Errorf("it quotes the key: %v", err)
			}
			return
		}
	}
	t.Errorf("neither the form nor the content is wrong: %v", err)
}

// No record of a source's topic stops a harmonizer: it is a part whose
// readings can all be used, or it is refused.
func FuzzParsePart(f *testing.F) {
	for _, c := range []*sdk.Chunk{hourly(), power(), peaks(), reactive()} {
		seed(f, encode(f, c)...)
	}
	f.Fuzz(func(t *testing.T, key []byte, headers string, value []byte) {
		m := anyMessage(key, headers, value)
		p, err := ParsePart(m)
		if err != nil {
			expectKnown(t, err, m)
			return
		}
		c := p.Chunk
		if c.Len() == 0 || p.First+c.Len() > p.Total || p.Index >= p.Count {
			t.Errorf("accepted a part that does not fit: %+v", p)
		}
		for i := range c.Len() {
			_, _, _, _ = c.Start(i), c.End(i), c.Flag(i), c.Method(i)
			for _, column := range []*sdk.Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive} {
				if d, ok := column.Value(i); ok {
					_ = d.String()
				}
			}
		}
		if whole, _ := NewAssembler(10).Add(p, 1); whole != nil && whole.Chunk.Len() == 0 {
			t.Error("a whole chunk without readings")
		}
	})
}

// No record of the static topic stops a harmonizer.
func FuzzParseSupply(f *testing.F) {
	supply := &sdk.Supply{
		Run: "r1", Sources: []string{"north"}, CUPS: "ES0031000000000001BJ0F", Distributor: "2",
		Contracts: []sdk.Contract{{}}, FetchedAt: time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC),
		Raw: []byte(`{"cups":"ES0031000000000001BJ0F","contracts":[{"startDate":"2020/01/01","contractedPowerkW":[3.4,5]}]}`),
	}
	m, err := Supply(supply, "datadis.harm")
	if err != nil {
		f.Fatal(err)
	}
	final, err := Final("r1", []string{"north"}, "datadis.harm", 0)
	if err != nil {
		f.Fatal(err)
	}
	seed(f, m, final)
	f.Fuzz(func(t *testing.T, key []byte, headers string, value []byte) {
		m := anyMessage(key, headers, value)
		s, err := ParseSupply(m)
		if err != nil {
			expectKnown(t, err, m, ErrFinal)
			return
		}
		if _, err := Supply(&s, "t"); err != nil && s.CUPS != "" && len(s.Sources) > 0 && len(s.Raw) > 0 {
			t.Logf("read, and cannot be written: %v", err) // a time beyond what JSON holds, say
		}
	})
}

// No record of the control topic stops a harmonizer.
func FuzzParseControl(f *testing.F) {
	started, errStarted := Started{Run: "r1", Policy: "last", Routes: map[string]sdk.Route{"north": route}}.Message("runs")
	finished, errFinished := Finished{Run: "r1", Outcome: sdk.Partial, EndOffsets: EndOffsets{"datadis.north": {0: 7}}}.Message("runs")
	if err := errors.Join(errStarted, errFinished); err != nil {
		f.Fatal(err)
	}
	seed(f, started, finished)
	f.Fuzz(func(t *testing.T, key []byte, headers string, value []byte) {
		m := anyMessage(key, headers, value)
		c, err := ParseControl(m)
		switch {
		case err != nil:
			expectKnown(t, err, m)
		case (c.Started == nil) == (c.Finished == nil):
			t.Errorf("neither a start nor an end: %+v", c)
		}
	})
}

// No raw copy, and no frame that inflates without end, stops who reads it.
func FuzzOpenRaw(f *testing.F) {
	archive, err := NewArchive()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = archive.Close() })
	for _, body := range []string{`{"timeCurve":[],"distributorError":[]}`, strings.Repeat("0", 1<<20), ""} {
		m, err := archive.Raw(Facts{
			Run: "r1", Chunk: "c1f0", Endpoint: "Power_P1M", API: "v2", CUPS: "ES0031000000000001BJ0F",
			From: "2026-01", To: "2026-02", ReceivedAt: time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC), Status: 200,
		}, []byte(body), "datadis.raw")
		if err != nil {
			f.Fatal(err)
		}
		seed(f, m)
	}
	f.Fuzz(func(t *testing.T, key []byte, headers string, value []byte) {
		m := anyMessage(key, headers, value)
		_, body, err := archive.OpenRaw(m)
		if err != nil {
			expectKnown(t, err, m)
			return
		}
		if len(body) > MaxBody {
			t.Errorf("inflated to %d bytes", len(body))
		}
	})
}
