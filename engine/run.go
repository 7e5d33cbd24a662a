package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/datadis-engine/datadis/engine/internal/finisher"
	"github.com/datadis-engine/datadis/engine/internal/harmonizer"
	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/producer"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

const runHelp = `Run everything in one process: ask the sources for their users, list and
download what is missing, publish it, harmonize it, and end with a table.

Redis and Kafka are embedded where the configuration leaves them out; what they
keep lies in data_dir. Without a configured harmonizer, tidy Parquet and CSV
files are written to out/.`

const runExamples = `  engine run --users users.csv
  engine run --policy repair --config config.json
  engine run --users users.csv --from 2025-01 --to 2025-12`

// runCommand is `engine run`.
type runCommand struct {
	app    *app
	plan   plan
	users  string
	out    string
	strict bool
	output *printer
}

func newRunCommand(a *app) *cobra.Command {
	r := &runCommand{app: a}
	cmd := &cobra.Command{Use: "run", Short: "Do everything in one process", Long: runHelp, Example: runExamples, Args: cobra.NoArgs}
	r.plan.flags(cmd)
	cmd.Flags().StringVar(&r.users, "users", "", "`file` of Datadis users, CSV or JSON: the source \"users\"")
	cmd.Flags().StringVar(&r.out, "out", "out", "`folder` of the files that are written where no harmonizer is configured")
	cmd.Flags().BoolVar(&r.strict, "strict", false, "exit with 3 if a login was rejected or something is in the dead letters")
	r.output = a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context()) }
	return cmd
}

// run does it all, in the order of the flow.
func (r *runCommand) run(ctx context.Context) error {
	s, err := r.app.settings()
	if err != nil {
		return err
	}
	sc, err := r.plan.scope(s)
	if err != nil {
		return err
	}
	bar := newProgress(terminal(r.app.stderr))
	shown := *r.app
	shown.stderr = bar.Writer(r.app.stderr)
	log := shown.logger(s)
	log.Info("local mode: what is not configured is embedded; keep a real Redis and Kafka for production", "data", s.DataDir)

	plugins, err := r.startPlugins(ctx, &shown, s)
	if err != nil {
		return err
	}
	defer plugins.close()
	p, err := openPass(ctx, s, log, sc.now)
	if err != nil {
		return err
	}
	result, err := r.pass(ctx, p, sc, plugins, bar)
	if err := errors.Join(err, p.servers.close.run()); err != nil {
		return err
	}
	return r.report(result, plugins.outputs)
}

// terminal is the writer if it is one.
func terminal(w io.Writer) io.Writer {
	if isTerminal(w) {
		return w
	}
	return nil
}

// plugins are the started instances.
type plugins struct {
	sources     []*host.Running
	harmonizers []*host.Running
	failed      map[string]string // sources that did not start
	outputs     []string          // folders that people will want to look at
}

// close drains all of them at once.
func (p *plugins) close() {
	var all sync.WaitGroup
	for _, one := range slices.Concat(p.sources, p.harmonizers) {
		all.Go(one.Close)
	}
	all.Wait()
}

// startPlugins starts every configured instance. What is wrong with the
// configuration of one is wrong usage, and reported all at once.
func (r *runCommand) startPlugins(ctx context.Context, a *app, s *settings.Settings) (*plugins, error) {
	extra, err := r.extra()
	if err != nil {
		return nil, err
	}
	h := host.New(a.hostConfig(s, extra...))
	instances, problems := h.Instances(ctx)
	if err := usageOf(problems); err != nil {
		return nil, err
	}
	started := &plugins{failed: make(map[string]string)}
	if !slices.ContainsFunc(instances, func(in host.Instance) bool { return in.Plays(plugin.HarmonizerKind) }) {
		h, instances, err = r.withFiles(ctx, a, s, extra, started)
		if err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(instances, func(in host.Instance) bool { return in.Plays(plugin.SourceKind) }) {
		return nil, wrongUsage(fmt.Errorf("no source is configured: give --users FILE, or write %s/config_<name>.json", s.Plugins.ConfigDir))
	}
	return started, started.start(ctx, h, instances)
}

// extra are the instances that flags make.
func (r *runCommand) extra() ([]host.Instance, error) {
	if r.users == "" {
		return nil, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	in, err := host.NewInstance("users", "file", dir, map[string]any{"path": r.users})
	return []host.Instance{in}, err
}

// withFiles adds the parquet plugin, where no harmonizer is configured.
func (r *runCommand) withFiles(ctx context.Context, a *app, s *settings.Settings, extra []host.Instance, p *plugins) (*host.Host, []host.Instance, error) {
	dir, err := filepath.Abs(r.out)
	if err != nil {
		return nil, nil, err
	}
	p.outputs = append(p.outputs, dir)
	in, err := host.NewInstance("parquet", "parquet", dir, map[string]any{"dir": dir})
	if err != nil {
		return nil, nil, err
	}
	h := host.New(a.hostConfig(s, append(extra, in)...))
	instances, problems := h.Instances(ctx)
	return h, instances, usageOf(problems)
}

// usageOf makes one error of problems with configurations.
func usageOf(problems []host.Problem) error {
	all := make([]error, len(problems))
	for i, p := range problems {
		all[i] = errors.New(p.String())
	}
	return wrongUsage(errors.Join(all...))
}

// start starts the instances at the same time. A configuration that a plugin
// does not accept ends the command; a source that does not start otherwise is
// reported, and the others go on.
func (p *plugins) start(ctx context.Context, h *host.Host, instances []host.Instance) error {
	running := make([]*host.Running, len(instances))
	failures := make([]error, len(instances))
	var all sync.WaitGroup
	for i, in := range instances {
		all.Go(func() { running[i], failures[i] = h.Start(ctx, in) })
	}
	all.Wait()
	var problems []host.Problem
	var broken []error
	for i, in := range instances {
		var config *host.ConfigError
		switch err := failures[i]; {
		case errors.As(err, &config):
			problems = append(problems, config.List()...)
		case err != nil && in.Plays(plugin.HarmonizerKind):
			broken = append(broken, err)
		case err != nil:
			p.failed[in.Name] = err.Error()
		}
		if running[i] == nil {
			continue
		}
		if in.Plays(plugin.SourceKind) {
			p.sources = append(p.sources, running[i])
		}
		if in.Plays(plugin.HarmonizerKind) {
			p.harmonizers = append(p.harmonizers, running[i])
		}
	}
	if err := errors.Join(usageOf(problems), errors.Join(broken...)); err != nil {
		p.close()
		return err
	}
	return nil
}

// grantors are the sources as the producer asks them, and their routes.
func (p *plugins) grantors() ([]producer.Source, map[string]sdk.Route) {
	sources := make([]producer.Source, len(p.sources))
	routes := make(map[string]sdk.Route, len(p.sources))
	for i, one := range p.sources {
		sources[i] = producer.Source{Name: one.Name(), Source: one}
		routes[one.Name()] = one.Route()
	}
	return sources, routes
}

// pass makes one run: producer, consumer and harmonizers at the same time.
func (r *runCommand) pass(ctx context.Context, p *pass, sc scope, plugged *plugins, bar *progress) (summary, error) {
	sources, routes := plugged.grantors()
	run, report, err := p.produce(ctx, sc, "", sources, routes)
	if err != nil {
		return summary{}, err
	}
	harmonizing, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group, groupCtx := errgroup.WithContext(harmonizing)
	ended := make(chan string, len(plugged.harmonizers))
	for _, one := range plugged.harmonizers {
		group.Go(func() error { return p.harmonize(groupCtx, one, run, ended) })
	}
	watching, stopWatching := context.WithCancel(groupCtx)
	var watcher sync.WaitGroup
	watcher.Go(func() { bar.watch(watching, p.log, p.standing(run.ID)) })

	err = p.consume(groupCtx, run)
	for range plugged.harmonizers {
		if err != nil {
			break
		}
		select {
		case <-ended:
		case <-groupCtx.Done():
			err = context.Cause(groupCtx)
		}
	}
	stopWatching()
	watcher.Wait()
	stop(errDone)
	if failure := group.Wait(); failure != nil && !errors.Is(failure, errDone) {
		err = failure
	}
	if now, look := p.standing(run.ID)(context.WithoutCancel(ctx)); look == nil {
		bar.finish(now)
	}
	result, summed := p.summarize(context.WithoutCancel(ctx), run.ID, report, plugged.failed)
	return result, errors.Join(err, summed)
}

// errDone ends the harmonizers when the run is over.
var errDone = errors.New("the run is over")

// harmonize feeds one harmonizer until the context ends.
func (p *pass) harmonize(ctx context.Context, plugged *host.Running, run runs.Run, ended chan<- string) error {
	intake := plugged.Intake()
	in, err := newInput(ctx, p.servers.kafka, "datadis."+plugged.Name(), p.topics(intake, run), p.log)
	if err != nil {
		return err
	}
	step := harmonizer.New(harmonizer.Config{
		Name: plugged.Name(), Plugin: plugged, Intake: intake, Input: in, Output: sink{p.servers.publisher},
		StaticTopic: p.settings.Kafka.StaticTopic, ControlTopic: p.settings.Kafka.ControlTopic, DeadTopic: p.settings.Kafka.DeadTopic,
		OnEnd: func(id string) {
			if id == run.ID {
				ended <- id
			}
		},
		Logger: p.log.With("run", run.ID, "phase", "harmonize"),
	})
	err = step.Run(ctx)
	return errors.Join(err, in.Close())
}

// topics are those that a harmonizer reads.
func (p *pass) topics(intake sdk.Intake, run runs.Run) []string {
	topics := []string{p.settings.Kafka.ControlTopic, p.settings.Kafka.StaticTopic}
	for source, route := range run.Routes {
		if len(intake.Sources) == 0 || slices.Contains(intake.Sources, source) {
			topics = append(topics, route.Topic)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// summarize reads what came of a run, and keeps it for later commands.
func (p *pass) summarize(ctx context.Context, id string, report producer.Report, failed map[string]string) (summary, error) {
	run, err := p.registry.Get(ctx, id)
	if err != nil {
		return summary{}, err
	}
	q := openQueues(p.settings, p.servers, id, p.log)
	users, errUsers := q.users.Stats(ctx)
	devices, errDevices := q.devices.Stats(ctx)
	grants, errGrants := p.registry.Failed(ctx, id)
	letters, errDead := q.deadLetters(ctx, id)
	if err := errors.Join(errUsers, errDevices, errGrants, errDead); err != nil {
		return summary{}, err
	}
	counts := finisher.Counts(users, devices)
	counts[job.Dead] = int64(len(letters))
	for name := range counts {
		if strings.HasPrefix(name, job.PerSource(job.Dead, "")) {
			delete(counts, name)
		}
	}
	for _, letter := range letters {
		for _, source := range letter.Sources {
			counts[job.PerSource(job.Dead, source)]++
		}
	}
	sources := make([]string, 0, len(run.Routes)+len(failed))
	for name := range run.Routes {
		sources = append(sources, name)
	}
	s := summary{
		Run: id, Policy: run.Policy, Outcome: run.Outcome, Started: run.Started, Finished: run.Finished,
		Sources: summarizeSources(sources, counts), Counts: counts, FailedGrants: grants, FailedSources: make(map[string]string),
	}
	for _, problems := range []map[string]string{run.FailedSources, report.Failed, failed} {
		for source, reason := range problems {
			s.FailedSources[source] = reason
		}
	}
	keep := archive{p.servers.store}
	return s, errors.Join(keep.saveRun(ctx, s), keep.saveDead(ctx, id, letters))
}

// report prints what came of the run.
func (r *runCommand) report(s summary, folders []string) error {
	err := printOne(r.output, s, func(out io.Writer) error {
		if err := s.write(out); err != nil {
			return err
		}
		for _, folder := range folders {
			fmt.Fprintf(out, "files: %s\n", folder)
		}
		return nil
	})
	if err == nil && r.strict && s.trouble() {
		return strictly(errors.New("--strict: a login was rejected, a source failed, or something is in the dead letters"))
	}
	return err
}
