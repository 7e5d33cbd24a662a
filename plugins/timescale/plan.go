package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/datadis-engine/datadis/sdk"
)

// The reasons for which an item is not written.
const (
	badText       = "bad_text"
	badMonth      = "bad_month"
	badChunk      = "bad_chunk"
	otherSource   = "other_source"
	unknownSeries = "unknown_series"
	olderRevision = "older_revision"
)

// key is what a chunk's readings belong to.
type key struct {
	source string
	cups   sdk.CUPS
	series sdk.Series
	month  sdk.Month
}

// compare orders keys, so that processes lock rows in the same order.
func (k key) compare(other key) int {
	return cmp.Or(
		cmp.Compare(k.source, other.source), cmp.Compare(k.cups, other.cups),
		cmp.Compare(k.series.Property, other.series.Property), cmp.Compare(k.series.Resolution, other.series.Resolution),
		cmp.Compare(k.month, other.month))
}

// job is a chunk to be written.
type job struct {
	item     int
	key      key
	chunk    *sdk.Chunk
	readings []reading
	seriesID int32
	accepted bool // it is newer than what is there
}

// plan is what is to be written for a batch: at most one chunk for each key, in
// the order of the keys.
type plan struct {
	jobs    []*job
	refused []sdk.ItemResult
}

// newPlan picks the newest revision of each chunk, and says which items are not
// for this database.
func newPlan(c Config, chunks []sdk.Chunk) *plan {
	p := &plan{}
	at := map[key]*job{}
	for i := range chunks {
		chunk := &chunks[i]
		if r := refuse(c, chunk); r != nil {
			r.Item = i
			p.refused = append(p.refused, *r)
			continue
		}
		k := key{chunk.Source, chunk.CUPS, chunk.Series, chunk.Month}
		j, again := at[k]
		switch {
		case !again:
			j = &job{item: i, key: k, chunk: chunk}
			at[k] = j
			p.jobs = append(p.jobs, j)
		case chunk.Revision < j.chunk.Revision:
			p.refused = append(p.refused, older(i))
		default:
			j.item, j.chunk = i, chunk
		}
	}
	for _, j := range p.jobs {
		j.readings = readingsOf(j.chunk)
	}
	slices.SortFunc(p.jobs, func(a, b *job) int { return a.key.compare(b.key) })
	return p
}

// result names the items that were not written, in their order.
func (p *plan) result() []sdk.ItemResult {
	slices.SortFunc(p.refused, func(a, b sdk.ItemResult) int { return a.Item - b.Item })
	return p.refused
}

func older(item int) sdk.ItemResult {
	return sdk.ItemResult{Item: item, Verdict: sdk.Skipped, Reason: olderRevision, Message: "a newer revision is there already"}
}

func rejected(reason, message string) *sdk.ItemResult {
	return &sdk.ItemResult{Verdict: sdk.Rejected, Reason: reason, Message: message}
}

// refuse says why a chunk is not written; nil, if it is.
func refuse(c Config, chunk *sdk.Chunk) *sdk.ItemResult {
	switch {
	case !c.takes(chunk.Source):
		return &sdk.ItemResult{Verdict: sdk.Skipped, Reason: otherSource, Message: "its source is not configured here"}
	case !slices.Contains(knownSeries, chunk.Series):
		return &sdk.ItemResult{Verdict: sdk.Skipped, Reason: unknownSeries, Message: "its series has no columns here"}
	case chunk.CUPS == "" || !plainText(append([]string{chunk.Source, chunk.Run, string(chunk.CUPS)}, chunk.Methods...)...):
		return rejected(badText, "one of its texts is no UTF-8, or contains a zero byte")
	case chunk.Month.Year() < 1970 || chunk.Month.Year() > 9999:
		return rejected(badMonth, "its month is none")
	}
	if err := checkShape(chunk); err != nil {
		return rejected(badChunk, err.Error())
	}
	return nil
}

var knownSeries = []sdk.Series{sdk.EnergyHourly, sdk.EnergyQuarterHour, sdk.PowerMonthly, sdk.ReactiveMonthly}

// plainText tells whether PostgreSQL can hold the texts.
func plainText(texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool {
		return !utf8.ValidString(text) || strings.ContainsRune(text, 0)
	})
}

// checkShape makes sure that the chunk's columns belong together, and its
// readings to its month: those of the month are replaced together.
func checkShape(c *sdk.Chunk) error {
	n := c.Len()
	switch {
	case c.Spans != nil && len(c.Spans) != n,
		c.Flags != nil && len(c.Flags) != n,
		c.Periods != nil && len(c.Periods) != n:
		return errors.New("its columns do not have the same length")
	}
	for _, column := range valuesOf(c) {
		if column.Scale < 0 || column.Scale > sdk.MaxScale || len(column.Units) > n {
			return errors.New("one of its columns is damaged")
		}
	}
	from, to := c.Month.Start().Unix(), c.Month.End().Unix()
	for _, start := range c.Starts {
		if start < from || start >= to {
			return errors.New("one of its readings lies outside its month")
		}
	}
	return nil
}

// valuesOf are the columns of values, in the order of those of the table.
func valuesOf(c *sdk.Chunk) [6]*sdk.Column {
	return [6]*sdk.Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive}
}
