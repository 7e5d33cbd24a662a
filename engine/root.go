package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// commands builds every command. To add one, write its file and name its
// function here.
var commands = []func(*app) *cobra.Command{
	newConsumerCommand,
	newCoverageCommand,
	newDeadCommand,
	newDoctorCommand,
	newFetchCommand,
	newHarmonizerCommand,
	newLedgerCommand,
	newPluginsCommand,
	newProducerCommand,
	newReplayCommand,
	newRunCommand,
	newRunsCommand,
	newSecretCommand,
	newSimulateCommand,
	newStatusCommand,
	newVersionCommand,
}

const rootHelp = `engine gathers what Datadis knows about the supplies of many account holders
and hands it to the projects that they belong to.

On one machine, with nothing installed:

    engine run --users users.csv

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 done but for
what --strict forbids, 130 interrupted.`

func newRoot(a *app) *cobra.Command {
	var old oldFlags
	root := &cobra.Command{
		Use:               "engine",
		Short:             "Gather the data of many Datadis users, once, for many projects",
		Long:              rootHelp,
		SilenceErrors:     true,
		SilenceUsage:      true,
		TraverseChildren:  true, // flags may stand before the command
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if old.typed() {
				return runOld(cmd, a, old)
			}
			return group(cmd, args)
		},
	}
	global := root.PersistentFlags()
	global.StringVar(&a.flags.config, "config", "", "configuration `file` (default $CONF_FILE, else config.json where it exists)")
	global.StringVar(&a.flags.logLevel, "log-level", "", "least important `level` to log: debug, info, warn or error")
	global.StringVar(&a.flags.logFormat, "log-format", "", "how log lines `look`: auto, json or text")
	global.BoolVar(&a.flags.locked, "locked", false, "start only plugins that equal the lock file (plugins.locked)")
	old.register(root)

	for _, build := range commands {
		root.AddCommand(build(a))
	}
	finish(root, a)
	return root
}

// group is what a command does that only has commands below it.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		cmd.SetOut(cmd.ErrOrStderr()) // help that was not asked for is no result
		if err := cmd.Help(); err != nil {
			return err
		}
		return &exitError{code: codeUsage}
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return wrongUsage(fmt.Errorf("%q is no command of %s%s", args[0], cmd.CommandPath(), hint))
}

// finish gives every command the same manners: one that only has others below it
// says so, and a is told when one starts.
func finish(cmd *cobra.Command, a *app) {
	body := cmd.RunE
	if run := cmd.Run; body == nil && run != nil {
		body = func(cmd *cobra.Command, args []string) error { run(cmd, args); return nil }
	}
	if body == nil {
		cmd.Args, body = cobra.ArbitraryArgs, group
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a.started = true
		return body(cmd, args)
	}
	cmd.SuggestionsMinimumDistance = 2
	for _, child := range cmd.Commands() {
		finish(child, a)
	}
}

// helpful marks an error as wrong usage and adds where to read on.
func helpful(cmd *cobra.Command, err error) error {
	return wrongUsage(fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath()))
}
