package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

const pluginsHelp = `Plugins are binaries named datadis-plugin-<name>, found in plugins.paths. Each
file config_<name>.json in plugins.config_dir is an instance of one: its source
or its harmonizer of that name.`

func newPluginsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "plugins", Short: "Look at the plugins and their configuration", Long: pluginsHelp}
	cmd.AddCommand(newPluginsListCommand(a), newPluginsInspectCommand(a), newPluginsConformanceCommand(a), newPluginsNewCommand(a))
	return cmd
}

// hostConfig says where the plugins are.
func (a *app) hostConfig(s *settings.Settings, extra ...host.Instance) host.Config {
	return host.Config{
		Paths: s.Plugins.Paths, ConfigDir: s.Plugins.ConfigDir, Extra: extra, Locked: s.Plugins.Locked,
		Environment: pluginEnvironment, LookupEnv: a.lookupEnv, Logger: a.logger(s),
	}
}

// pluginEnvironment is what plugins see of the environment: what it takes to
// reach a database through a proxy, and no more.
var pluginEnvironment = []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ"}

// lookupEnv reads a variable of the environment that the engine was given.
func (a *app) lookupEnv(name string) (string, bool) {
	for _, entry := range a.environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// pluginRow is a line of `engine plugins list`.
type pluginRow struct {
	Instance string        `json:"instance"`
	Plugin   string        `json:"plugin"`
	Kinds    []plugin.Kind `json:"kinds"`
	Version  string        `json:"version"`
	Proto    int           `json:"proto"`
	Status   host.Status   `json:"status"`
	Reason   string        `json:"reason"`
	Path     string        `json:"path"`
	File     string        `json:"file,omitempty"`
}

func newPluginsListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List instances, plugins, and files that are none, with the reason",
		Long: `List the configured instances, then the plugins without an instance and the
files in the plugin folders that are not used, each with the reason. A plugin
with a manifest beside it is not started; others are asked what they are, for
at most 10 seconds, with an empty environment.`,
		Example: "  engine plugins list\n  engine plugins list --output json",
		Args:    cobra.NoArgs,
	}
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		instances, candidates := host.New(a.hostConfig(s)).Survey(cmd.Context())
		return printList(p, pluginRows(instances, candidates), pluginColumns...)
	}
	return cmd
}

var pluginColumns = []column[pluginRow]{
	{"INSTANCE", func(r pluginRow) string { return r.Instance }},
	{"PLUGIN", func(r pluginRow) string { return r.Plugin }},
	{"KINDS", func(r pluginRow) string { return joinKinds(r.Kinds) }},
	{"VERSION", func(r pluginRow) string { return r.Version }},
	{"PROTO", func(r pluginRow) string {
		if r.Proto == 0 {
			return ""
		}
		return fmt.Sprint(r.Proto)
	}},
	{"STATUS", func(r pluginRow) string { return string(r.Status) }},
	{"REASON", func(r pluginRow) string { return r.Reason }},
}

func joinKinds(kinds []plugin.Kind) string {
	texts := make([]string, len(kinds))
	for i, k := range kinds {
		texts[i] = string(k)
	}
	return strings.Join(texts, ",")
}

// pluginRows lists instances first, then what no instance uses.
func pluginRows(instances []host.Instance, candidates []host.Candidate) []pluginRow {
	var rows []pluginRow
	used := make(map[string]bool)
	for _, in := range instances {
		used[in.Plugin] = true
		row := pluginRow{Instance: in.Name, Plugin: in.Plugin, Kinds: in.Kinds, Status: in.Status, Reason: in.Reason, File: in.File}
		if d := in.Description(); d != nil {
			row.Version, row.Proto = d.Version, d.Protocol
		}
		rows = append(rows, row)
	}
	for _, c := range candidates {
		row := pluginRow{Plugin: c.Name, Status: c.Status, Reason: c.Reason, Path: c.Path}
		if row.Plugin == "" {
			row.Plugin = filepath.Base(c.Path)
		}
		if c.Description != nil {
			row.Kinds, row.Version, row.Proto = c.Description.Kinds, c.Description.Version, c.Description.Protocol
		}
		if c.Status == host.OK {
			if used[c.Name] {
				continue
			}
			row.Status, row.Reason = host.NotConfigured, "no config_<name>.json names it"
		}
		rows = append(rows, row)
	}
	return rows
}

func newPluginsInspectCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "inspect NAME",
		Short:   "Show everything about a plugin or an instance: options, example configuration, build",
		Example: "  engine plugins inspect parquet\n  engine plugins inspect north --output json",
		Args:    cobra.ExactArgs(1),
	}
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		instances, candidates := host.New(a.hostConfig(s)).Survey(cmd.Context())
		d, err := findPlugin(args[0], instances, candidates)
		if err != nil {
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
	Instances     []string        `json:"instances"`
	ExampleConfig json.RawMessage `json:"example_config"`
	Environment   []string        `json:"environment"` // variables that it may see
}

func findPlugin(name string, instances []host.Instance, candidates []host.Candidate) (*inspected, error) {
	wanted := name
	users := []string{}
	for _, in := range instances {
		if in.Name == name {
			wanted = in.Plugin
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
		example, err := plugin.Example(c.Description.ConfigSchema)
		if err != nil {
			return nil, err
		}
		return &inspected{c.Description, c.Path, users, example, pluginEnvironment}, nil
	}
	return nil, fmt.Errorf("there is no plugin or instance %q; `engine plugins list` shows what there is", name)
}

func describePlugin(w io.Writer, d *inspected) error {
	fmt.Fprintf(w, "%s %s: %s\n", d.Name, d.Version, d.Summary)
	for _, line := range [][2]string{
		{"kinds", joinKinds(d.Kinds)}, {"path", d.Path}, {"instances", strings.Join(d.Instances, ", ")},
		{"protocol", fmt.Sprint(d.Protocol)}, {"license", d.License}, {"homepage", d.Homepage},
		{"sdk", strings.TrimSpace(d.SDK.Language + " " + d.SDK.Version)}, {"built from", d.Build.Revision},
		{"sees of the environment", strings.Join(d.Environment, ", ")},
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
