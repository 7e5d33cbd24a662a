package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// commands builds every command. To add one, write its file and name its
// function here.
var commands = []func(*app) *cobra.Command{
	newDoctorCommand,
	newSecretCommand,
	newSimulateCommand,
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
	old.register(root)

	for _, build := range commands {
		root.AddCommand(build(a))
	}
	markUsage(root)
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

// markUsage gives every command the same manners: what goes wrong before a
// command starts is wrong usage and says where the help is, and a command that
// only has others below it says so.
func markUsage(cmd *cobra.Command) {
	if cmd.RunE == nil && cmd.Run == nil {
		cmd.Args, cmd.RunE = cobra.ArbitraryArgs, group
	}
	cmd.SuggestionsMinimumDistance = 2
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error { return helpful(cmd, check(cmd, args)) }
	}
	cmd.SetFlagErrorFunc(helpful)
	for _, child := range cmd.Commands() {
		markUsage(child)
	}
}

// helpful marks an error as wrong usage and adds where to read on.
func helpful(cmd *cobra.Command, err error) error {
	var exit *exitError
	if err == nil || errors.As(err, &exit) {
		return err
	}
	return wrongUsage(fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath()))
}
