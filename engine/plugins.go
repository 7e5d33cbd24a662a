package main

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/logging"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

const pluginsHelp = `Plugins are binaries named datadis-plugin-<name>, found in plugins.paths. Each
file config_<name>.json in plugins.config_dir is an instance of one: its source
or its harmonizer of that name.`

func newPluginsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "plugins", Short: "Look at the plugins and their configuration", Long: pluginsHelp}
	cmd.AddCommand(newPluginsConformanceCommand(a), newPluginsInspectCommand(a), newPluginsInstallCommand(a),
		newPluginsListCommand(a), newPluginsLockCommand(a), newPluginsLogsCommand(a), newPluginsNewCommand(a),
		newPluginsValidateCommand(a), newPluginsVerifyCommand(a))
	return cmd
}

// hostConfig says where the plugins are.
func (a *app) hostConfig(s *settings.Settings, extra ...host.Instance) host.Config {
	kept := a.logOptions(s)
	kept.Format = logging.JSON
	l := s.Plugins.Limits
	return host.Config{
		Paths: s.Plugins.Paths, ConfigDir: s.Plugins.ConfigDir, Extra: extra,
		Lock: s.Plugins.Lock, Locked: s.Plugins.Locked,
		Limits:   host.Limits{Memory: l.Memory, AddressSpace: l.AddressSpace, OpenFiles: l.OpenFiles, CPUs: l.CPUs, Nice: l.Nice},
		StateDir: pluginStateDir(s), NewLogger: func(w io.Writer) *slog.Logger { return logging.New(w, kept) },
		Environment: pluginEnvironment, LookupEnv: a.lookupEnv, Logger: a.logger(s),
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(traced)},
	}
}

// pluginStateDir is where plugins' logs and states are kept.
func pluginStateDir(s *settings.Settings) string { return filepath.Join(s.DataDir, "plugins") }

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
	Running  *host.State   `json:"running,omitempty"` // where an engine runs it now
}

func newPluginsListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List instances, plugins, and files that are none, with the reason",
		Long: `List the configured instances, then the plugins without an instance and the
files in the plugin folders that are not used, each with the reason. A plugin
with a manifest beside it is not started; others are asked what they are, for
at most 10 seconds, with an empty environment. With plugins.locked none is.

An instance that an engine with the same data_dir runs now shows how it does:
ok, unhealthy, restarting or crash-loop. A reason beside "ok" is a warning:
plugins.locked would refuse the plugin.`,
		Example: "  engine plugins list\n  engine plugins list --locked\n  engine plugins list --output json",
		Args:    cobra.NoArgs,
	}
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		h := host.New(a.hostConfig(s))
		instances, candidates := h.Survey(cmd.Context())
		return printList(p, pluginRows(instances, candidates, h.States()), pluginColumns...)
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
func pluginRows(instances []host.Instance, candidates []host.Candidate, states []host.State) []pluginRow {
	var rows []pluginRow
	used := make(map[string]bool)
	for _, in := range instances {
		used[in.Plugin] = true
		row := pluginRow{
			Instance: in.Name, Plugin: in.Plugin, Kinds: in.Kinds, Status: in.Status, Reason: in.Reason, File: in.File, Path: in.Path(),
		}
		if row.Status == host.OK {
			row.Reason = strings.Join(in.Warnings(), "; ")
		}
		row.running(states)
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
		if used[c.Name] && c.Status != host.Shadowed {
			continue // the instances say how it is
		}
		if c.Status == host.OK {
			row.Status, row.Reason = host.NotConfigured, "no config_<name>.json names it"
			if len(c.Warnings) > 0 {
				row.Reason += "; " + strings.Join(c.Warnings, "; ")
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// running adds what an engine that runs the instance says of it.
func (r *pluginRow) running(states []host.State) {
	for _, state := range states {
		if state.Instance != r.Instance || r.Running != nil && state.Status == host.OK {
			continue
		}
		r.Running = &state
		if r.Status == host.OK && state.Status != host.OK {
			r.Status, r.Reason = state.Status, state.Reason
		}
	}
}
