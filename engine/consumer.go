package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/ledger"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
)

const consumerHelp = `List the accounts on the users queue, and download what is missing of their
supplies: time series go to the topic that each source names, static data to
kafka.static_topic. Start any number; none waits for another, and what one
leaves behind when it dies is taken up by the rest.

It works on every open run, for ever; with --once until the newest run is over.
With SIGTERM it takes on nothing more, finishes the calls in flight within
run.drain_timeout, hands the rest back and exits with 0; a second signal ends
it at once, which loses nothing either.`

const consumerExamples = `  engine consumer --config config.json
  engine consumer --once --workers 32
  engine consumer --once --policy repair --strict`

// consumerCommand is `engine consumer`.
type consumerCommand struct {
	app     *app
	policy  string
	workers int
	now     string
	once    bool
	strict  bool
	output  *printer
}

func newConsumerCommand(a *app) *cobra.Command {
	c := &consumerCommand{app: a}
	cmd := &cobra.Command{
		Use: "consumer", Short: "List accounts and download their supplies",
		Long: consumerHelp, Example: consumerExamples, Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&c.policy, "policy", "", "work only on runs of this `policy`: last or repair (default both)")
	f.IntVar(&c.workers, "workers", 0, "supplies at the same time, `N` for each run (default run.workers)")
	f.BoolVar(&c.once, "once", false, "wait up to two minutes for a run, and end when the newest one is over")
	f.BoolVar(&c.strict, "strict", false, "with --once: exit with 3 if a login was rejected, a source failed, or something is in the dead letters")
	nowFlag(cmd, &c.now)
	c.output = a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) }
	return cmd
}

func (c *consumerCommand) run(ctx context.Context) error {
	s, err := c.app.serverSettings()
	if err != nil {
		return err
	}
	if c.policy != "" {
		if _, err := ledger.ParsePolicy(c.policy); err != nil {
			return wrongUsage(fmt.Errorf("--policy: %w", err))
		}
	}
	if c.workers > 0 {
		s.Run.Workers = c.workers
	}
	start, err := simulated(s, c.now)
	if err != nil {
		return err
	}
	bar := newProgress(terminal(c.app.stderr))
	shown := *c.app
	shown.stderr = bar.Writer(c.app.stderr)
	p, err := openPass(ctx, s, shown.logger(s), clock(start))
	if err != nil {
		return err
	}
	if err := p.operate(ctx, operation{command: "consumer", short: c.once}); err != nil {
		return errors.Join(err, p.servers.close.run())
	}
	crew := &crew{pass: p, policy: c.policy, log: p.log, bar: bar, active: make(map[string]bool)}
	done, err := c.serve(ctx, crew)
	bar.end()
	if err := errors.Join(err, p.servers.close.run()); err != nil {
		return err
	}
	return c.report(done)
}

// serve works until there is nothing more to do, or a signal comes: then what
// was begun is finished or handed back, and that is a good end.
func (c *consumerCommand) serve(ctx context.Context, crew *crew) ([]summary, error) {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	var watcher sync.WaitGroup
	watcher.Go(func() { crew.bar.watch(watching, crew.log, crew.standing) })
	defer watcher.Wait()
	defer stop()
	var err error
	if c.once {
		err = crew.untilOver(ctx)
	} else {
		err = crew.forEver(ctx)
	}
	var signalled *interruption
	if errors.As(err, &signalled) {
		crew.log.Info("drained after a signal", "signal", signalled.signal.String())
		err = nil
	}
	if err != nil || !c.once {
		return nil, err
	}
	return crew.summaries(context.WithoutCancel(ctx))
}

// report prints what came of the runs.
func (c *consumerCommand) report(done []summary) error {
	if !c.once {
		return nil
	}
	trouble := false
	for _, s := range done {
		trouble = trouble || s.trouble()
		if err := printOne(c.output, s, func(out io.Writer) error { return s.write(out) }); err != nil {
			return err
		}
	}
	if c.strict && trouble {
		return strictly(errTrouble)
	}
	return nil
}

// errTrouble is what --strict makes of a run that ended, but not all well.
var errTrouble = errors.New("--strict: a login was rejected, a source failed, or something is in the dead letters")

// crew works on all open runs of a policy.
type crew struct {
	pass   *pass
	policy string // "": any
	log    *slog.Logger
	bar    *progress

	mu     sync.Mutex
	active map[string]bool // false: over
	order  []string        // runs that were worked on
}

// How often a consumer looks for runs, and how long one that is to work once
// waits for the first.
const (
	runsEvery = time.Second
	firstRun  = 2 * time.Minute
)

// forEver works on every run that is opened, until the context ends.
func (c *crew) forEver(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		if _, err := c.takeUp(ctx, &all); err != nil && ctx.Err() == nil {
			c.log.Warn("cannot see which runs are open; looking again", "error", err)
		}
		if err := pause(ctx, runsEvery); err != nil {
			return err
		}
	}
}

// untilOver waits for a run, and works until the newest one is over.
func (c *crew) untilOver(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	began := time.Now()
	for {
		open, err := c.takeUp(ctx, &all)
		switch {
		case err != nil && ctx.Err() == nil:
			c.log.Warn("cannot see which runs are open; looking again", "error", err)
		case err == nil && open == 0 && c.seen():
			return nil
		case err == nil && open == 0:
			if over, err := c.justOver(ctx); err == nil && over {
				return nil
			}
			if time.Since(began) > firstRun {
				return fmt.Errorf("no run was opened within %s; `engine producer` opens one", firstRun)
			}
		}
		if err := pause(ctx, runsEvery); err != nil {
			return err
		}
	}
}

// takeUp begins to work on the open runs that this process does not know yet,
// and returns how many are open.
func (c *crew) takeUp(ctx context.Context, all *sync.WaitGroup) (int, error) {
	unfinished, err := c.pass.registry.Unfinished(ctx)
	if err != nil {
		return 0, err
	}
	open := 0
	for _, run := range unfinished {
		if !c.mine(run) {
			continue
		}
		open++
		c.mu.Lock()
		_, known := c.active[run.ID]
		if !known {
			c.active[run.ID] = true
			c.order = append(c.order, run.ID)
		}
		c.mu.Unlock()
		if !known {
			all.Go(func() { c.work(ctx, run) })
		}
	}
	return open, nil
}

// work works on one run until it is over.
func (c *crew) work(ctx context.Context, run runs.Run) {
	c.log.Info("working on a run", "run", run.ID, "policy", run.Policy)
	if c.pass.consume(ctx, run) == nil { // else the context ended
		if _, err := c.pass.summarize(context.WithoutCancel(ctx), run.ID); err != nil {
			c.log.Warn("what came of the run is not kept for later", "run", run.ID, "error", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active[run.ID] = false
}

// standing looks how far the runs have come that are worked on.
func (c *crew) standing(ctx context.Context) (standing, error) {
	c.mu.Lock()
	var open []string
	for id, working := range c.active {
		if working {
			open = append(open, id)
		}
	}
	c.mu.Unlock()
	var sum standing
	for _, id := range open {
		one, err := c.pass.standing(id)(ctx)
		if err != nil {
			return standing{}, err
		}
		sum.add(one)
	}
	return sum, nil
}

// seen tells whether this process worked on a run.
func (c *crew) seen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.order) > 0
}

// lookBack is among how many runs the newest of a policy is looked for.
const lookBack = 20

// justOver tells whether the newest run was over so shortly ago that this
// process was meant to help with it; its summary is then reported all the same.
func (c *crew) justOver(ctx context.Context) (bool, error) {
	recent, err := c.pass.registry.Recent(ctx, lookBack)
	if err != nil {
		return false, err
	}
	newest := slices.IndexFunc(recent, c.mine)
	if newest < 0 {
		return false, nil
	}
	run := recent[newest]
	now, err := c.pass.servers.users.Time(ctx).Result()
	if err != nil || run.State != runs.Finished || now.Sub(run.Ended) > firstRun {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order = append(c.order, run.ID)
	return true, nil
}

// mine tells whether the run is one to work on.
func (c *crew) mine(run runs.Run) bool { return c.policy == "" || run.Policy == c.policy }

// summaries sums up the runs that this process worked on and that are over.
func (c *crew) summaries(ctx context.Context) ([]summary, error) {
	list := make([]summary, 0, len(c.order))
	for _, id := range c.order {
		s, err := c.pass.summarize(ctx, id)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}
