package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/host"
)

func newPluginsValidateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [INSTANCE...]",
		Short: "Check the configuration of the instances; --deep starts each",
		Long: `Check the configuration of every instance, or of the named ones, against the
schema of its plugin. Nothing is started that has a manifest.

With --deep each instance is started for a moment: it must be what its manifest
says, accept its configuration, and have what it needs, such as its database. It
is given no work.

Exit codes: 0 all is well, 1 a plugin does not start, or misses something,
2 a configuration is wrong.`,
		Example: "  engine plugins validate\n  engine plugins validate north --deep",
	}
	p := a.outputFlag(cmd)
	deep := cmd.Flags().Bool("deep", false, "start each instance and ask how it is")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		h := host.New(a.hostConfig(s))
		instances, _ := h.Survey(cmd.Context())
		instances, err = chooseNamed(instances, args, func(in host.Instance) string { return in.Name })
		if err != nil {
			return err
		}
		rows := validateInstances(cmd.Context(), h, instances, *deep)
		if err := printList(p, rows, pluginColumns...); err != nil {
			return err
		}
		return invalidRows(rows)
	}
	return cmd
}

func validateInstances(ctx context.Context, h *host.Host, instances []host.Instance, deep bool) []pluginRow {
	rows := pluginRows(instances, nil, nil)
	if !deep {
		return rows
	}
	bounded(len(instances), func(i int) {
		if instances[i].Status != host.OK {
			return
		}
		var config *host.ConfigError
		var health *host.HealthError
		switch err := h.Try(ctx, instances[i]); {
		case err == nil:
		case errors.As(err, &config):
			rows[i].Status, rows[i].Reason = host.InvalidConfig, config.Error()
		case errors.As(err, &health):
			rows[i].Status, rows[i].Reason = host.Unhealthy, health.Error()
		case errors.As(err, new(*host.ProtocolError)):
			rows[i].Status, rows[i].Reason = host.Incompatible, err.Error()
		default:
			rows[i].Status, rows[i].Reason = host.Failed, err.Error()
		}
	})
	return rows
}

// invalidRows is the error of a list in which something is not well.
func invalidRows(rows []pluginRow) error {
	failed, wrong := 0, 0
	for _, row := range rows {
		switch row.Status { //nolint:exhaustive // the others are failures
		case host.OK, host.Disabled:
		case host.InvalidConfig, host.NoPlugin:
			wrong++
		default:
			failed++
		}
	}
	err := fmt.Errorf("%d of %d instances cannot work", failed+wrong, len(rows))
	switch {
	case wrong > 0:
		return wrongUsage(err)
	case failed > 0:
		return err
	}
	return nil
}
