package harmonizer

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

var (
	january  = sdk.NewMonth(2026, time.January)
	february = sdk.NewMonth(2026, time.February)
	march    = sdk.NewMonth(2026, time.March)
)

// months lists what a plugin got: month and revision.
func (p *plugin) months() []string {
	var got []string
	for _, c := range p.chunks {
		got = append(got, c.Source+" "+c.Month.String())
	}
	return got
}

// inBubble runs a test on a clock that jumps, so that pauses cost nothing.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestHarmonizer(t *testing.T) {
	t.Parallel()
	inBubble(t, "takes the chunks of its sources, and commits them", func(t *testing.T) {
		w, p := newWorld(), &plugin{}
		w.publish(t, chunk("north", january, 1, 1))
		w.publish(t, chunk("south", january, 1, 1))
		w.publish(t, chunk("north", february, 1, 1))
		if err := harmonize(t, w, p, sdk.Intake{Sources: []string{"north"}}); err != nil {
			t.Fatal(err)
		}
		if want := []string{"north 2026-01", "north 2026-02"}; !slices.Equal(p.months(), want) {
			t.Errorf("got %v, want %v", p.months(), want)
		}
		if w.committed[Partition{"north", 0}] != int64(len(w.topics["north"])) {
			t.Errorf("committed %v of %d", w.committed, len(w.topics["north"]))
		}
		if !slices.Equal(p.begun, []string{"r1"}) {
			t.Errorf("begun: %v", p.begun)
		}
	})
	inBubble(t, "a part of a chunk is neither handed over nor committed", func(t *testing.T) {
		w, p := newWorld(), &plugin{}
		c := chunk("north", january, 1, 1)
		c.Series, c.Spans = sdk.EnergyQuarterHour, nil
		for i := c.Len(); i < 4*january.Hours(); i++ {
			c.Starts = append(c.Starts, january.Start().Unix()+int64(i)*900)
			c.Consumption.Set(i, sdk.Decimal{Units: 1, Scale: 3})
		}
		w.publish(t, c)
		last := w.topics["north"][len(w.topics["north"])-1]
		w.topics["north"] = w.topics["north"][:len(w.topics["north"])-1]
		if len(w.topics["north"]) == 0 {
			t.Fatal("the chunk has one part only")
		}
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.chunks) != 0 || w.committed[Partition{"north", 0}] != 0 {
			t.Errorf("chunks %v, committed %v", p.months(), w.committed)
		}
		w.topics["north"] = append(w.topics["north"], last)
		w.restart()
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.chunks) != 1 || p.chunks[0].Len() != c.Len() {
			t.Errorf("chunks after the last part: %v", p.months())
		}
	})
	// Invariant 13.
	inBubble(t, "an older revision never follows a newer one", func(t *testing.T) {
		w, p := newWorld(), &plugin{}
		for _, revision := range []uint32{1, 2, 1} {
			w.publish(t, chunk("north", january, revision, int64(revision)))
		}
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.chunks) != 2 || p.chunks[1].Revision != 2 {
			t.Errorf("got %d chunks, the last of revision %d", len(p.chunks), p.chunks[len(p.chunks)-1].Revision)
		}
	})
	inBubble(t, "what cannot be read is a dead letter, and costs nothing else", func(t *testing.T) {
		w, p := newWorld(), &plugin{}
		w.publish(t, chunk("north", january, 1, 1))
		w.topics["north"][0].Value = []byte("rubbish")
		w.publish(t, chunk("north", february, 1, 1))
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.chunks) != 1 || len(w.output) != 1 || w.output[0].Topic != "dead" || string(w.output[0].Value) != "rubbish" {
			t.Errorf("chunks %v, output %d", p.months(), len(w.output))
		}
	})
}

// fell is the error of a call during which the plugin's process ended.
type fell struct{ byItself bool }

func (fell) Error() string    { return "signal: killed" }
func (f fell) ByItself() bool { return f.byItself }

func TestPluginFaults(t *testing.T) {
	t.Parallel()
	three := func(t *testing.T) *world {
		w := newWorld()
		for _, month := range []sdk.Month{january, february, march} {
			w.publish(t, chunk("north", month, 1, 1))
		}
		return w
	}
	inBubble(t, "an unavailable store is waited for", func(t *testing.T) {
		w, start := three(t), time.Now()
		p := &plugin{answer: func(call int, _ sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
			if call <= 20 {
				return sdk.Result{}, sdk.Later(errors.New("store is down"), 0)
			}
			return sdk.Result{}, nil
		}}
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.chunks) != 3 || len(w.output) != 0 {
			t.Errorf("chunks %v, dead letters %d", p.months(), len(w.output))
		}
		if waited := time.Since(start); waited > 20*time.Minute || waited < 5*time.Minute {
			t.Errorf("waited %s for 20 failures", waited)
		}
	})
	inBubble(t, "the item that the plugin fails on is found and buried", func(t *testing.T) {
		w := three(t)
		p := &plugin{answer: func(_ int, b sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
			for _, c := range b.Items {
				if c.Month == february {
					return sdk.Result{}, errors.New("panic: index out of range")
				}
			}
			return sdk.Result{}, nil
		}}
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if want := []string{"north 2026-01", "north 2026-03"}; !slices.Equal(p.months(), want) {
			t.Errorf("got %v, want %v", p.months(), want)
		}
		if len(w.output) != 1 || w.output[0].Header("dd-dead-reason") != "plugin_failed" {
			t.Errorf("dead letters: %+v", w.output)
		}
		if w.committed[Partition{"north", 0}] != 3 {
			t.Errorf("committed %v", w.committed)
		}
	})
	inBubble(t, "the item that the plugin crashes on twice is quarantined", func(t *testing.T) {
		w, row, longest := three(t), 0, 0
		p := &plugin{answer: func(_ int, b sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
			for _, c := range b.Items {
				if c.Month == january { // the first: the worst case for the breaker
					row++
					longest = max(longest, row)
					return sdk.Result{}, fell{byItself: true}
				}
			}
			row = 0
			return sdk.Result{}, nil
		}}
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if want := []string{"north 2026-02", "north 2026-03"}; !slices.Equal(p.months(), want) {
			t.Errorf("got %v, want %v", p.months(), want)
		}
		if len(w.output) != 1 || w.output[0].Header("dd-dead-reason") != "plugin_crashed" || w.committed[Partition{"north", 0}] != 3 {
			t.Errorf("dead letters: %+v, committed %v", w.output, w.committed)
		}
		if longest >= 5 {
			t.Errorf("it crashed %d times in a row: the breaker would have stopped it", longest)
		}
	})
	inBubble(t, "a plugin that somebody kills costs nothing", func(t *testing.T) {
		w := three(t)
		p := &plugin{answer: func(call int, _ sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
			if call <= 50 {
				return sdk.Result{}, fell{}
			}
			return sdk.Result{}, nil
		}}
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.chunks) != 3 || len(w.output) != 0 {
			t.Errorf("chunks %v, dead letters %d", p.months(), len(w.output))
		}
	})
	inBubble(t, "a target that must be mended stops the harmonizer, uncommitted", func(t *testing.T) {
		w := three(t)
		p := &plugin{answer: func(int, sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
			return sdk.Result{}, sdk.Stop(errors.New("no such table"))
		}}
		err := harmonize(t, w, p, sdk.Intake{})
		if err == nil || w.committed[Partition{"north", 0}] != 0 {
			t.Errorf("error %v, committed %v", err, w.committed)
		}
	})
	inBubble(t, "verdicts on items", func(t *testing.T) {
		w, asked := three(t), 0
		p := &plugin{answer: func(call int, b sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
			if call > 1 {
				asked += len(b.Items)
				return sdk.Result{}, nil
			}
			return sdk.Result{Items: []sdk.ItemResult{
				{Item: 0, Verdict: sdk.Skipped},
				{Item: 1, Verdict: sdk.Rejected, Reason: "unknown_tariff", Message: "tariff 9X"},
				{Item: 2, Verdict: sdk.Retry},
			}}, nil
		}}
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if asked != 1 {
			t.Errorf("%d items were handed over again, want the one that asked for it", asked)
		}
		if len(w.output) != 1 || w.output[0].Header("dd-dead-reason") != "unknown_tariff" {
			t.Errorf("dead letters: %+v", w.output)
		}
	})
	inBubble(t, "a record that no broker takes costs its own item", func(t *testing.T) {
		w := three(t)
		p := &plugin{answer: func(_ int, b sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
			return sdk.Result{Records: []sdk.Record{
				{Item: 1, Topic: "mine", Value: make([]byte, largest+1)}, {Item: 2, Topic: "mine", Value: []byte("c")},
			}}, nil
		}}
		if err := harmonize(t, w, p, sdk.Intake{OutputTopics: []string{"mine"}}); err != nil {
			t.Fatal(err)
		}
		if len(w.output) != 2 || w.output[0].Header("dd-dead-reason") != "record_too_large" || string(w.output[1].Value) != "c" {
			t.Errorf("published: %d, %v", len(w.output), w.output[0].Headers)
		}
	})
	inBubble(t, "records go to declared topics only", func(t *testing.T) {
		w := three(t)
		p := &plugin{answer: func(_ int, b sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
			return sdk.Result{Records: []sdk.Record{
				{Item: 0, Topic: "mine", Value: []byte("a"), Headers: map[string]string{"dd-chunk": "forged", "dd-index": "9"}}, {Item: 0, Topic: "mine", Value: []byte("b")},
				{Item: 1, Topic: "theirs", Value: []byte("c")},
			}}, nil
		}}
		if err := harmonize(t, w, p, sdk.Intake{OutputTopics: []string{"mine"}}); err != nil {
			t.Fatal(err)
		}
		var mine []string
		dead := 0
		for _, m := range w.output {
			switch m.Topic {
			case "mine":
				mine = append(mine, string(m.Value)+m.Header(HeaderIndex)+m.Header("dd-chunk"))
			case "dead":
				dead++
			default:
				t.Errorf("a record went to %s", m.Topic)
			}
		}
		id := sdk.ChunkID("ES0031000000000001BJ0F", sdk.EnergyHourly, january)
		if want := []string{"a0" + id, "b1" + id}; !slices.Equal(mine, want) || dead != 1 {
			t.Errorf("records %v, want %v; dead letters %d", mine, want, dead)
		}
	})
}

func TestEndOfRun(t *testing.T) {
	t.Parallel()
	inBubble(t, "is told once everything is committed, and then committed itself", func(t *testing.T) {
		w, p := newWorld(), &plugin{}
		w.publish(t, chunk("north", january, 1, 1))
		w.finish(t, sdk.Partial)
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.ended) != 1 || p.ended[0].Outcome != sdk.Partial || len(p.chunks) != 1 {
			t.Errorf("ended %+v after %d chunks", p.ended, len(p.chunks))
		}
		if w.committed[Partition{"runs", 0}] != 1 {
			t.Errorf("committed %v", w.committed)
		}
	})
	inBubble(t, "waits while another process has not committed its part", func(t *testing.T) {
		w, p := newWorld(), &plugin{}
		w.publish(t, chunk("north", january, 1, 1))
		w.publish(t, chunk("south", january, 1, 1))
		w.lost["south"] = true
		w.finish(t, sdk.Complete)
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.ended) != 0 || w.committed[Partition{"runs", 0}] != 0 {
			t.Errorf("ended %+v, committed %v", p.ended, w.committed)
		}
		w.committed[Partition{"south", 0}] = 1
		w.restart()
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.ended) != 1 {
			t.Errorf("ended %+v", p.ended)
		}
	})
	inBubble(t, "is another process's matter once the control topic is", func(t *testing.T) {
		w, p := newWorld(), &plugin{}
		w.publish(t, chunk("north", january, 1, 1))
		w.finish(t, sdk.Complete)
		w.topics["runs"], w.lost["runs"] = w.topics["runs"], true
		if err := harmonize(t, w, p, sdk.Intake{}); err != nil {
			t.Fatal(err)
		}
		if len(p.ended) != 0 {
			t.Errorf("ended %+v", p.ended)
		}
	})
}
