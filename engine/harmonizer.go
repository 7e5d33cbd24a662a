package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/datadis-engine/datadis/engine/internal/harmonizer"
	"github.com/datadis-engine/datadis/engine/internal/host"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

const harmonizerHelp = `Read what was published to Kafka and hand it to the harmonizer plugins, until a
signal comes. Start any number: the processes share the partitions, and what
one had not finished when it died is handed over again by another. When a run
is over and everything of it was handed over, one of them tells the plugin.

Without arguments it runs every configured harmonizer; name instances to run
only those. With --source, each takes the data of that source alone, as a group
of its own.`

const harmonizerExamples = `  engine harmonizer --config config.json
  engine harmonizer parquet
  engine harmonizer --source north`

// harmonizerCommand is `engine harmonizer`.
type harmonizerCommand struct {
	app    *app
	names  []string
	source string
}

func newHarmonizerCommand(a *app) *cobra.Command {
	h := &harmonizerCommand{app: a}
	cmd := &cobra.Command{
		Use: "harmonizer [INSTANCE...]", Short: "Harmonize what was published",
		Long: harmonizerHelp, Example: harmonizerExamples,
	}
	cmd.Flags().StringVar(&h.source, "source", "", "take only the data of this source, by its `name`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		h.names = args
		return h.run(cmd.Context())
	}
	return cmd
}

func (c *harmonizerCommand) run(ctx context.Context) error {
	s, err := c.app.serverSettings()
	if err != nil {
		return err
	}
	log := c.app.logger(s)
	plugged, err := c.start(ctx, s)
	if err != nil {
		return err
	}
	defer plugged.close()
	p, err := openPass(ctx, s, log, time.Now)
	if err != nil {
		return err
	}
	if err := p.operate(ctx, operation{command: "harmonizer", plugins: plugged.harmonizers}); err != nil {
		return errors.Join(err, p.servers.close.run())
	}
	err = c.serve(ctx, p, plugged)
	if ctx.Err() != nil {
		log.Info("drained", "cause", context.Cause(ctx))
	}
	return errors.Join(err, plugged.missed(), p.servers.close.run())
}

// start starts the instances that were asked for.
func (c *harmonizerCommand) start(ctx context.Context, s *settings.Settings) (*plugins, error) {
	h := host.New(c.app.hostConfig(s))
	instances, problems := h.Instances(ctx)
	if len(c.names) > 0 { // what is wrong with others is theirs
		problems = slices.DeleteFunc(problems, func(p host.Problem) bool { return !slices.Contains(c.names, p.Instance) })
		instances = slices.DeleteFunc(instances, func(in host.Instance) bool { return !slices.Contains(c.names, in.Name) })
	}
	plugged := newPlugins(s, plugin.HarmonizerKind)
	if err := usageOf(plugged.leaveOut(problems, c.app.logger(s))); err != nil {
		return nil, err
	}
	instances = plugged.needed(instances)
	if len(instances) == 0 && plugged.absent > 0 {
		return nil, plugged.missed()
	}
	for _, name := range c.names {
		if !slices.ContainsFunc(instances, func(in host.Instance) bool { return in.Name == name }) {
			return nil, wrongUsage(fmt.Errorf("%s is no harmonizer that is configured in %s; `engine plugins list` shows them", name, s.Plugins.ConfigDir))
		}
	}
	if len(instances) == 0 {
		return nil, wrongUsage(fmt.Errorf("no harmonizer is configured: write %s/config_<name>.json", s.Plugins.ConfigDir))
	}
	return plugged, plugged.start(ctx, h, instances)
}

// serve feeds the harmonizers until the context ends. One that cannot go on
// does not stop the others; the process fails with it in the end.
func (c *harmonizerCommand) serve(ctx context.Context, p *pass, plugged *plugins) error {
	if err := p.servers.ensureTopics(ctx, p.settings); err != nil {
		return err
	}
	var all sync.WaitGroup
	failures := make([]error, len(plugged.harmonizers))
	fed := 0
	for i, one := range plugged.harmonizers {
		intake, group := one.Intake(), groupOf(one)
		if c.source != "" {
			if len(intake.Sources) > 0 && !slices.Contains(intake.Sources, c.source) {
				continue
			}
			intake.Sources, group = []string{c.source}, group+"."+c.source
		}
		fed++
		all.Go(func() {
			err := p.feed(ctx, one, group, intake, nil)
			if ctx.Err() != nil {
				return
			}
			failures[i] = err
			p.log.Error("harmonizer stopped; what it had not done waits in Kafka", "harmonizer", one.Name(), "error", err)
		})
	}
	if fed == 0 {
		return wrongUsage(fmt.Errorf("--source %s: no harmonizer takes its data", c.source))
	}
	all.Wait()
	return errors.Join(failures...)
}

// groupOf is the consumer group of a harmonizer.
func groupOf(one *host.Running) string { return "datadis." + one.Name() }

// harmonize feeds one harmonizer of this process's run until the context ends.
func (p *pass) harmonize(ctx context.Context, plugged *host.Running, onEnd func(run string)) error {
	return p.feed(ctx, plugged, groupOf(plugged), plugged.Intake(), onEnd)
}

// feed is a member of the consumer group of a harmonizer, until the context
// ends.
func (p *pass) feed(ctx context.Context, plugged *host.Running, group string, intake sdk.Intake, onEnd func(run string)) error {
	ctx = p.traces.Into(ctx)
	log := p.log.With("phase", "harmonize")
	// Topics are never created by accident: what is sent to one that is not there
	// would wait for it.
	if err := p.servers.ensureTopics(ctx, p.settings, intake.OutputTopics...); err != nil {
		return err
	}
	topics, err := p.topics(ctx, intake)
	if err != nil {
		return err
	}
	in, err := newInput(ctx, p.servers.kafka, group, topics, log)
	if err != nil {
		return err
	}
	step := harmonizer.New(harmonizer.Config{
		Name: plugged.Name(), Plugin: plugged, Intake: intake, Input: in, Output: sink{p.servers.publisher},
		StaticTopic: p.settings.Kafka.StaticTopic, ControlTopic: p.settings.Kafka.ControlTopic, DeadTopic: p.settings.Kafka.DeadTopic,
		Drain: p.settings.Run.DrainTimeout, OnEnd: onEnd, Logger: log,
	})
	members, ctx := errgroup.WithContext(ctx)
	members.Go(func() error { return p.follow(ctx, in, intake, topics, log) })
	members.Go(func() error { return step.Run(ctx) })
	return errors.Join(members.Wait(), in.Close())
}

// routesEvery is how often a harmonizer looks for sources that are new.
const routesEvery = 5 * time.Second

// follow subscribes to the topics of sources that come later.
func (p *pass) follow(ctx context.Context, in *input, intake sdk.Intake, known []string, log *slog.Logger) error {
	for {
		if err := pause(ctx, routesEvery); err != nil {
			return err
		}
		topics, err := p.topics(ctx, intake)
		if err != nil {
			if ctx.Err() == nil {
				log.Warn("cannot see which topics there are; looking again", "error", err)
			}
			continue
		}
		if slices.Equal(topics, known) {
			continue
		}
		log.Info("reading the topics of more sources", "topics", strings.Join(topics, " "))
		if err := in.Subscribe(topics); err != nil {
			return err
		}
		known = topics
	}
}

// topics are those that a harmonizer reads: of all sources that it takes and
// that ever had a run, whichever producer knew of them.
func (p *pass) topics(ctx context.Context, intake sdk.Intake) ([]string, error) {
	latest, err := p.registry.Routes(ctx)
	if err != nil {
		return nil, err
	}
	unfinished, err := p.registry.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{p.settings.Kafka.ControlTopic: true, p.settings.Kafka.StaticTopic: true}
	for _, routes := range append([]map[string]sdk.Route{latest}, routesOf(unfinished)...) {
		for source, route := range routes {
			if len(intake.Sources) == 0 || slices.Contains(intake.Sources, source) {
				found[route.Topic] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func routesOf(all []runs.Run) []map[string]sdk.Route {
	routes := make([]map[string]sdk.Route, len(all))
	for i, run := range all {
		routes[i] = run.Routes
	}
	return routes
}
