package main

import (
	"path/filepath"

	"github.com/datadis-engine/datadis/sdk"
)

// The reasons for which an item is not written.
const (
	badCUPS       = "bad_cups"
	badSource     = "bad_source"
	badMonth      = "bad_month"
	badChunk      = "bad_chunk"
	otherSource   = "other_source"
	unknownSeries = "unknown_series"
	olderRevision = "older_revision"
)

// job is a chunk to be written, and where.
type job struct {
	item   int
	chunk  *sdk.Chunk
	folder string
}

// path is the file of a format.
func (j job) path(format string) string {
	return filepath.Join(j.folder, j.chunk.Month.String()+"."+format)
}

// plan is what is to be written for a batch: at most one chunk for each file.
type plan struct {
	jobs    []job
	indexes map[string]index // by folder
}

// plan picks the newest revision of each chunk, and says which items are not
// for this folder.
func (h *harmonizer) plan(chunks []sdk.Chunk) (plan, []sdk.ItemResult) {
	var refused []sdk.ItemResult
	p := plan{indexes: map[string]index{}}
	at := map[string]int{}
	for i := range chunks {
		c := &chunks[i]
		if r := h.refuse(c); r != nil {
			r.Item = i
			refused = append(refused, *r)
			continue
		}
		j := job{item: i, chunk: c, folder: filepath.Join(h.root, c.Source, c.Series.String(), string(c.CUPS))}
		file := j.path("")
		k, again := at[file]
		switch {
		case !again:
			at[file] = len(p.jobs)
			p.jobs = append(p.jobs, j)
			p.indexes[j.folder] = nil
		case c.Revision < p.jobs[k].chunk.Revision:
			refused = append(refused, older(i))
		default:
			p.jobs[k] = j
		}
	}
	return p, refused
}

func older(item int) sdk.ItemResult {
	return sdk.ItemResult{Item: item, Verdict: sdk.Skipped, Reason: olderRevision, Message: "a newer revision is there already"}
}

// refuse says why a chunk cannot be written; nil, if it can. What becomes part
// of a path must not lead anywhere else.
func (h *harmonizer) refuse(c *sdk.Chunk) *sdk.ItemResult {
	switch {
	case !sourceName.MatchString(c.Source):
		return rejected(badSource, "its source has a name that cannot be a folder")
	case !h.config.takes(c.Source):
		return &sdk.ItemResult{Verdict: sdk.Skipped, Reason: otherSource, Message: "its source is not configured here"}
	case !plainCUPS(c.CUPS):
		return rejected(badCUPS, "its CUPS is not made of up to 64 letters and digits")
	case columnsOf(c.Series) == nil:
		return &sdk.ItemResult{Verdict: sdk.Skipped, Reason: unknownSeries, Message: "its series has no table here"}
	case c.Month.Year() < 1970 || c.Month.Year() > 9999:
		return rejected(badMonth, "its month is none")
	}
	if err := checkShape(c); err != nil {
		return rejected(badChunk, err.Error())
	}
	return nil
}

func rejected(reason, message string) *sdk.ItemResult {
	return &sdk.ItemResult{Verdict: sdk.Rejected, Reason: reason, Message: message}
}

// plainCUPS tells whether a CUPS can name a folder.
func plainCUPS(cups sdk.CUPS) bool {
	const longest = 64
	for _, r := range cups {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return len(cups) > 0 && len(cups) <= longest
}

// readIndexes reads what the folders of the plan say about their CSV files.
func (p *plan) readIndexes() error {
	for folder := range p.indexes {
		in, err := readIndex(folder)
		if err != nil {
			return err
		}
		p.indexes[folder] = in
	}
	return nil
}
