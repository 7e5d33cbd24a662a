package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/ledger"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/sdk"
)

// changeLedger does something to the ledger, for which no run may be under way:
// workers keep in memory what it says.
func (a *app) changeLedger(ctx context.Context, do func(*ledger.Ledger) error) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	kept, done, err := a.openForChange(ctx, s)
	if err != nil {
		return err
	}
	config := ledger.Config{RepeatAfter: s.Datadis.RepeatAfter, Now: clock(s.Run.Now)}
	return errors.Join(do(ledger.New(kept, config)), done())
}

// openForChange opens what outlives runs for writing. The file of local mode is
// open to one process at a time; on servers the runs are looked at.
func (a *app) openForChange(ctx context.Context, s *settings.Settings) (store.Store, func() error, error) {
	if s.Local().Devices {
		file, err := store.OpenBolt(filepath.Join(s.DataDir, storeName))
		if err != nil {
			return nil, nil, err
		}
		return file, file.Close, nil
	}
	if err := noRunUnderWay(ctx, s); err != nil {
		return nil, nil, err
	}
	return a.openKept(s)
}

// noRunUnderWay makes sure that nobody works on the ledger.
func noRunUnderWay(ctx context.Context, s *settings.Settings) error {
	if s.Local().Users {
		return nil // runs live no longer than the process that has them
	}
	client, err := openRedis("redis.users.url", s.Redis.Users.URL)
	if err != nil {
		return err
	}
	defer client.Close()
	open, err := runs.NewRegistry(client, s.Run.ProducerSilence).Unfinished(ctx)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return fmt.Errorf("run %s is under way and works with the ledger; wait for its end (`engine status`)", open[0].ID)
	}
	return nil
}

const ledgerImportHelp = `Read what ` + "`engine ledger export`" + ` wrote, or with --from mongo the ledger of the
older ingestor as mongoexport writes it: a document per line. "-" is standard
input. No run may be under way.

An export replaces what is known of the chunks that it names. The first line
that is wrong ends it; importing all again does no harm.

Of the older ledger, months are taken that are shown to be complete; all else is
asked of Datadis as if it had never been. --source names the sources that have
that data already: each other source gets it anew. Nothing is changed of which
this ledger knows an answer. docs/migration.md says what is shown, and how.`

// ledgerImport is `engine ledger import`.
type ledgerImport struct {
	app    *app
	from   string
	older  ledger.OlderOptions
	output *printer
}

func newLedgerImportCommand(a *app) *cobra.Command {
	c := &ledgerImport{app: a}
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Read the ledger from lines of JSON", Long: ledgerImportHelp, Args: cobra.ExactArgs(1),
		Example: "  engine ledger import ledger.ndjson\n  engine ledger import --from mongo --source north --dry-run devices.ndjson",
	}
	f := cmd.Flags()
	f.StringVar(&c.from, "from", "auto", "what the lines `are`: engine, mongo, or auto to see by the first")
	f.StringSliceVar(&c.older.Sources, "source", nil, "mongo: a source that has the data already, by `name`; may be repeated")
	f.BoolVar(&c.older.DryRun, "dry-run", false, "mongo: say what would come of it, and write nothing")
	c.output = a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) }
	return cmd
}

func (c *ledgerImport) run(ctx context.Context, name string) error {
	if err := c.older.Check(); err != nil {
		return wrongUsage(fmt.Errorf("--source: %w", err))
	}
	file := os.Stdin
	if name != "-" {
		opened, err := os.Open(name)
		if err != nil {
			return wrongUsage(err)
		}
		file = opened
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	from, err := c.kind(lines)
	if err != nil {
		return wrongUsage(err)
	}
	return c.app.changeLedger(ctx, func(l *ledger.Ledger) error {
		if from == "engine" {
			taken, err := l.Import(ctx, lines)
			return errors.Join(printOne(c.output, map[string]int{"lines": taken}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s lines imported\n", grouped(int64(taken)))
				return err
			}), err)
		}
		result, err := l.ImportOlder(ctx, lines, c.older)
		return errors.Join(printOne(c.output, result, func(w io.Writer) error { return c.writeOlder(w, result) }), err)
	})
}

// kind tells what the lines are, by the flags and the first of them.
func (c *ledgerImport) kind(lines *bufio.Reader) (string, error) {
	if c.from != "auto" && c.from != "engine" && c.from != "mongo" {
		return "", fmt.Errorf("--from %s is none of auto, engine, mongo", c.from)
	}
	seen, err := firstMember(lines)
	if err != nil {
		return "", err
	}
	kind := cmp.Or(map[string]string{"_id": "mongo", "cups": "engine"}[seen], c.from)
	switch {
	case kind == "auto":
		return "", errors.New("the file is neither an export of the ledger nor one of mongoexport; say which with --from")
	case c.from != "auto" && kind != c.from:
		return "", fmt.Errorf("--from %s: the file looks like one of %s", c.from, kind)
	case kind == "engine" && (len(c.older.Sources) > 0 || c.older.DryRun):
		return "", errors.New("--source and --dry-run are for --from mongo alone")
	}
	return kind, nil
}

// peeked is how much of a file is looked at to see what it is.
const peeked = 4096

// firstMember is the first member's name of the first line's object, without
// reading it; "" if there is none.
func firstMember(lines *bufio.Reader) (string, error) {
	start, err := lines.Peek(peeked)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return "", err
	}
	tokens := json.NewDecoder(bytes.NewReader(start))
	switch token, err := tokens.Token(); {
	case err != nil:
		return "", nil
	case token == json.Delim('['):
		return "", errors.New("the file is one JSON array; it has to be a document per line: leave out --jsonArray")
	case token != json.Delim('{'):
		return "", nil
	}
	token, err := tokens.Token()
	name, ok := token.(string)
	if err != nil || !ok {
		return "", nil
	}
	return name, nil
}

// writeOlder says what came of the older ledger.
func (c *ledgerImport) writeOlder(w io.Writer, r ledger.Older) error {
	done := "are complete now"
	if c.older.DryRun {
		done = "would become complete"
	}
	having := "no source has them (--source)"
	if len(c.older.Sources) > 0 {
		having = "delivered to " + strings.Join(c.older.Sources, ", ")
	}
	for _, line := range []struct {
		n    int
		text string
	}{
		{r.Documents, "documents read"},
		{r.Imported, "chunks " + done + "; " + having},
		{r.Known, "chunks left as they are: this ledger knows an answer"},
		{r.Incomplete, "blocks incomplete: to be asked for"},
		{r.Unproven, "blocks not shown to be complete: to be asked for"},
		{r.Power, "blocks of maximum power: to be asked for"},
		{r.Failed, "documents not readable"},
	} {
		if _, err := fmt.Fprintf(w, "%9s  %s\n", grouped(int64(line.n)), line.text); err != nil {
			return err
		}
	}
	return nil
}

const ledgerResetHelp = `Make chunks as if they had never been asked for, so that the next run asks for
them: those of the supplies that are named, or with --all of every supply. What
Datadis was asked within 24 hours is not forgotten, since it would refuse to
answer. No run may be under way.`

// ledgerReset is `engine ledger reset`.
type ledgerReset struct {
	app      *app
	all      bool
	series   []string
	from, to string
	output   *printer
}

func newLedgerResetCommand(a *app) *cobra.Command {
	c := &ledgerReset{app: a}
	cmd := &cobra.Command{
		Use: "reset CUPS… | --all", Short: "Forget what is known of some months, so that they are asked for again", Long: ledgerResetHelp,
		Example: "  engine ledger reset ES0031000000000001BJ0F\n  engine ledger reset --all --series PT15M --from 2026-01 --to 2026-03",
	}
	f := cmd.Flags()
	f.BoolVar(&c.all, "all", false, "of every supply")
	f.StringSliceVar(&c.series, "series", nil, "only these `series`: PT1H, PT15M, power, reactive (default all)")
	f.StringVar(&c.from, "from", "", "first `month`, YYYY-MM (default all)")
	f.StringVar(&c.to, "to", "", "last `month`, YYYY-MM (default all)")
	c.output = a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) }
	return cmd
}

func (c *ledgerReset) run(ctx context.Context, args []string) error {
	if c.all == (len(args) > 0) {
		return wrongUsage(errors.New("name the supplies to reset, or give --all"))
	}
	series, window, err := c.chosen()
	if err != nil {
		return wrongUsage(err)
	}
	return c.app.changeLedger(ctx, func(l *ledger.Ledger) error {
		supplies, chunks := 0, 0
		reset := func(cups sdk.CUPS) error {
			n, err := l.Reset(ctx, cups, series, window)
			if n > 0 {
				supplies, chunks = supplies+1, chunks+n
			}
			return err
		}
		chosen, err := cupsOf(args), error(nil)
		if c.all {
			chosen, err = l.Known(ctx)
		}
		for _, cups := range chosen {
			err = errors.Join(err, reset(cups))
		}
		return errors.Join(printOne(c.output, map[string]int{"supplies": supplies, "chunks": chunks}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s chunks of %s supplies reset\n", grouped(int64(chunks)), grouped(int64(supplies)))
			return err
		}), err)
	})
}

// chosen is what the flags choose.
func (c *ledgerReset) chosen() ([]sdk.Series, ledger.Window, error) {
	series := seriesOf(c.series)
	for i, s := range series {
		if s == (sdk.Series{}) {
			return nil, ledger.Window{}, fmt.Errorf("--series %s is none of PT1H, PT15M, power, reactive", c.series[i])
		}
	}
	window := ledger.Window{To: sdk.NewMonth(9999, 12)}
	for _, end := range []struct {
		flag, text string
		month      *sdk.Month
	}{{"--from", c.from, &window.From}, {"--to", c.to, &window.To}} {
		if end.text == "" {
			continue
		}
		var err error
		if *end.month, err = sdk.ParseMonth(end.text); err != nil {
			return nil, window, fmt.Errorf("%s: %w", end.flag, err)
		}
	}
	if window.From > window.To {
		return nil, window, fmt.Errorf("--from %s is after --to %s", window.From, window.To)
	}
	return series, window, nil
}
