package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// oldFlags are the flags of the older gatherer, as people have them in their
// fingers and their scripts: engine -p last -l producer.
type oldFlags struct{ policy, launch string }

func (o *oldFlags) register(root *cobra.Command) {
	flags := root.Flags()
	flags.StringVarP(&o.policy, "policy", "p", "", "older spelling, see the commands")
	flags.StringVarP(&o.launch, "launch", "l", "", "older spelling, see the commands")
	for _, name := range []string{"policy", "launch"} {
		flags.Lookup(name).Hidden = true
	}
}

func (o *oldFlags) typed() bool { return o.policy != "" || o.launch != "" }

// words is the command that is typed today, with its arguments.
func (o *oldFlags) words() []string {
	words := []string{o.launch}
	if o.launch == "" {
		words[0] = "run"
	}
	if o.policy != "" {
		words = append(words, "--policy", o.policy)
	}
	return words
}

// runOld says what to type today, and does it.
func runOld(root *cobra.Command, a *app, old oldFlags) error {
	if old.launch == "" {
		return wrongUsage(fmt.Errorf("-p alone is not enough; type `engine run --policy %s`, or producer or consumer in the place of run", old.policy))
	}
	if old.launch != "producer" && old.launch != "consumer" {
		return wrongUsage(fmt.Errorf("-l %s is unknown; type `engine producer` or `engine consumer`", old.launch))
	}
	words := old.words()
	hint := "engine"
	for _, word := range words {
		hint += " " + word
	}
	command, rest, err := root.Find(words)
	if err != nil || command == root {
		return wrongUsage(errors.New("-p and -l are the older way; type `" + hint + "`"))
	}
	fmt.Fprintf(a.stderr, "engine: -p and -l are the older way; type `%s`\n", hint)
	command.SetContext(root.Context())
	if err := command.ParseFlags(rest); err != nil {
		return helpful(command, err)
	}
	return command.RunE(command, command.Flags().Args())
}
