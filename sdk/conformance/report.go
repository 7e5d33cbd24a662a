package conformance

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Version of the kit: it grows when a plugin that passed may fail.
const Version = 1

// Report is what came of a trial.
type Report struct {
	Kit      int       `json:"kit"`
	Plugin   string    `json:"plugin"`
	Version  string    `json:"version"`
	Kinds    []string  `json:"kinds"`
	Passed   bool      `json:"passed"` // nothing was found; skipped checks do not count
	Checks   []Check   `json:"checks"`
	Findings []Finding `json:"findings"`
	Card     *Card     `json:"performance,omitempty"`
}

// Status of a check.
type Status string

// The statuses.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Check is one promise, or a few that are tried together.
type Check struct {
	Name     string        `json:"name"`
	Status   Status        `json:"status"`
	Reason   string        `json:"reason,omitempty"` // of a check that was skipped
	Duration time.Duration `json:"duration_ns"`
}

// Finding is a promise that was broken.
type Finding struct {
	Code    string `json:"code"`
	Check   string `json:"check"`
	Message string `json:"message"`
}

// Error implements error: a finding ends its check.
func (f *Finding) Error() string { return f.Code + ": " + f.Message }

// Card tells how fast a plugin is. It is information; no check depends on it.
type Card struct {
	Start     time.Duration `json:"start_ns"` // from the start of the process to the answer of Describe
	Batches   int           `json:"batches"`
	P50       time.Duration `json:"p50_ns"` // of a batch
	P99       time.Duration `json:"p99_ns"`
	PerSecond float64       `json:"items_per_second"` // readings of a harmonizer, grants of a source
	RSS       int64         `json:"rss_bytes"`        // 0 where it cannot be told
}

// Found tells whether there is a finding of that code.
func (r *Report) Found(code string) bool {
	for _, f := range r.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// WriteTable prints the report for people.
func (r *Report) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHECK\tSTATUS\tTIME\tFINDING")
	for _, c := range r.Checks {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Name, c.Status, round(c.Duration), dash(c.Reason))
		for _, f := range r.Findings {
			if f.Check == c.Name {
				fmt.Fprintf(w, "\t\t\t%s: %s\n", f.Code, oneLine(f.Message))
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if c := r.Card; c != nil {
		fmt.Fprintf(out, "\nperformance: starts in %s; batch p50 %s, p99 %s; %.0f %s/s", round(c.Start), round(c.P50), round(c.P99),
			c.PerSecond, r.unit())
		if c.RSS > 0 {
			fmt.Fprintf(out, "; %d MiB", c.RSS>>20)
		}
		fmt.Fprintln(out)
	}
	verdict := "passed"
	if !r.Passed {
		verdict = fmt.Sprintf("failed, %d findings", len(r.Findings))
	}
	_, err := fmt.Fprintf(out, "\n%s %s: %s (kit %d)\n", r.Plugin, r.Version, verdict, r.Kit)
	return err
}

func (r *Report) unit() string {
	for _, kind := range r.Kinds {
		if kind == kindHarmonizer {
			return "readings"
		}
	}
	return "grants"
}

func round(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(time.Millisecond).String()
	}
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return oneLine(text)
}

// oneLine makes a message fit a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
