package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/pin"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func newPluginsInspectCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect NAME",
		Short: "Show everything about a plugin or an instance: options, example configuration, build, permissions",
		Long: `Show what a plugin says about itself, its options with an example, what its
process is allowed, and its SHA-256 beside that of the lock file. NAME is a
plugin's, or an instance's.

--schema prints the JSON Schema of the configuration file alone: the plugin's
options and the engine's own key "plugin". An editor completes the file with it.`,
		Example: `  engine plugins inspect parquet
  engine plugins inspect north --output json
  engine plugins inspect file --schema > config_file.schema.json`,
		Args: cobra.ExactArgs(1),
	}
	p := a.outputFlag(cmd)
	schema := cmd.Flags().Bool("schema", false, "print the JSON Schema of the configuration file, and nothing else")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		config := a.hostConfig(s)
		instances, candidates := host.New(config).Survey(cmd.Context())
		d, err := findPlugin(args[0], config, instances, candidates)
		if err != nil {
			return err
		}
		if *schema {
			text, err := host.FileSchema(d.ConfigSchema)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%s\n", text)
			return err
		}
		return printOne(p, d, func(w io.Writer) error { return describePlugin(w, d) })
	}
	return cmd
}

// inspected is what `engine plugins inspect` shows.
type inspected struct {
	*plugin.Description
	Path          string          `json:"path"`
	Status        host.Status     `json:"status"`
	Reason        string          `json:"reason,omitempty"`
	Warnings      []string        `json:"warnings,omitempty"`
	SHA256        string          `json:"sha256"`
	Pinned        string          `json:"pinned,omitempty"` // the SHA-256 that the lock file has
	Instances     []string        `json:"instances"`
	ExampleConfig json.RawMessage `json:"example_config"`
	Environment   []string        `json:"environment"` // variables that it may see
	Secrets       []string        `json:"secrets"`     // options that it takes as secrets
	Limits        []string        `json:"limits"`      // of the process
}

func findPlugin(name string, config host.Config, instances []host.Instance, candidates []host.Candidate) (*inspected, error) {
	wanted, limits := name, config.Limits
	users := []string{}
	for _, in := range instances {
		if in.Name == name {
			wanted, limits = in.Plugin, in.LimitsOver(config.Limits)
		}
	}
	for _, in := range instances {
		if in.Plugin == wanted {
			users = append(users, in.Name)
		}
	}
	for _, c := range candidates {
		if c.Name != wanted || c.Status == host.Shadowed {
			continue
		}
		if c.Description == nil {
			return nil, fmt.Errorf("plugin %s (%s) is %s: %s", wanted, c.Path, c.Status, c.Reason)
		}
		d := &inspected{
			Description: c.Description, Path: c.Path, Status: c.Status, Reason: c.Reason, Warnings: c.Warnings,
			Instances: users, Environment: pluginEnvironment, Limits: limits.List(), Secrets: []string{},
		}
		return d, d.complete(c.Name, config.Lock)
	}
	return nil, fmt.Errorf("there is no plugin or instance %q; `engine plugins list` shows what there is", name)
}

// complete adds what is read from files and from the schema.
func (d *inspected) complete(name, lockFile string) error {
	lock, err := pin.LoadOrNew(lockFile)
	if err != nil {
		return err
	}
	if pinned, ok := lock.Find(name); ok {
		d.Pinned = pinned.SHA256
	}
	if d.SHA256, _, err = pin.Sum(d.Path); err != nil {
		return err
	}
	options, err := plugin.Options(d.ConfigSchema)
	if err != nil {
		return err
	}
	for _, option := range options {
		if option.Secret {
			d.Secrets = append(d.Secrets, option.Key)
		}
	}
	d.ExampleConfig, err = plugin.Example(d.ConfigSchema)
	return err
}

// pinning says how the binary compares with the lock file.
func (d *inspected) pinning() string {
	switch d.Pinned {
	case "":
		return "not in the lock file"
	case d.SHA256:
		return "as the lock file says"
	default:
		return "another than the lock file says: " + d.Pinned
	}
}

func describePlugin(w io.Writer, d *inspected) error {
	fmt.Fprintf(w, "%s %s: %s\n", d.Name, d.Version, d.Summary)
	for _, line := range [][2]string{
		{"kinds", joinKinds(d.Kinds)}, {"path", d.Path}, {"instances", strings.Join(d.Instances, ", ")},
		{"protocol", fmt.Sprint(d.Protocol)}, {"license", d.License}, {"homepage", d.Homepage},
		{"sdk", strings.TrimSpace(d.SDK.Language + " " + d.SDK.Version)}, {"built from", d.Build.Revision},
		{"status", strings.TrimSuffix(string(d.Status)+", "+d.Reason, ", ")}, {"warnings", strings.Join(d.Warnings, "; ")},
		{"sha256", d.SHA256}, {"pinned", d.pinning()},
		{"sees of the environment", strings.Join(d.Environment, ", ")}, {"takes as secrets", strings.Join(d.Secrets, ", ")},
		{"limits", strings.Join(d.Limits, ", ")},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "  %-24s %s\n", line[0], line[1])
		}
	}
	if d.Description.Description != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(d.Description.Description))
	}
	options, err := plugin.Options(d.ConfigSchema)
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	err = printList(&printer{out: w}, options,
		column[plugin.Option]{"OPTION", func(o plugin.Option) string { return o.Key }},
		column[plugin.Option]{"TYPE", func(o plugin.Option) string { return o.Type }},
		column[plugin.Option]{"REQUIRED", func(o plugin.Option) string { return map[bool]string{true: "yes"}[o.Required] }},
		column[plugin.Option]{"DEFAULT", func(o plugin.Option) string { return o.Default }},
		column[plugin.Option]{"MEANING", func(o plugin.Option) string { return o.Description }})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nexample configuration, config_%s.json:\n\n%s\n", d.Name, d.ExampleConfig)
	return err
}
