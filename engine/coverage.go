package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/sdk"
)

const coverageHelp = `Show what is complete, per CUPS, series and month, as the ledger knows it. CUPS
are personal, and masked unless --clear is given or log.identifiers says clear.

As a table, each month is one character:
`

// coverageCommand is `engine coverage`.
type coverageCommand struct {
	app      *app
	cups     []string
	from, to string
	format   string
	clear    bool
	output   *printer
}

// The formats of a coverage.
var coverageFormats = []string{"table", "html", "csv", "json"}

func newCoverageCommand(a *app) *cobra.Command {
	c := &coverageCommand{app: a}
	cmd := &cobra.Command{
		Use:   "coverage",
		Short: "Show what is complete, per CUPS and month",
		Long:  coverageHelp + "  " + strings.ReplaceAll(coverage.Legend(), ", ", "\n  "),
		Example: "  engine coverage\n  engine coverage --cups ES0031000000000001BJ0F --from 2025-01\n" +
			"  engine coverage --format html > coverage.html",
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringSliceVar(&c.cups, "cups", nil, "only these `CUPS`, separated by commas")
	cmd.Flags().StringVar(&c.from, "from", "", "first `month` to show, YYYY-MM")
	cmd.Flags().StringVar(&c.to, "to", "", "last `month` to show, YYYY-MM")
	cmd.Flags().StringVar(&c.format, "format", "", "`format` of the result: table, html (a page of its own), csv (a line per month) or json")
	cmd.Flags().BoolVar(&c.clear, "clear", false, "show CUPS in full (as log.identifiers: clear)")
	c.output = a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.run(cmd) }
	return cmd
}

func (c *coverageCommand) run(cmd *cobra.Command) error {
	s, err := c.app.settings()
	if err != nil {
		return err
	}
	request, err := c.request()
	if err != nil {
		return err
	}
	request.Clear = c.clear || s.Log.Identifiers == "clear"
	return c.app.ask(cmd.Context(), s, false, func(who answers) error {
		report, err := who.Coverage(cmd.Context(), request)
		if err != nil {
			return err
		}
		if err := c.print(report); err != nil {
			return err
		}
		if n := len(report.Problems); n > 0 {
			return fmt.Errorf("the ledger of %d supplies cannot be read, the first: %s", n, report.Problems[0])
		}
		return nil
	})
}

// request is what the flags ask for.
func (c *coverageCommand) request() (coverage.Request, error) {
	var r coverage.Request
	if c.format == "" {
		c.format = c.output.format
	}
	known := false
	for _, format := range coverageFormats {
		known = known || format == c.format
	}
	if !known {
		return r, wrongUsage(fmt.Errorf("--format: %q is none of %s", c.format, strings.Join(coverageFormats, ", ")))
	}
	for _, end := range []struct {
		flag, text string
		month      *sdk.Month
	}{{"--from", c.from, &r.From}, {"--to", c.to, &r.To}} {
		if end.text == "" {
			continue
		}
		month, err := sdk.ParseMonth(end.text)
		if err != nil {
			return r, wrongUsage(fmt.Errorf("%s: %w", end.flag, err))
		}
		*end.month = month
	}
	if r.From > 0 && r.To > 0 && r.From > r.To {
		return r, wrongUsage(fmt.Errorf("--from %s is after --to %s", r.From, r.To))
	}
	for _, one := range c.cups {
		r.CUPS = append(r.CUPS, sdk.CUPS(strings.TrimSpace(one)))
	}
	return r, nil
}

func (c *coverageCommand) print(report coverage.Report) error {
	switch c.format {
	case "html":
		return coverage.HTML(c.app.stdout, report)
	case "csv":
		return coverage.CSV(c.app.stdout, report)
	case "json":
		return c.output.json(report)
	default:
		return writeCoverage(c.app.stdout, report)
	}
}

// writeCoverage prints the report for people.
func writeCoverage(w io.Writer, report coverage.Report) error {
	if len(report.Rows) == 0 {
		_, err := fmt.Fprintln(w, "the ledger knows nothing of that yet")
		return err
	}
	columns := []column[coverage.Row]{
		{"CUPS", func(r coverage.Row) string { return r.CUPS }},
		{"SERIES", func(r coverage.Row) string { return r.Series }},
		{"COMPLETE", func(r coverage.Row) string { return fmt.Sprintf("%d of %d months", r.Complete, r.Known) }},
		{"CAME", func(r coverage.Row) string { return fmt.Sprintf("%d %%", r.Percent()) }},
		{strings.ToUpper(report.Span()), coverage.Row.Strip},
	}
	if err := printList(&printer{out: w}, report.Rows, columns...); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d supplies. %s\n", report.Shown, coverage.Legend())
	return err
}
