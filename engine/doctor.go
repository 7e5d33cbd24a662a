package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/settings"
)

const doctorHelp = `Check the configuration, Redis, Kafka, the plugins and Datadis; say what is
wrong and how to mend it. Nothing is changed, and Datadis is not logged in to.

    engine doctor                       check everything
    engine --config FILE doctor         check everything with that configuration
    engine doctor --config              print the effective configuration, secrets masked
    engine doctor --config FILE         the same of that file
    engine doctor --env                 list the environment variables and what set each setting

Exit codes: 0 all is well (there may be warnings), 1 a check failed, 2 the
configuration is wrong.`

// noFile is what --config holds when it was given without a file.
const noFile = "\x00"

func newDoctorCommand(a *app) *cobra.Command {
	var file string
	var env bool
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong and how to mend it",
		Long:  doctorHelp,
		Args:  cobra.MaximumNArgs(1), // the file of --config
	}
	p := a.outputFlag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&file, "config", "", "print the effective configuration (of that `file`), secrets masked")
	flags.Lookup("config").NoOptDefVal = noFile
	flags.BoolVar(&env, "env", false, "list the environment variables")
	flags.DurationVar(&patience, "timeout", 10*time.Second, "how `long` to wait for each server")
	cmd.MarkFlagsMutuallyExclusive("config", "env")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		printed := flags.Changed("config")
		switch {
		case len(args) > 0 && (!printed || file != noFile):
			return helpful(cmd, fmt.Errorf("%q is unexpected", args[0]))
		case len(args) > 0:
			a.flags.config = args[0] // pflag leaves it there, as --config may stand alone
		case printed && file != noFile:
			a.flags.config = file
		}
		switch {
		case printed:
			return a.printConfiguration()
		case env:
			return a.printVariables(p)
		default:
			return a.examine(cmd.Context(), p, patience)
		}
	}
	return cmd
}

func (a *app) printConfiguration() error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	text, err := s.Masked()
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}

func (a *app) printVariables(p *printer) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	return printList(p, s.Variables(),
		column[settings.Variable]{"VARIABLE", func(v settings.Variable) string { return v.Name }},
		column[settings.Variable]{"SETTING", func(v settings.Variable) string { return v.Key }},
		column[settings.Variable]{"TYPE", func(v settings.Variable) string { return v.Kind }},
		column[settings.Variable]{"DEFAULT", func(v settings.Variable) string { return v.Default }},
		column[settings.Variable]{"SET BY", func(v settings.Variable) string { return v.Origin }},
	)
}

// finding is what a check found.
type finding struct {
	Check  string `json:"check"`
	State  state  `json:"state"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

type state string

const (
	fine    state = "ok"
	doubt   state = "warning"
	broken  state = "failed"
	skipped state = "skipped"
)

// examine makes every check and prints what it found.
func (a *app) examine(ctx context.Context, p *printer, patience time.Duration) error {
	findings, code := a.diagnose(ctx, patience)
	if err := context.Cause(ctx); err != nil {
		return err
	}
	err := printList(p, findings,
		column[finding]{"CHECK", func(f finding) string { return f.Check }},
		column[finding]{"STATE", func(f finding) string { return string(f.State) }},
		column[finding]{"WHAT", func(f finding) string { return f.Detail }},
		column[finding]{"REMEDY", func(f finding) string { return f.Remedy }},
	)
	if err == nil && code != codeDone {
		return &exitError{code: code}
	}
	return err
}

// diagnose makes every check. Without a configuration there is only one.
func (a *app) diagnose(ctx context.Context, patience time.Duration) ([]finding, int) {
	s, err := a.settings()
	if err != nil {
		var findings []finding
		for _, one := range flatten(err) {
			findings = append(findings, finding{"configuration", broken, one.Error(), "correct it; docs/configuration.md lists every setting"})
		}
		return findings, codeUsage
	}
	code := codeDone
	var findings []finding
	for _, c := range checks {
		found := c.within(ctx, patience, a, s)
		findings = append(findings, found...)
		for _, f := range found {
			if f.State == broken {
				code = codeFailed
			}
		}
	}
	return findings, code
}

// within makes one check, which may take so long.
func (c check) within(ctx context.Context, patience time.Duration, a *app, s *settings.Settings) []finding {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("no answer within "+patience.String()))
	defer cancel()
	found := c.look(ctx, a, s)
	for i := range found {
		found[i].Check = c.name
	}
	return found
}
