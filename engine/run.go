package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/settings"
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
	if err := safeFolder(s.DataDir); err != nil {
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
	if err := p.operate(ctx, operation{command: "run", plugins: slices.Concat(plugins.sources, plugins.harmonizers)}); err != nil {
		return errors.Join(err, p.servers.close.run())
	}
	result, err := r.pass(ctx, p, sc, plugins, bar)
	if err := errors.Join(err, p.servers.close.run()); err != nil {
		return err
	}
	return errors.Join(r.report(result, plugins.outputs), plugins.missed())
}

// terminal is the writer if it is one.
func terminal(w io.Writer) io.Writer {
	if isTerminal(w) {
		return w
	}
	return nil
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
	started := newPlugins(s, plugin.SourceKind, plugin.HarmonizerKind)
	if err := usageOf(started.leaveOut(problems, a.logger(s))); err != nil {
		return nil, err
	}
	if started.absent == 0 && !slices.ContainsFunc(instances, func(in host.Instance) bool { return in.Plays(plugin.HarmonizerKind) }) {
		h, instances, err = r.withFiles(ctx, a, s, extra, started)
		if err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(instances, func(in host.Instance) bool { return in.Plays(plugin.SourceKind) }) {
		if err := started.missed(); err != nil {
			return nil, err
		}
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
	problems = slices.DeleteFunc(problems, func(p host.Problem) bool { return p.Instance != in.Name })
	return h, instances, usageOf(p.leaveOut(problems, a.logger(s)))
}

// pass makes one run: producer, consumer and harmonizers at the same time.
func (r *runCommand) pass(ctx context.Context, p *pass, sc scope, plugged *plugins, bar *progress) (summary, error) {
	run, _, err := p.produce(ctx, sc, "", plugged)
	if err != nil {
		return summary{}, err
	}
	harmonizing, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group, groupCtx := errgroup.WithContext(harmonizing)
	ended := make(chan string, len(plugged.harmonizers))
	for _, one := range plugged.harmonizers {
		group.Go(func() error {
			return p.harmonize(groupCtx, one, func(id string) {
				if id == run.ID {
					ended <- id
				}
			})
		})
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
	result, summed := p.summarize(context.WithoutCancel(ctx), run.ID)
	return result, errors.Join(err, summed)
}

// errDone ends the harmonizers when the run is over.
var errDone = errors.New("the run is over")

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
		return strictly(errTrouble)
	}
	return err
}
