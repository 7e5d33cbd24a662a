package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/datadis-engine/datadis/sdk/conformance"
)

func (b *binary) version(_ []string, out, _ io.Writer) error {
	_, err := fmt.Fprintf(out, "%s %s (protocol %d)\n", b.description.Name, b.description.Version, ProtocolVersion)
	return err
}

// config prints the options in the form that is wanted.
func (b *binary) config(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("config", flag.ContinueOnError)
	flags.SetOutput(errs)
	format := flags.String("format", "table", "table, markdown, schema or example")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	options, err := Options(b.description.ConfigSchema)
	if err != nil {
		return err
	}
	switch *format {
	case "table":
		return WriteOptions(out, options)
	case "markdown":
		return WriteOptionsMarkdown(out, options)
	case "schema":
		var text bytes.Buffer
		if err := json.Indent(&text, b.description.ConfigSchema, "", "  "); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out, text.String())
		return err
	case "example":
		example, err := Example(b.description.ConfigSchema)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", example)
		return err
	}
	_, _ = fmt.Fprintf(errs, "%q is none of table, markdown, schema, example\n", *format)
	return errUsage
}

var errNotConforming = errors.New("it breaks promises of the protocol")

// conformance tries this very binary, from outside.
func (b *binary) conformance(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(errs)
	config := flags.String("config", "", "configuration `file` of the instance that is tried")
	format := flags.String("output", "table", "table or json")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) //nolint:contextcheck // a command is its own root
	defer stop()
	report, err := conformance.Run(ctx, path, conformance.Options{Config: *config})
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	if *format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.WriteTable(out)
	}
	if err == nil && !report.Passed {
		err = errNotConforming
	}
	return err
}
