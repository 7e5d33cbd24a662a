package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/sdk/conformance"
)

func newPluginsConformanceCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conformance PATH",
		Short: "Try a plugin's binary against every promise of the protocol",
		Long: `Start the binary at PATH as the engine does, hand over what occurs in production,
and say which promises of the protocol it breaks, each by a code that
docs/plugins/reference.md explains. The plugin may be written in any language.

The configuration is made of the required keys and the examples of the plugin's
schema, or read from --config. The plugin works in folders that go away; what its
configuration names elsewhere, such as a database, it writes to for real.`,
		Example: `  engine plugins conformance bin/plugins/datadis-plugin-parquet
  engine plugins conformance ./datadis-plugin-acme --config config_acme.json --junit report.xml`,
		Args: cobra.ExactArgs(1),
	}
	p := a.outputFlag(cmd)
	options := conformance.Options{LookupEnv: a.lookupEnv, CheckSchema: checkConfigSchema}
	junit := ""
	cmd.Flags().StringVar(&options.Config, "config", "", "configuration `file` of the instance that is tried")
	cmd.Flags().StringVar(&junit, "junit", "", "also write the report to this `file`, as JUnit XML")
	cmd.Flags().DurationVar(&options.Timing.Call, "call-timeout", 30*time.Second, "`time` that a call may take")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report, err := conformance.Run(cmd.Context(), args[0], options)
		if err != nil {
			return err
		}
		if junit != "" {
			if err := writeFile(junit, report.WriteJUnit); err != nil {
				return err
			}
		}
		if err := printOne(p, report, report.WriteTable); err != nil {
			return err
		}
		if !report.Passed {
			return fmt.Errorf("%s breaks promises of the protocol: %d findings", args[0], len(report.Findings))
		}
		return nil
	}
	return cmd
}

// checkConfigSchema tells whether a plugin's schema is one that the engine can
// check configurations with.
func checkConfigSchema(text []byte) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", document); err != nil {
		return err
	}
	_, err = c.Compile("schema.json")
	return err
}

// writeFile makes a file of what write writes.
func writeFile(path string, write func(io.Writer) error) error {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return err
	}
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
