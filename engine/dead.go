package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/logging"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

const deadHelp = `Dead letters are accounts and supplies that could not be done: what they hold
cannot be read, no account may ask for the supply, or they stopped the process
that worked on them three times. They stay until they are retried or dropped.

Each has a short name, its LETTER, since the CUPS of a supply is personal and
masked in lists (--clear shows it).`

const retryHelp = `Try dead letters again: in their run, while it is open. If the run is over, the
letter is handed to the next producer: the run that it opens takes the account
or supply up when it comes to it, and asks for everything that is incomplete,
tries left or not. Until then the letter stays in the list, marked so.`

func newDeadCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "dead", Short: "Look at what could not be done, try it again, or drop it", Long: deadHelp}
	cmd.AddCommand(newDeadListCommand(a), newDeadShowCommand(a), newDeadExportCommand(a),
		newDeadActCommand(a, "retry", "Try dead letters again, in their run or in the next one", retryHelp),
		newDeadActCommand(a, "drop", "Forget dead letters", "Forget dead letters for good. What the ledger knows of a supply stays."))
	return cmd
}

// deadFlags select dead letters.
type deadFlags struct {
	filter view.LetterFilter
	clear  bool
	all    bool
}

func (f *deadFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.filter.Class, "class", "", "only those that died of this `class` of failure")
	flags.StringVar(&f.filter.Account, "account", "", "only those of an `account`: its id, or the beginning of it")
	flags.StringVar(&f.filter.CUPS, "cups", "", "only that of a supply, by its `CUPS`")
	flags.StringVar(&f.filter.Run, "run", "", "only those of a `run`")
	flags.StringVar(&f.filter.Queue, "queue", "", "only those of a `queue`: users or devices")
	flags.StringVar(&f.filter.Source, "source", "", "only those that a `source` waits for")
}

func (f *deadFlags) clearFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.clear, "clear", false, "show CUPS and NIFs in full (as log.identifiers: clear)")
}

// filters are the selections: one for each letter that is named.
func (f *deadFlags) filters(letters []string) ([]view.LetterFilter, error) {
	if q := f.filter.Queue; q != "" && q != view.Users && q != view.Devices {
		return nil, wrongUsage(fmt.Errorf("--queue: %q is neither users nor devices", q))
	}
	if len(letters) == 0 {
		return []view.LetterFilter{f.filter}, nil
	}
	filters := make([]view.LetterFilter, len(letters))
	for i, letter := range letters {
		filters[i] = f.filter
		filters[i].Letter = strings.ToLower(letter)
	}
	return filters, nil
}

// letters reads those that are selected.
func (f *deadFlags) letters(ctx context.Context, a *app, s *settings.Settings, named []string) ([]view.Letter, error) {
	filters, err := f.filters(named)
	if err != nil {
		return nil, err
	}
	letters := []view.Letter{}
	err = a.ask(ctx, s, false, func(who answers) error {
		for _, filter := range filters {
			some, err := who.Letters(ctx, filter)
			if err != nil {
				return err
			}
			if len(some) == 0 && filter.Letter != "" {
				return noLetter(filter.Letter)
			}
			letters = append(letters, some...)
		}
		return nil
	})
	return f.shown(s, letters), err
}

func noLetter(name string) error {
	return fmt.Errorf("there is no dead letter %q; `engine dead list` shows them", name)
}

// shown hides what is personal, unless it is wanted.
func (f *deadFlags) shown(s *settings.Settings, letters []view.Letter) []view.Letter {
	if f.clear || s.Log.Identifiers == "clear" {
		return letters
	}
	for i, l := range letters {
		letters[i] = l.Masked(logging.Mask)
	}
	return letters
}

func newDeadListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the dead letters, the latest first",
		Example: "  engine dead list\n  engine dead list --class unauthorised --output json",
		Args:    cobra.NoArgs,
	}
	var flags deadFlags
	flags.register(cmd)
	flags.clearFlag(cmd)
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		letters, err := flags.letters(cmd.Context(), a, s, nil)
		if err != nil {
			return err
		}
		for i := range letters { // show and export have them
			letters[i].Body, letters[i].History = "", nil
		}
		return printList(p, letters, deadColumns...)
	}
	return cmd
}

var deadColumns = []column[view.Letter]{
	{"LETTER", func(l view.Letter) string { return l.Letter }},
	{"RUN", func(l view.Letter) string { return l.Run }},
	{"QUEUE", func(l view.Letter) string { return l.Queue }},
	{"ITEM", func(l view.Letter) string { return l.ID }},
	{"SOURCES", func(l view.Letter) string { return strings.Join(l.Sources, ",") }},
	{"CLASS", func(l view.Letter) string { return l.Class }},
	{"ATTEMPTS", func(l view.Letter) string { return fmt.Sprint(l.Attempts) }},
	{"LAST", func(l view.Letter) string { return moment(l.Last) }},
	{"STATE", letterState},
	{"REASON", func(l view.Letter) string { return l.Reason }},
}

func letterState(l view.Letter) string {
	if l.HandedOver.IsZero() {
		return "dead"
	}
	return "waits for the next run"
}

func newDeadShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show [LETTER...]",
		Short:   "Show all that is known of dead letters: every attempt, and the item",
		Example: "  engine dead show 3fa2c41b\n  engine dead show --cups ES0031000000000001BJ0F --clear",
	}
	var flags deadFlags
	flags.register(cmd)
	flags.clearFlag(cmd)
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		if len(args) == 0 && flags.filter.Empty() {
			return wrongUsage(errors.New("name a letter, or select some with --cups, --run and their like; `engine dead list` shows all"))
		}
		letters, err := flags.letters(cmd.Context(), a, s, args)
		if err != nil {
			return err
		}
		return printOne(p, letters, func(w io.Writer) error {
			for _, l := range letters {
				writeLetter(w, l)
			}
			if len(letters) == 0 {
				fmt.Fprintln(w, "no dead letter is selected")
			}
			return nil
		})
	}
	return cmd
}

// writeLetter prints a letter for people.
func writeLetter(w io.Writer, l view.Letter) {
	fmt.Fprintf(w, "letter %s: %s, %s\n", l.Letter, letterState(l), l.Class)
	for _, line := range [][2]string{
		{"run", l.Run}, {"queue", l.Queue}, {"item", l.ID}, {"sources", strings.Join(l.Sources, ", ")},
		{"accounts", strings.Join(l.Accounts, ", ")}, {"attempts", fmt.Sprint(l.Attempts)},
		{"first", moment(l.First)}, {"last", moment(l.Last)}, {"handed over", moment(l.HandedOver)}, {"reason", l.Reason},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "  %-12s %s\n", line[0], line[1])
		}
	}
	for _, f := range l.History {
		fmt.Fprintf(w, "  %s  %s: %s\n", moment(f.At), f.Class, f.Reason)
	}
	fmt.Fprintf(w, "  %-12s %s\n\n", "body", cmp.Or(l.Body, "(it cannot be shown without --clear)"))
}

func newDeadExportCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "export [LETTER...]",
		Short:   "Write dead letters as lines of JSON",
		Long:    "Write dead letters as lines of JSON, with every attempt and the item as it was queued. No secret is ever in one. CUPS and NIFs are masked, and the rows that Datadis listed left out, unless --clear is given.",
		Example: "  engine dead export --run 20261123T020000-1f2e3d4c > dead.ndjson",
	}
	var flags deadFlags
	flags.register(cmd)
	flags.clearFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		letters, err := flags.letters(cmd.Context(), a, s, args)
		if err != nil {
			return err
		}
		lines := json.NewEncoder(a.stdout)
		lines.SetEscapeHTML(false)
		for _, l := range letters {
			if err := lines.Encode(l); err != nil {
				return fmt.Errorf("export dead letters: %w", err)
			}
		}
		return nil
	}
	return cmd
}

// newDeadActCommand is `dead retry` or `dead drop`.
func newDeadActCommand(a *app, name, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " [LETTER...]", Short: short, Long: long,
		Example: "  engine dead " + name + " 3fa2c41b\n  engine dead " + name + " --class unauthorised\n  engine dead " + name + " --all",
	}
	var flags deadFlags
	flags.register(cmd)
	flags.clearFlag(cmd)
	cmd.Flags().BoolVar(&flags.all, "all", false, "every dead letter")
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		if len(args) == 0 && flags.filter.Empty() != flags.all {
			return wrongUsage(fmt.Errorf("name the letters to %s, select some with --class, --cups and their like, or say --all", name))
		}
		acted, err := flags.act(cmd.Context(), a, s, name, args)
		if err != nil {
			return err
		}
		return reportActed(p, acted)
	}
	return cmd
}

// act retries or drops the selected letters.
func (f *deadFlags) act(ctx context.Context, a *app, s *settings.Settings, name string, named []string) ([]view.Acted, error) {
	filters, err := f.filters(named)
	if err != nil {
		return nil, err
	}
	acted := []view.Acted{}
	err = a.ask(ctx, s, true, func(who answers) error {
		act := who.Retry
		if name == "drop" {
			act = who.Drop
		}
		for _, filter := range filters {
			some, err := act(ctx, filter)
			acted = append(acted, some...)
			if err == nil && len(some) == 0 && filter.Letter != "" {
				err = noLetter(filter.Letter)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	for i := range acted {
		acted[i].Letter = f.shown(s, []view.Letter{acted[i].Letter})[0]
		acted[i].Letter.Body, acted[i].Letter.History = "", nil
	}
	return acted, err
}

var actedColumns = []column[view.Acted]{
	{"LETTER", func(d view.Acted) string { return d.Letter.Letter }},
	{"RUN", func(d view.Acted) string { return d.Letter.Run }},
	{"ITEM", func(d view.Acted) string { return d.Letter.ID }},
	{"BECAME", func(d view.Acted) string { return strings.ReplaceAll(d.Became, "_", " ") }},
	{"REASON", func(d view.Acted) string { return d.Reason }},
}

// reportActed prints what became of the letters, and says what that means.
func reportActed(p *printer, acted []view.Acted) error {
	count := make(map[string]int)
	for _, one := range acted {
		count[one.Became]++
	}
	err := printOne(p, acted, func(w io.Writer) error {
		if len(acted) == 0 {
			_, err := fmt.Fprintln(w, "no dead letter is selected")
			return err
		}
		if err := printList(&printer{out: w}, acted, actedColumns...); err != nil {
			return err
		}
		fmt.Fprintln(w)
		if n := count["retried"]; n > 0 {
			fmt.Fprintf(w, "%d wait in their run again\n", n)
		}
		if n := count["handed_over"]; n > 0 {
			fmt.Fprintf(w, "%d are of runs that are over: they are handed to the next producer, whose run takes them up\n", n)
		}
		if n := count["dropped"]; n > 0 {
			fmt.Fprintf(w, "%d are forgotten\n", n)
		}
		return nil
	})
	if err == nil && count["failed"] > 0 {
		err = fmt.Errorf("%d dead letters stay as they were", count["failed"])
	}
	return err
}
