package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/pin"
)

func newPluginsVerifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [NAME...]",
		Short: "Check the plugins against the lock file, their manifests, and who may change them",
		Long: `Check every plugin, or the named ones, as a locked engine would: its SHA-256 is
that of the lock file, its manifest says what the binary itself says, and nobody
but root and this user may exchange it. Only binaries that the lock file has are
started, without a configuration.

Exit codes: 0 all is well, 1 something is not, 2 there is no lock file, or the
configuration is wrong.`,
		Example: "  engine plugins verify\n  engine plugins verify parquet --output json",
	}
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		if _, err := pin.Load(s.Plugins.Lock); err != nil {
			return wrongUsage(fmt.Errorf("%w; `engine plugins lock` writes it", err))
		}
		config := a.hostConfig(s)
		config.Locked = true
		rows, err := verifyPlugins(cmd.Context(), host.New(config), args)
		if err != nil {
			return err
		}
		if err := printList(p, rows, verifyColumns...); err != nil {
			return err
		}
		return failedRows(rows)
	}
	return cmd
}

// verifyRow is a line of `engine plugins verify`.
type verifyRow struct {
	Plugin  string      `json:"plugin"`
	Version string      `json:"version"`
	Status  host.Status `json:"status"`
	Reason  string      `json:"reason"`
	Path    string      `json:"path"`
}

var verifyColumns = []column[verifyRow]{
	{"PLUGIN", func(r verifyRow) string { return r.Plugin }},
	{"VERSION", func(r verifyRow) string { return r.Version }},
	{"STATUS", func(r verifyRow) string { return string(r.Status) }},
	{"REASON", func(r verifyRow) string { return r.Reason }},
	{"PATH", func(r verifyRow) string { return r.Path }},
}

// atOnce is how many plugins are started at the same time by commands that
// start all of them.
const atOnce = 8

func verifyPlugins(ctx context.Context, h *host.Host, names []string) ([]verifyRow, error) {
	var chosen []host.Candidate
	for _, c := range h.Candidates(ctx) {
		if c.Name != "" && c.Status != host.Shadowed {
			chosen = append(chosen, c)
		}
	}
	chosen, err := chooseNamed(chosen, names, func(c host.Candidate) string { return c.Name })
	if err != nil {
		return nil, err
	}
	rows := make([]verifyRow, len(chosen))
	bounded(len(chosen), func(i int) {
		c := chosen[i]
		rows[i] = verifyRow{Plugin: c.Name, Status: c.Status, Reason: c.Reason, Path: c.Path}
		if c.Description != nil {
			rows[i].Version = c.Description.Version
		}
		if c.Status != host.OK {
			return
		}
		if err := h.Verify(ctx, c); err != nil {
			rows[i].Status, rows[i].Reason = host.Failed, err.Error()
		}
	})
	return rows, nil
}

// bounded does something n times, a few at the same time.
func bounded(n int, do func(i int)) {
	var all sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i := range n {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			do(i)
		})
	}
	all.Wait()
}

// chooseNamed keeps what was asked for by name; nothing asked for is all.
func chooseNamed[T any](all []T, names []string, nameOf func(T) string) ([]T, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []T
	var missing []error
	for _, name := range names {
		found := false
		for _, one := range all {
			if nameOf(one) == name {
				chosen, found = append(chosen, one), true
			}
		}
		if !found {
			missing = append(missing, fmt.Errorf("there is no %q; `engine plugins list` shows what there is", name))
		}
	}
	return chosen, wrongUsage(errors.Join(missing...))
}

// failedRows is the error of a list in which something is not well.
func failedRows(rows []verifyRow) error {
	failed := 0
	for _, row := range rows {
		if row.Status != host.OK {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d plugins cannot be trusted as they are", failed, len(rows))
}
