package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/desk"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/logging"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/sdk"
)

// summary is what came of a run.
type summary struct {
	Run      string           `json:"run"`
	Policy   string           `json:"policy"`
	Outcome  sdk.Outcome      `json:"outcome"`
	Started  time.Time        `json:"started"`
	Finished time.Time        `json:"finished,omitzero"`
	Sources  []sourceSummary  `json:"sources"`
	Counts   map[string]int64 `json:"counts"`

	FailedSources map[string]string `json:"failed_sources,omitempty"`
	FailedGrants  []sdk.FailedGrant `json:"failed_grants,omitempty"`
}

// sourceSummary is what came of a run for one source.
type sourceSummary struct {
	Source   string `json:"source"`
	Logins   int64  `json:"logins"` // those rejected included
	Accounts int64  `json:"accounts"`
	Supplies int64  `json:"supplies"`
	Chunks   int64  `json:"chunks"`
	Readings int64  `json:"readings"`
	Rejected int64  `json:"rejected_logins"`
	Dead     int64  `json:"dead_letters"`
}

// summarizeSources sums up the counters of both queues. The sources are
// those of the run's routes.
func summarizeSources(sources []string, counts map[string]int64) []sourceSummary {
	list := make([]sourceSummary, 0, len(sources))
	for _, name := range sources {
		of := func(counter string) int64 { return counts[job.PerSource(counter, name)] }
		list = append(list, sourceSummary{
			Source: name,
			Logins: of(job.Logins) + of(job.Rejected), Accounts: of(job.Accounts), Supplies: of(job.Supplies),
			Chunks: of(job.Chunks), Readings: of(job.Readings), Rejected: of(job.Rejected), Dead: of(job.Dead),
		})
	}
	slices.SortFunc(list, func(a, b sourceSummary) int { return cmp.Compare(a.Source, b.Source) })
	return list
}

// view is the summary as people see it.
func (s summary) view() view.Run {
	sources := make([]string, len(s.Sources))
	for i, one := range s.Sources {
		sources[i] = one.Source
	}
	r := view.Run{
		ID: s.Run, Policy: s.Policy, State: string(runs.Finished), Outcome: string(s.Outcome),
		Started: s.Started, Finished: s.Finished,
		FailedSources: s.FailedSources, FailedGrants: desk.Failed(s.FailedGrants, logging.Mask),
	}
	if s.Outcome == "" {
		r.State = view.Interrupted
	}
	return desk.Counted(r, sources, s.Counts)
}

// trouble tells whether something was rejected or buried.
func (s summary) trouble() bool {
	for _, source := range s.Sources {
		if source.Rejected > 0 || source.Dead > 0 {
			return true
		}
	}
	return s.Counts[job.Dead] > 0 || len(s.FailedSources) > 0
}

var summaryColumns = []column[sourceSummary]{
	{"SOURCE", func(s sourceSummary) string { return s.Source }},
	{"LOGINS", func(s sourceSummary) string { return grouped(s.Logins) }},
	{"ACCOUNTS", func(s sourceSummary) string { return grouped(s.Accounts) }},
	{"SUPPLIES", func(s sourceSummary) string { return grouped(s.Supplies) }},
	{"CHUNKS", func(s sourceSummary) string { return grouped(s.Chunks) }},
	{"READINGS", func(s sourceSummary) string { return grouped(s.Readings) }},
	{"REJECTED LOGINS", func(s sourceSummary) string { return grouped(s.Rejected) }},
	{"DEAD LETTERS", func(s sourceSummary) string { return grouped(s.Dead) }},
}

// grouped writes a number with a thin mark between thousands.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// write prints the summary for people.
func (s summary) write(out io.Writer) error {
	fmt.Fprintf(out, "\nrun %s: %s, policy %s, %s\n\n", s.Run, s.Outcome, s.Policy, s.Finished.Sub(s.Started).Round(time.Second/10))
	if err := printList(&printer{out: out}, s.Sources, summaryColumns...); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nasked %s, unchanged %s, from raw copies %s, refused as repeated %s, failed calls %s, shrunk %s, reclaimed %s\n",
		grouped(s.Counts[job.Asked]), grouped(s.Counts[job.Unchanged]), grouped(s.Counts[job.FromRaw]),
		grouped(s.Counts[job.Refused]), grouped(s.Counts[job.Failed]), grouped(s.Counts[job.Shrunk]),
		grouped(s.Counts["users_reclaimed"]+s.Counts["devices_reclaimed"]))
	for _, source := range slices.Sorted(maps.Keys(s.FailedSources)) {
		fmt.Fprintf(out, "source %s failed: %s\n", source, s.FailedSources[source])
	}
	for _, failed := range s.FailedGrants {
		holder := "own supplies"
		if failed.NIF != "" {
			holder = "for " + failed.NIF.Masked()
		}
		fmt.Fprintf(out, "%s: user %s, %s: %s\n", failed.Source, failed.Username.Masked(), holder, strings.TrimSpace(failed.Reason))
	}
	return nil
}
