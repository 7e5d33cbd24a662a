package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk"
)

const fetchHelp = `Fetch the readings of one account from Datadis, to the terminal or a file. No
run is opened, and nothing is published: for the data of many accounts, in full
and for good, use engine run.

The password is asked for without being shown, or read from --password-file,
--password-env or standard input; it is never an argument.

Datadis answers a query once in 24 hours. What is fetched here it refuses to the
next run, which then waits for a day. Where there is a ledger (in data_dir, or in
the Redis of the devices queue) that is noted there, and what was asked within 24
hours already is not asked again, unless with --force. Listing supplies and
contracts (--supplies) is not limited.`

const fetchExamples = `  engine fetch --username 12345678Z --supplies
  engine fetch --username 12345678Z --cups ES0031000000000001BJ0F --from 2026-09
  engine fetch --username B12345674 --authorized-nif 12345678Z --format csv --output home.csv`

// fetchFormats are the formats of what is fetched.
var fetchFormats = []string{"table", "csv", "json"}

// fetchCommand is `engine fetch`.
type fetchCommand struct {
	app      *app
	plan     plan
	username string
	nif      string
	password hiddenInput
	cups     []string
	series   []string
	format   string
	file     string
	supplies bool
	force    bool
	apart    bool // no ledger
}

func newFetchCommand(a *app) *cobra.Command {
	c := &fetchCommand{app: a, password: hiddenInput{name: "password"}, plan: plan{policy: string(ledger.Repair)}}
	cmd := &cobra.Command{
		Use: "fetch --username NIF", Short: "Fetch one account, to the terminal or a file",
		Long: fetchHelp, Example: fetchExamples, Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&c.username, "username", "", "`NIF` that logs in to Datadis")
	c.password.flags(cmd, "the password")
	f.StringVar(&c.nif, "authorized-nif", "", "`NIF` of a holder who authorised the user: fetch that one's supplies, not the user's own")
	f.StringSliceVar(&c.cups, "cups", nil, "only these `CUPS`, separated by commas")
	f.StringSliceVar(&c.series, "series", nil, "only these `series`, separated by commas: PT1H, PT15M, power, reactive (default datadis.series)")
	f.StringVar(&c.plan.from, "from", "", "first `month` to fetch, YYYY-MM; overrides datadis.months")
	f.StringVar(&c.plan.to, "to", "", "last `month` to fetch, YYYY-MM")
	nowFlag(cmd, &c.plan.now)
	f.StringVar(&c.format, "format", "table", "`format` of the result: table, csv or json")
	f.StringVar(&c.file, "output", "", "`file` to write, instead of the terminal; it replaces one that is there")
	f.BoolVar(&c.supplies, "supplies", false, "only list the supplies and their contracts")
	f.BoolVar(&c.force, "force", false, "ask also what was asked within 24 hours; Datadis mostly refuses it")
	f.BoolVar(&c.apart, "no-ledger", false, "neither look into the ledger nor note in it what is asked")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) }
	return cmd
}

func (c *fetchCommand) run(ctx context.Context) error {
	s, err := c.app.settings()
	if err != nil {
		return err
	}
	if len(c.series) > 0 {
		s.Datadis.Series = c.series
	}
	sc, err := c.check(s)
	if err != nil {
		return err
	}
	password, err := c.password.read(ctx, c.app)
	if err != nil {
		return err
	}
	if password == "" {
		return wrongUsage(errors.New("the password is empty; name where it is with --password-file or --password-env, or give it on standard input"))
	}
	out, err := newFetchOutput(c.app.stdout, c.app.terminal, c.file)
	if err != nil {
		return err
	}
	bar := newFetchBar(terminal(c.app.stderr))
	shown := *c.app
	shown.stderr = bar.Writer(c.app.stderr)
	f, err := c.open(ctx, s, sc, sdk.NewSecret(password), shown.logger(s))
	if err != nil {
		return errors.Join(err, out.discard())
	}
	f.bar = bar
	err = c.fetch(ctx, f, out)
	bar.end()
	return errors.Join(err, out.close(), f.close.run())
}

// check finds what is wrong with the flags, before anything is asked.
func (c *fetchCommand) check(s *settings.Settings) (scope, error) {
	var problems []error
	if c.username = strings.TrimSpace(c.username); c.username == "" {
		problems = append(problems, errors.New("--username: whose account is to be fetched?"))
	}
	if !slices.Contains(fetchFormats, c.format) {
		problems = append(problems, fmt.Errorf("--format: %q is none of %s", c.format, strings.Join(fetchFormats, ", ")))
	}
	for _, name := range c.series {
		if known := []string{"PT1H", "PT15M", "power", "reactive"}; !slices.Contains(known, name) {
			problems = append(problems, fmt.Errorf("--series: %q is none of %s", name, strings.Join(known, ", ")))
		}
	}
	sc, err := c.plan.scope(s)
	return sc, errors.Join(wrongUsage(errors.Join(problems...)), err)
}

// holder is the NIF to ask for; "" for the user's own supplies, which Datadis
// refuses to list under the user's own NIF (datadis-api.md 6).
func (c *fetchCommand) holder() sdk.NIF {
	nif := strings.ToUpper(strings.TrimSpace(c.nif))
	if nif == strings.ToUpper(c.username) {
		return ""
	}
	return sdk.NIF(nif)
}

// fetch lists the supplies, and fetches what they have.
func (c *fetchCommand) fetch(ctx context.Context, f *fetcher, out *fetchOutput) error {
	supplies, problem := f.list(ctx)
	if problem != nil && len(supplies) == 0 {
		return errors.Join(problem, out.discard())
	}
	supplies, unknown := selectSupplies(supplies, c.cups)
	problem = errors.Join(problem, unknown)
	if c.supplies {
		return errors.Join(f.describe(ctx, supplies, c.format, out), problem)
	}
	if len(supplies) == 0 {
		if problem == nil {
			problem = errors.New("the account sees no supplies")
		}
		return errors.Join(problem, out.discard())
	}
	f.log.Warn(f.warning())
	problem = errors.Join(f.readings(ctx, supplies, newFetchWriter(c.format, out)), problem)
	if problem != nil && f.tally.readings == 0 {
		problem = errors.Join(problem, out.discard())
	}
	return problem
}

// selectSupplies are the supplies of the given CUPS; all if none is given.
func selectSupplies(all []sdk.Supply, wanted []string) ([]sdk.Supply, error) {
	if len(wanted) == 0 {
		return all, nil
	}
	var found []sdk.Supply
	var problems []error
	for _, text := range wanted {
		cups := sdk.CUPS(strings.TrimSpace(text))
		i := slices.IndexFunc(all, func(s sdk.Supply) bool { return s.CUPS.Key() == cups.Key() })
		if i < 0 {
			problems = append(problems, fmt.Errorf("the account does not see the supply %s; --supplies lists those that it sees", cups.Masked()))
			continue
		}
		found = append(found, all[i])
	}
	return found, errors.Join(problems...)
}

// list is what Datadis lists now. A distributor that fails is asked alone once
// more; a list that stays incomplete comes with an error.
func (f *fetcher) list(ctx context.Context) ([]sdk.Supply, error) {
	listing, err := f.session.Supplies(ctx, f.nif, "")
	if err != nil {
		return nil, explain(err)
	}
	supplies := listing.Current()
	var problems []error
	for _, distributor := range listing.Failed() {
		more, err := f.session.Supplies(ctx, f.nif, distributor)
		if err == nil && len(more.Failed()) > 0 {
			err = errors.New("it does not answer")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("the list of supplies is incomplete: distributor %s: %w", distributor, err))
			continue
		}
		for _, one := range more.Current() {
			if !slices.ContainsFunc(supplies, func(s sdk.Supply) bool { return s.CUPS.Key() == one.CUPS.Key() }) {
				supplies = append(supplies, one)
			}
		}
	}
	f.log.Info("account listed", "supplies", len(supplies))
	return supplies, errors.Join(problems...)
}

// explain adds what to do to what Datadis says.
func explain(err error) error {
	switch {
	case errors.Is(err, datadis.ErrBadCredentials):
		return fmt.Errorf("%w; it sometimes says so of good ones: check the user name and password, and try once more", err)
	case errors.Is(err, datadis.ErrThrottled):
		return fmt.Errorf("%w; wait a minute, and fetch less at once", err)
	case errors.Is(err, datadis.ErrUnauthorised):
		return fmt.Errorf("%w; check --authorized-nif, and whether the holder's authorisation is still in force", err)
	}
	return err
}

// warning says what fetching costs.
func (f *fetcher) warning() string {
	const cost = "Datadis answers a query once in 24 hours: what is fetched now, the next run has to wait for"
	if f.noted {
		return cost + "; the ledger notes it"
	}
	return cost + "; no ledger notes it"
}

// open makes everything that fetching needs.
func (c *fetchCommand) open(ctx context.Context, s *settings.Settings, sc scope, password sdk.Secret, log *slog.Logger) (*fetcher, error) {
	f := &fetcher{settings: s, scope: sc, force: c.force, nif: c.holder(), log: log.With("phase", "fetch")}
	if err := f.openLedger(ctx, c.apart || c.supplies, c.username, password); err != nil {
		return nil, errors.Join(err, f.close.run())
	}
	if err := f.openSession(ctx, c.username, password); err != nil {
		return nil, errors.Join(err, f.close.run())
	}
	return f, nil
}
