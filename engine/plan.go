package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk"
)

// plan is what a run is to ask for, as the command line says it.
type plan struct {
	policy   string
	from, to string
	now      string
}

// flags adds the flags of a plan to a command.
func (p *plan) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.policy, "policy", string(ledger.Last), "what to ask for: `last` (the months still growing) or repair (every incomplete month); a new supply is asked for in full either way")
	f.StringVar(&p.from, "from", "", "first `month` to ask for, YYYY-MM; overrides datadis.months")
	f.StringVar(&p.to, "to", "", "last `month` to ask for, YYYY-MM")
	nowFlag(cmd, &p.now)
}

// nowFlag adds --now to a command.
func nowFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "now", "", "simulated `time`, RFC 3339: the clock starts there (as run.now)")
}

// simulated is when the simulated clock starts; zero for the real one.
func simulated(s *settings.Settings, flag string) (time.Time, error) {
	if flag == "" {
		return s.Run.Now, nil
	}
	start, err := time.Parse(time.RFC3339, flag)
	if err != nil {
		return time.Time{}, wrongUsage(fmt.Errorf("--now: %q is no time; write it as 2026-11-23T02:00:00Z", flag))
	}
	return start, nil
}

// scope is a plan that makes sense.
type scope struct {
	policy ledger.Policy
	window ledger.Window // as of when the run starts
	start  time.Time     // of the simulated clock; zero for the real one
	now    func() time.Time
}

// scope checks the plan against the settings.
func (p *plan) scope(s *settings.Settings) (scope, error) {
	policy, err := ledger.ParsePolicy(p.policy)
	if err != nil {
		return scope{}, wrongUsage(fmt.Errorf("--policy: %w", err))
	}
	start, err := simulated(s, p.now)
	if err != nil {
		return scope{}, err
	}
	sc := scope{policy: policy, start: start, now: clock(start)}
	sc.window = ledger.WindowAt(sc.now(), s.Datadis.Months)
	for _, end := range []struct {
		flag, text string
		month      *sdk.Month
	}{{"--from", p.from, &sc.window.From}, {"--to", p.to, &sc.window.To}} {
		if end.text == "" {
			continue
		}
		if *end.month, err = sdk.ParseMonth(end.text); err != nil {
			return scope{}, wrongUsage(fmt.Errorf("%s: %w", end.flag, err))
		}
	}
	if sc.window.From > sc.window.To {
		return scope{}, wrongUsage(fmt.Errorf("--from %s is after --to %s", sc.window.From, sc.window.To))
	}
	return sc, nil
}

// clock is the real clock, or one that starts at the given time now and runs
// on.
func clock(start time.Time) func() time.Time {
	if start.IsZero() {
		return time.Now
	}
	began := time.Now()
	return func() time.Time { return start.Add(time.Since(began)) }
}

// seriesOf are the series that the settings name.
func seriesOf(names []string) []sdk.Series {
	known := map[string]sdk.Series{
		"PT1H": sdk.EnergyHourly, "PT15M": sdk.EnergyQuarterHour, "power": sdk.PowerMonthly, "reactive": sdk.ReactiveMonthly,
	}
	series := make([]sdk.Series, 0, len(names))
	for _, name := range names {
		series = append(series, known[name]) // settings has checked them
	}
	return series
}
