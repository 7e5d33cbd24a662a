package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/engine/internal/web"
)

const statusHelp = `Show where the runs stand: how far each has come, its pace and what is left, the
queues of those under way, and how many dead letters there are.

In local mode the running engine is asked; while none runs, what it kept.`

// statusCommand is `engine status`.
type statusCommand struct {
	app    *app
	output *printer
	most   int
	watch  bool
	every  time.Duration

	accounts bool
}

func newStatusCommand(a *app) *cobra.Command {
	c := &statusCommand{app: a}
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show runs, queues, dead letters, and how long it will take",
		Long:    statusHelp,
		Example: "  engine status\n  engine status --watch\n  engine status --runs 3 --output json\n  engine status --accounts",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().IntVar(&c.most, "runs", 10, "how many `runs` to show")
	cmd.Flags().BoolVar(&c.watch, "watch", false, "go on showing it until interrupted: redrawn on a terminal, a line for each change elsewhere")
	cmd.Flags().DurationVar(&c.every, "every", 2*time.Second, "how often --watch looks")
	cmd.Flags().BoolVar(&c.accounts, "accounts", false, "list the accounts instead: those of the newest run, and those that were ever listed")
	cmd.MarkFlagsMutuallyExclusive("accounts", "watch")
	c.output = a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.most < 0 {
			return wrongUsage(errors.New("--runs: a number below 0 shows nothing"))
		}
		if c.every < 100*time.Millisecond {
			return wrongUsage(errors.New("--every: at least 100ms"))
		}
		s, err := a.settings()
		if err != nil {
			return err
		}
		if c.watch {
			return c.follow(cmd.Context(), s)
		}
		return a.ask(cmd.Context(), s, false, func(who answers) error {
			if c.accounts {
				accounts, err := who.Accounts(cmd.Context())
				if err != nil {
					return err
				}
				return printList(c.output, accounts, accountColumns...)
			}
			status, err := who.Status(cmd.Context())
			if err != nil {
				return err
			}
			return printOne(c.output, c.cut(status), func(w io.Writer) error { return writeStatus(w, c.cut(status), c.app.width()) })
		})
	}
	return cmd
}

// cut leaves out older runs.
func (c *statusCommand) cut(s view.Status) view.Status {
	s.Runs = s.Runs[:min(len(s.Runs), c.most)]
	return s
}

// follow shows the status again and again. Whoever answers may come and go: in
// local mode that is the running engine.
func (c *statusCommand) follow(ctx context.Context, s *settings.Settings) error {
	var who answers
	opened := false
	defer func() {
		if opened {
			_ = who.close()
		}
	}()
	last := ""
	for {
		var status view.Status
		var err error
		if !opened {
			who, err = c.app.reach(ctx, s, false)
			opened = err == nil
		}
		if err == nil {
			status, err = who.Status(ctx)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && opened || s.Local().Any() && opened { // another process may answer next time
			_ = who.close()
			opened = false
		}
		if last, err = c.again(c.cut(status), err, last); err != nil {
			return err
		}
		if err := pause(ctx, c.every); err != nil {
			return err
		}
	}
}

// again shows a status that is not the first, and returns what it showed.
func (c *statusCommand) again(status view.Status, problem error, last string) (string, error) {
	switch {
	case c.output.format == "json":
		if problem != nil {
			return last, problem
		}
		return last, json.NewEncoder(c.output.out).Encode(status)
	case c.app.terminal:
		return last, redraw(c.output.out, status, problem, c.app.width())
	}
	now := statusLine(status)
	if problem != nil {
		now = problem.Error()
	}
	if now == last {
		return last, nil
	}
	_, err := fmt.Fprintf(c.output.out, "%s  %s\n", time.Now().UTC().Format(time.RFC3339), now)
	return now, err
}

// What moves the cursor of a terminal home, and clears what is behind it.
const (
	home  = "\x1b[H"
	clear = "\x1b[J"
	rest  = "\x1b[K" // of the line
)

// redraw writes over what was there: clearing the screen first would flicker.
func redraw(w io.Writer, status view.Status, problem error, width int) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s UTC, ctrl-C ends\n\n", time.Now().UTC().Format("2006-01-02 15:04:05"))
	if problem != nil {
		fmt.Fprintln(&text, problem)
	} else if err := writeStatus(&text, status, width); err != nil {
		return err
	}
	_, err := io.WriteString(w, home+strings.ReplaceAll(text.String(), "\n", rest+"\n")+clear)
	return err
}

// statusLine is the status in one line: the runs under way.
func statusLine(s view.Status) string {
	var parts []string
	for _, r := range s.Runs {
		if r.Over() {
			continue
		}
		line := fmt.Sprintf("run %s (%s): accounts %s, supplies %s, readings %s", r.ID, r.Policy, ofAll(r.Accounts), ofAll(r.Supplies), grouped(r.Readings))
		if r.Paused || r.Cancelled {
			line += ", " + outcomeOf(r)
		}
		if r.Pace.PerSecond > 0 {
			line += fmt.Sprintf(", %.1f/s", r.Pace.PerSecond)
		}
		if left := web.Left(r.Pace); left != "" {
			line += ", " + left
		}
		parts = append(parts, line)
	}
	if len(parts) == 0 {
		line := "no run is under way"
		if len(s.Runs) > 0 {
			line += fmt.Sprintf("; the last, %s, ended: %s", s.Runs[0].ID, outcomeOf(s.Runs[0]))
		}
		parts = append(parts, line)
	}
	if s.DeadLetters > 0 {
		parts = append(parts, fmt.Sprintf("%d dead letters", s.DeadLetters))
	}
	return strings.Join(parts, "; ")
}

func ofAll(p view.Progress) string { return grouped(p.Done) + "/" + grouped(p.Total) }

// writeStatus prints the status for people, in so many columns; 0 is no limit.
func writeStatus(w io.Writer, s view.Status, width int) error {
	if len(s.Runs) == 0 {
		fmt.Fprintln(w, "there was no run yet")
	} else if err := printFitting(w, width, s.Runs, statusColumns...); err != nil {
		return err
	}
	if len(s.Queues) > 0 {
		fmt.Fprintln(w)
		if err := printFitting(w, width, s.Queues, queueColumns...); err != nil {
			return err
		}
	}
	for _, r := range s.Runs {
		for _, note := range r.Notes {
			fmt.Fprintf(w, "\nrun %s: %s\n", r.ID, note)
		}
	}
	if s.DeadLetters > 0 {
		fmt.Fprintf(w, "\n%d dead letters, %d of them handed over to the next run; see `engine dead list`\n", s.DeadLetters, s.HandedOver)
	}
	return nil
}

var statusColumns = []column[view.Run]{
	{"RUN", func(r view.Run) string { return r.ID }},
	{"POLICY", func(r view.Run) string { return r.Policy }},
	{"OUTCOME", outcomeOf},
	{"STARTED", func(r view.Run) string { return moment(r.Started) }},
	{"TOOK", func(r view.Run) string { return web.Took(r.Took()) }},
	{"ACCOUNTS", func(r view.Run) string { return ofAll(r.Accounts) }},
	{"SUPPLIES", func(r view.Run) string { return ofAll(r.Supplies) }},
	{"CHUNKS", func(r view.Run) string { return grouped(r.Chunks) }},
	{"READINGS", func(r view.Run) string { return grouped(r.Readings) }},
	{"REJECTED LOGINS", func(r view.Run) string { return grouped(r.Rejected) }},
	{"DEAD LETTERS", func(r view.Run) string { return grouped(r.Dead) }},
	{"LEFT", func(r view.Run) string {
		if r.Over() || r.Paused || r.Cancelled {
			return ""
		}
		return cmp.Or(web.Left(r.Pace), "not known yet")
	}},
}

// outcomeOf is how a run ended, or that it did not.
func outcomeOf(r view.Run) string {
	switch {
	case r.Over():
		return cmp.Or(r.Outcome, r.State)
	case r.Cancelled:
		return "being cancelled"
	case r.Paused:
		return "paused"
	default:
		return "under way"
	}
}

var accountColumns = []column[view.Account]{
	{"ACCOUNT", func(a view.Account) string { return a.ID }},
	{"LOGIN", func(a view.Account) string { return a.Login }},
	{"OF", func(a view.Account) string {
		switch {
		case a.Own:
			return "own supplies"
		case a.State != "":
			return "an authorised NIF"
		default:
			return "" // it is not in the newest run
		}
	}},
	{"STATE", func(a view.Account) string {
		if a.Paused {
			return strings.TrimSpace(a.State + ", paused")
		}
		return a.State
	}},
	{"SOURCES", func(a view.Account) string { return strings.Join(a.Sources, ",") }},
	{"SUPPLIES", func(a view.Account) string { return grouped(int64(a.Supplies)) }},
	{"STALE", func(a view.Account) string { return grouped(int64(a.Stale)) }},
	{"LISTED", func(a view.Account) string { return moment(a.ListedAt) }},
}

var queueColumns = []column[view.Queue]{
	{"RUN", func(q view.Queue) string { return q.Run }},
	{"QUEUE", func(q view.Queue) string { return q.Name }},
	{"WAITING", func(q view.Queue) string { return grouped(q.Waiting) }},
	{"LEASED", func(q view.Queue) string { return grouped(q.Leased) }},
	{"DELAYED", func(q view.Queue) string { return grouped(q.Delayed) }},
	{"DONE", func(q view.Queue) string { return grouped(q.Done) }},
	{"DEFERRED", func(q view.Queue) string { return grouped(q.Deferred) }},
	{"DEAD", func(q view.Queue) string { return grouped(q.Dead) }},
	{"TAKEN BACK", func(q view.Queue) string { return grouped(q.Reclaimed) }},
}

// moment is a time in a table; "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
