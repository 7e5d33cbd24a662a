package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/view"
)

const runsHelp = `List the runs; pause, resume or cancel one, or an account in it.

RUN is the id of a run, or how it begins; without it the only one under way is
meant. In local mode the running engine does it, elsewhere the Redis servers
tell every process.`

// steering is what a sub-command of `engine runs` does.
type steering struct {
	action      view.Action
	short, long string
}

var steerings = []steering{
	{view.Pause, "Hand out nothing more of a run, or of an account", `Hand out nothing more until the run is resumed. Calls in flight are finished, and
producers may go on to queue accounts. A paused run still ends at its deadline.`},
	{view.Resume, "Go on with what was paused", "Go on with what was paused. A login that has to cool down still does."},
	{view.Cancel, "End a run, or an account in it, as it is", `End a run as it is: calls in flight are finished, what waits is left to the next
run, and the outcome is aborted. Of an account the same is done within the run,
whose outcome is then partial. Nothing may be concluded from what was not listed:
those grants count as failed. It cannot be taken back; the next run goes on.`},
}

const accountHelp = `

An account is one login seen as itself or as one authorised NIF; see engine
status --accounts. What takes turns are logins: with --account, all accounts of
its login are meant, and the supplies that are asked for through it.`

func newRunsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "runs", Short: "List, pause, resume and cancel runs", Long: runsHelp + accountHelp}
	cmd.AddCommand(newRunsListCommand(a))
	for _, s := range steerings {
		cmd.AddCommand(newSteerCommand(a, s))
	}
	return cmd
}

func newRunsListCommand(a *app) *cobra.Command {
	most := 0
	cmd := &cobra.Command{
		Use: "list", Short: "List the runs, the newest first", Args: cobra.NoArgs,
		Example: "  engine runs list\n  engine runs list --runs 3 --output json",
	}
	cmd.Flags().IntVar(&most, "runs", 20, "how many `runs` to list")
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if most < 0 {
			return wrongUsage(errors.New("--runs: a number below 0 lists nothing"))
		}
		s, err := a.settings()
		if err != nil {
			return err
		}
		return a.ask(cmd.Context(), s, false, func(who answers) error {
			status, err := who.Status(cmd.Context())
			if err != nil {
				return err
			}
			return printList(p, status.Runs[:min(len(status.Runs), most)], statusColumns...)
		})
	}
	return cmd
}

func newSteerCommand(a *app, s steering) *cobra.Command {
	o := view.Order{Action: s.action}
	verb := string(s.action)
	cmd := &cobra.Command{
		Use: verb + " [RUN]", Short: s.short, Long: s.long + accountHelp, Args: cobra.MaximumNArgs(1),
		Example: fmt.Sprintf("  engine runs %s\n  engine runs %[1]s 20261124T021500-3fa2c41b\n  engine runs %[1]s --account 9c1d04", verb),
	}
	cmd.Flags().StringVar(&o.Account, "account", "", "only this `account`: its id, or how it begins")
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			o.Run = args[0]
		}
		if cmd.Flags().Changed("account") && o.Account == "" {
			return wrongUsage(errors.New("--account: which one?"))
		}
		settings, err := a.settings()
		if err != nil {
			return err
		}
		return a.ask(cmd.Context(), settings, true, func(who answers) error {
			done, err := who.Steer(cmd.Context(), o)
			if err != nil {
				return err
			}
			return printOne(p, done, func(w io.Writer) error { _, err := fmt.Fprintln(w, steeredText(done)); return err })
		})
	}
	return cmd
}

// steeredText says what came of an order.
func steeredText(done view.Steered) string {
	what := "run " + done.Run
	if done.Account != "" {
		what = fmt.Sprintf("account %s (login %s) in run %s", done.Account, strings.Join(done.Logins, ", "), done.Run)
	}
	became := map[view.Action]string{view.Pause: "paused", view.Resume: "resumed", view.Cancel: "cancelled"}[done.Action]
	text := fmt.Sprintf("%s is %s", what, became)
	if !done.Changed {
		text = fmt.Sprintf("%s was %s already", what, became)
		if done.Action == view.Resume {
			text = what + " was not paused"
		}
	}
	if done.Others > 0 {
		text += fmt.Sprintf("; so are %d other accounts of the login", done.Others)
	}
	return text + fmt.Sprintf("\nin the run %s accounts and supplies wait, %s are in hand", grouped(done.Waiting), grouped(done.Working))
}
