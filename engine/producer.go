package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/producer"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

const producerHelp = `Open a run, or join the open one of the same policy: ask every source for its
users, merge them, and put their accounts on the users queue. Consumers do the
rest; this command ends when all accounts are queued.

A source that fails does not stop the others: it is reported, and the run ends
with the outcome partial. A producer that is killed is noticed by its missing
heartbeat (run.producer_silence).

With --slot, the time that a scheduler had planned, a second start for the same
slot joins the first one's run, or does nothing if that is over.`

const producerExamples = `  engine producer --config config.json
  engine producer --policy repair
  engine producer --slot 2026-11-23T02:00:00Z`

// producerCommand is `engine producer`.
type producerCommand struct {
	app    *app
	plan   plan
	slot   string
	strict bool
	output *printer
}

func newProducerCommand(a *app) *cobra.Command {
	p := &producerCommand{app: a}
	cmd := &cobra.Command{
		Use: "producer", Short: "Open a run and fill the users queue",
		Long: producerHelp, Example: producerExamples, Args: cobra.NoArgs,
	}
	p.plan.flags(cmd)
	cmd.Flags().StringVar(&p.slot, "slot", "", "the `time` that this start was planned for, as a scheduler names it; one run for each")
	cmd.Flags().BoolVar(&p.strict, "strict", false, "exit with 3 if a source failed")
	p.output = a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context()) }
	return cmd
}

func (c *producerCommand) run(ctx context.Context) error {
	s, err := c.app.serverSettings()
	if err != nil {
		return err
	}
	sc, err := c.plan.scope(s)
	if err != nil {
		return err
	}
	log := c.app.logger(s)
	plugged := newPlugins(s, plugin.SourceKind)
	problems := plugged.tolerate(ctx, host.New(c.app.hostConfig(s)))
	defer plugged.close()
	for _, problem := range problems {
		log.Error("source left out", "source", problem.Instance, "error", problem.String())
	}
	if len(plugged.sources) == 0 {
		if err := usageOf(problems); err != nil {
			return err
		}
		return wrongUsage(fmt.Errorf("no source is configured: write %s/config_<name>.json", s.Plugins.ConfigDir))
	}
	p, err := openPass(ctx, s, log, sc.now)
	if err != nil {
		return err
	}
	if err := p.operate(ctx, operation{command: "producer", short: true, plugins: plugged.sources}); err != nil {
		return errors.Join(err, p.servers.close.run())
	}
	run, report, err := p.produce(ctx, sc, c.slot, plugged)
	if err := errors.Join(err, p.servers.close.run()); err != nil {
		return err
	}
	return c.report(run, report)
}

// produced is what came of a producer.
type produced struct {
	Run     string           `json:"run"`
	Policy  string           `json:"policy"`
	State   runs.State       `json:"state"`
	Merged  int              `json:"accounts"`
	Sources []producedSource `json:"sources"`
}

// producedSource is what one source handed over.
type producedSource struct {
	Source   string `json:"source"`
	Grants   int    `json:"grants"`
	Logins   int    `json:"logins"`
	Accounts int    `json:"accounts"`
	Failure  string `json:"failure,omitempty"`
}

// report prints what the sources handed over.
func (c *producerCommand) report(run runs.Run, report producer.Report) error {
	result := produced{Run: run.ID, Policy: run.Policy, State: run.State, Merged: report.Merged, Sources: []producedSource{}}
	names := make(map[string]bool)
	for name := range report.Grants {
		names[name] = true
	}
	for name := range report.Failed {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		result.Sources = append(result.Sources, producedSource{
			Source: name, Grants: report.Grants[name], Logins: report.Logins[name],
			Accounts: report.Accounts[name], Failure: strings.TrimSpace(report.Failed[name]),
		})
	}
	if err := printOne(c.output, result, result.write); err != nil {
		return err
	}
	if c.strict && len(report.Failed) > 0 {
		return strictly(errors.New("--strict: a source failed"))
	}
	return nil
}

var producedColumns = []column[producedSource]{
	{"SOURCE", func(s producedSource) string { return s.Source }},
	{"GRANTS", func(s producedSource) string { return grouped(int64(s.Grants)) }},
	{"LOGINS", func(s producedSource) string { return grouped(int64(s.Logins)) }},
	{"ACCOUNTS", func(s producedSource) string { return grouped(int64(s.Accounts)) }},
	{"FAILURE", func(s producedSource) string { return s.Failure }},
}

// write prints it for people.
func (p produced) write(out io.Writer) error {
	if p.State == runs.Finished {
		_, err := fmt.Fprintf(out, "run %s of this slot is over already; nothing to do\n", p.Run)
		return err
	}
	fmt.Fprintf(out, "run %s, policy %s: %s accounts queued, each once\n\n", p.Run, p.Policy, grouped(int64(p.Merged)))
	return printList(&printer{out: out}, p.Sources, producedColumns...)
}
