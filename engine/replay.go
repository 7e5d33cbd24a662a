package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/downloader"
	"github.com/datadis-engine/datadis/engine/internal/entitlement"
	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/producer"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

const replayHelp = `Publish what is known of a source's supplies once more, from the response bodies
in kafka.raw.topic, as this version of the engine decodes them. Datadis is not
asked. Use it for a source whose topic was lost, for one that is new and wants
data that others have, or after a correction of the decoder.

Which supplies are the source's follows from its users and from the last good
listing of each. What is unchanged keeps its revision, so that readers drop it
if they have it; what is decoded otherwise gets a higher one, and the other
sources get it in their next run.`

// replayCommand is `engine replay`.
type replayCommand struct {
	app    *app
	source string
	from   string
	output *printer
}

func newReplayCommand(a *app) *cobra.Command {
	r := &replayCommand{app: a}
	cmd := &cobra.Command{
		Use: "replay --source NAME", Short: "Publish a source's data again, without asking Datadis", Long: replayHelp, Args: cobra.NoArgs,
		Example: "  engine replay --source north\n  engine replay --source north --from 2026-01",
	}
	cmd.Flags().StringVar(&r.source, "source", "", "`name` of the source")
	cmd.Flags().StringVar(&r.from, "from", "", "first `month`, YYYY-MM (default all that is known)")
	if err := cmd.MarkFlagRequired("source"); err != nil {
		panic(err) // the flag stands two lines above
	}
	r.output = a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context()) }
	return cmd
}

func (c *replayCommand) run(ctx context.Context) error {
	s, err := c.app.settings()
	if err != nil {
		return err
	}
	var from sdk.Month
	if c.from != "" {
		if from, err = sdk.ParseMonth(c.from); err != nil {
			return wrongUsage(fmt.Errorf("--from: %w", err))
		}
	}
	if !s.Kafka.Raw.Enabled {
		return wrongUsage(errors.New("kafka.raw.enabled is false: there are no response bodies to replay"))
	}
	plugged := newPlugins(s, plugin.SourceKind)
	h := host.New(c.app.hostConfig(s))
	instances, problems := h.Instances(ctx)
	for _, in := range instances {
		if in.Name == c.source {
			err = plugged.start(ctx, h, []host.Instance{in})
		}
	}
	defer plugged.close()
	if err != nil {
		return err
	}
	if len(plugged.sources) == 0 {
		return errors.Join(usageOf(problems), wrongUsage(fmt.Errorf("--source %s: no such source is configured in %s, or it does not start", c.source, s.Plugins.ConfigDir)))
	}
	p, err := openPass(ctx, s, c.app.logger(s), time.Now)
	if err != nil {
		return err
	}
	done, err := c.replay(ctx, p, plugged, from)
	if err := errors.Join(err, p.servers.close.run()); err != nil {
		return err
	}
	return c.report(done)
}

// replayed is what came of a replay.
type replayed struct {
	Source   string `json:"source"`
	Supplies int    `json:"supplies"`
	Busy     int    `json:"busy"` // supplies left out: a run works on them
	downloader.Replayed
}

// replay replays each supply that the source sees and wants.
func (c *replayCommand) replay(ctx context.Context, p *pass, plugged *plugins, from sdk.Month) (replayed, error) {
	done := replayed{Source: c.source}
	sources, routes := plugged.grantors()
	if err := p.servers.ensureTopics(ctx, p.settings, routes[c.source].Topic); err != nil {
		return done, err
	}
	supplies, err := c.supplies(ctx, p, sources)
	if err != nil {
		return done, err
	}
	id := "replay-" + p.now().UTC().Format("20060102T150405")
	step := p.downloader(runs.Run{ID: id, Routes: routes}, nil, p.log)
	for _, cups := range supplies {
		one, err := step.Replay(ctx, cups, []string{c.source}, from)
		done.Add(one)
		switch {
		case errors.Is(err, downloader.ErrBusy):
			done.Busy++
		case err != nil:
			return done, fmt.Errorf("replay %s: %w", cups.Masked(), err)
		default:
			done.Supplies++
		}
	}
	return done, nil
}

// supplies lists what the source is entitled to and wants.
func (c *replayCommand) supplies(ctx context.Context, p *pass, sources []producer.Source) ([]sdk.CUPS, error) {
	step := producer.New(producer.Config{Identities: p.secrets.identities, Logger: p.log})
	users, report, err := step.Accounts(ctx, sources)
	if err != nil {
		return nil, err
	}
	if reason, failed := report.Failed[c.source]; failed {
		return nil, fmt.Errorf("source %s failed: %s", c.source, reason)
	}
	register := entitlement.NewRegister(p.servers.store)
	seen := make(map[sdk.CUPS]bool)
	var supplies []sdk.CUPS
	for _, user := range users {
		listed, err := register.Current(ctx, user.Listing())
		if err != nil {
			return nil, err
		}
		for _, supply := range listed {
			if len(user.Wanting(supply.CUPS)) > 0 && !seen[supply.CUPS.Key()] {
				seen[supply.CUPS.Key()] = true
				supplies = append(supplies, supply.CUPS)
			}
		}
	}
	return supplies, nil
}

// report prints what came of it.
func (c *replayCommand) report(done replayed) error {
	return printOne(c.output, done, func(out io.Writer) error {
		fmt.Fprintf(out, "source %s: %s supplies, %s chunks with %s readings published from the raw copies\n",
			done.Source, grouped(int64(done.Supplies)), grouped(int64(done.Chunks)), grouped(int64(done.Readings)))
		fmt.Fprintf(out, "decoded otherwise than before %d, without a raw copy %d, left out as shrunk %d, supplies in the hands of a run %d\n",
			done.Corrected, done.Gone, done.Shrunk, done.Busy)
		return nil
	})
}
