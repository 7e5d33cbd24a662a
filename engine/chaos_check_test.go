package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/truthtest"
	"github.com/datadis-engine/datadis/sdk"
)

// chaosCounts are what a chaos ends with.
type chaosCounts struct {
	kills, stops, freezes, restarts, outages, days int
	queries, inChaos, repeated, unmatched          int
	reasons                                        reasons
	chunks, readings, repeats, clashes             int
	lost, doubled, wrong, foreign                  int
}

// add counts the differences of one place.
func (n *chaosCounts) add(d truthtest.Difference) {
	n.lost += d.Missing
	n.doubled += d.Doubled
	n.wrong += d.Wrong
	n.foreign += d.Extra
}

// missing says what of the truth is not in the sources' topics yet, or not in
// the ledger; "" if all is.
func (c *chaos) missing() string {
	c.Helper()
	published := truthtest.Time(c, c.records("north", "south"))
	for source := range c.wanted {
		if d := truthtest.Compare(published.BySource[source], c.want(source)); d.Missing+d.Wrong > 0 {
			return "topic of " + source + ": " + d.String()
		}
	}
	return c.unrecorded()
}

// unrecorded says what of the truth the ledger does not have, or has not
// delivered to somebody who wants it; "" if there is nothing.
func (c *chaos) unrecorded() string {
	c.Helper()
	client, err := openRedis("", settings.NewURL(c.devices))
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	books := ledger.New(store.NewRedis(client, storePrefix), ledger.Config{})
	for source := range c.wanted {
		steps := make(map[sdk.CUPS]map[ledger.Key]int)
		for r := range c.want(source).Values {
			key, covers := c.chunkOf(r)
			cups := sdk.CUPS(r.CUPS).Key()
			if steps[cups] == nil {
				steps[cups] = make(map[ledger.Key]int)
			}
			steps[cups][key] += covers
		}
		for cups, chunks := range steps {
			book, err := books.Open(c.Context(), cups)
			if err != nil {
				c.Fatal(err)
			}
			for key, covers := range chunks {
				cell, _ := book.Cell(key)
				if !cell.HasContent() || key.Series.Step() > 0 && cell.Covered != covers {
					return fmt.Sprintf("ledger of %s: %s covers %d of %d", cups, key, cell.Covered, covers)
				}
				if has := book.Delivered(key, source); has != cell.Revision {
					return fmt.Sprintf("ledger of %s: %s of %s is at revision %d of %d", cups, key, source, has, cell.Revision)
				}
			}
		}
	}
	return ""
}

// chunkOf is the chunk that a reading belongs to, and how many of its steps it
// covers.
func (c *chaos) chunkOf(r truthtest.Reading) (ledger.Key, int) {
	c.Helper()
	series, err := ledger.ParseSeries(r.Series)
	start, errStart := time.Parse(time.RFC3339, r.Start)
	end, errEnd := time.Parse(time.RFC3339, r.End)
	if err != nil || errStart != nil || errEnd != nil {
		c.Fatalf("what is %+v?", r)
	}
	covers := 1
	if step := series.Step(); step > 0 {
		covers = int(end.Sub(start) / step)
	}
	return ledger.Key{Series: series, Month: sdk.MonthOf(start)}, covers
}

// check compares everything with the truth, and prints the counts.
func (c *chaos) check(days int) {
	c.Helper()
	n := chaosCounts{days: days}
	c.crowd.sane()
	c.countLives(&n)
	c.checkPublished(&n)
	c.checkRaw(&n)
	c.checkOutput(&n)
	c.checkStatic(&n)
	c.checkRuns()
	c.checkQueries(&n)
	c.Logf("seed %d\n%s", *chaosSeed, n)
}

// countLives counts what happened to the processes, and expects those that were
// asked to stop to have ended well.
func (c *chaos) countLives(n *chaosCounts) {
	c.Helper()
	slots := make(map[string]bool)
	for _, l := range c.crowd.all() {
		n.freezes += len(l.frozen)
		switch {
		case !l.killed.IsZero():
			n.kills++
		case l.asked == syscall.SIGTERM:
			if !l.atEnd {
				n.stops++
			}
			// A producer that did not get to its end says so.
			interrupted := l.kind() == "producer" && l.code == codeInterrupted
			if l.code != codeDone && l.code >= 0 && !interrupted && !c.outages.overlap(l.began, l.over) {
				c.Errorf("%s ended with %d after SIGTERM", l.client, l.code)
			}
		}
		if slots[l.slot] {
			n.restarts++
		}
		slots[l.slot] = true
	}
	for _, log := range c.outages.log {
		n.outages += len(log)
		n.restarts += len(log)
	}
}

// checkPublished compares the sources' topics with the truth.
func (c *chaos) checkPublished(n *chaosCounts) {
	c.Helper()
	records := c.records("north", "south")
	chunks := make(map[string]bool)
	for _, r := range records {
		chunks[r.Headers["dd-source"]+" "+r.Headers["dd-chunk"]] = true
	}
	published := truthtest.Time(c, records)
	n.chunks, n.repeats, n.clashes = len(chunks), published.Repeats, len(published.Clashes)
	for _, clash := range published.Clashes {
		c.Errorf("published again with other content: %s", clash)
	}
	for source := range c.wanted {
		n.readings += len(published.BySource[source].Values)
		c.same(n, "topic of "+source, published.BySource[source], c.want(source))
	}
}

// want is what a source is entitled to. It is worked out once a day.
func (c *chaos) want(source string) truthtest.Readings {
	c.Helper()
	if _, known := c.truths[source]; !known {
		c.truths[source] = c.truth(c.wanted[source])
	}
	return c.truths[source]
}

// same expects two sets of readings to be equal.
func (c *chaos) same(n *chaosCounts, where string, got, want truthtest.Readings) {
	c.Helper()
	d := truthtest.Compare(got, want)
	n.add(d)
	if !d.None() || d.Right == 0 {
		c.Errorf("%s: %s", where, d)
	}
}

// checkRaw compares the raw topic with the truth: each body is one that Datadis
// sent, and together they hold every reading that anybody wants.
func (c *chaos) checkRaw(n *chaosCounts) {
	c.Helper()
	archive, err := envelope.NewArchive()
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	type version struct {
		facts  envelope.Facts
		chunks []*sdk.Chunk
	}
	var versions []version
	for _, r := range c.records("raw") {
		m := envelope.Message{Topic: r.Topic, Key: []byte(r.Key), Value: r.Value}
		for name, value := range r.Headers {
			m.Headers = append(m.Headers, envelope.Header{Name: name, Value: value})
		}
		facts, body, err := archive.OpenRaw(&m)
		if err != nil {
			c.Errorf("raw copy at %d of %d: %v", r.Offset, r.Partition, err)
			continue
		}
		if !c.bodies.has(body) {
			c.Errorf("raw copy of %s: Datadis never sent this", facts.Chunk)
		}
		copied, err := copyOf(facts, body)
		if err != nil {
			c.Error(err)
			continue
		}
		if chunks, _, err := datadis.Decode(body, copied.Query.Shape()); err == nil { // else it was kept as it came
			versions = append(versions, version{facts, chunks})
		}
	}
	slices.SortStableFunc(versions, func(a, b version) int { return a.facts.ReceivedAt.Compare(b.facts.ReceivedAt) })
	got := truthtest.Readings{Values: make(map[truthtest.Reading]string)}
	for _, v := range versions { // the latest answer counts
		for _, chunk := range v.chunks {
			addChunk(got, chunk)
		}
	}
	all := truthtest.Readings{Values: make(map[truthtest.Reading]string)}
	for source := range c.wanted {
		maps.Copy(all.Values, c.want(source).Values)
	}
	c.same(n, "raw topic", got, all)
}

// addChunk adds the readings of a chunk, over older ones.
func addChunk(to truthtest.Readings, chunk *sdk.Chunk) {
	for i := range chunk.Len() {
		r := truthtest.Reading{
			CUPS: string(chunk.CUPS), Series: chunk.Series.String(),
			Start: chunk.Start(i).Format(time.RFC3339), End: chunk.End(i).Format(time.RFC3339),
		}
		column := &chunk.Consumption
		if chunk.Series.Property == sdk.Power {
			column = &chunk.Peak
			r.Period = fmt.Sprint(chunk.Periods[i])
			r.End = chunk.Start(i).Add(15 * time.Minute).Format(time.RFC3339)
		}
		value := ""
		if d, ok := column.Value(i); ok {
			value = d.String()
		}
		if strings.Contains(value, ".") { // trailing zeros say nothing
			value = strings.TrimRight(strings.TrimRight(value, "0"), ".")
		}
		to.Values[r] = value
	}
}

// checkOutput compares the harmonizer's files with the truth.
func (c *chaos) checkOutput(n *chaosCounts) {
	c.Helper()
	for source := range c.wanted {
		c.same(n, "files of "+source, truthtest.Output(c, filepath.Join(c.path("out"), source)), c.want(source))
	}
}

// checkStatic expects static data of each supply for each source that sees it,
// and for no other.
func (c *chaos) checkStatic(n *chaosCounts) {
	c.Helper()
	got := make(map[string]bool)
	for _, r := range c.records("harm") {
		var m struct {
			Kwargs struct {
				Sources []string `json:"dblist"`
			} `json:"kwargs"`
		}
		if err := json.Unmarshal(r.Value, &m); err != nil {
			c.Error(err)
		}
		for _, source := range m.Kwargs.Sources {
			got[source+" "+r.Key] = true
		}
	}
	for source, cups := range c.wanted {
		for one := range cups {
			if !got[source+" "+one] {
				n.lost++
				c.Errorf("no static data of %s for %s", one, source)
			}
			delete(got, source+" "+one)
		}
	}
	for one := range got {
		n.foreign++
		c.Errorf("static data that the source must not see: %s", one)
	}
}

// checkRuns expects each run that started to have ended, and the last one, when
// all had come to rest, to be complete. No end is told in two ways.
func (c *chaos) checkRuns() {
	c.Helper()
	ended := c.finished()
	var last envelope.Finished
	for _, r := range c.records("runs") {
		run, started := strings.CutSuffix(r.Key, "/started")
		if started && len(ended[run]) == 0 {
			c.Errorf("run %s started and never ended", run)
		}
	}
	for run, ends := range ended {
		for _, end := range ends {
			if end.Finished.After(last.Finished) {
				last = end
			}
			if end.Outcome != ends[0].Outcome || !bytes.Equal(jsonText(end.FailedGrants), jsonText(ends[0].FailedGrants)) {
				c.Errorf("run %s ended in two ways: %+v, %+v", run, ends[0], end)
			}
		}
	}
	if last.Outcome != sdk.Complete {
		c.Errorf("the last run ended with %s: %v, %v", last.Outcome, last.Counts, last.FailedGrants)
	}
}

func jsonText(v any) []byte {
	text, _ := json.Marshal(v) // what came from JSON
	return text
}
