package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/sdk"
)

func newLedgerCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "See what came and what is missing, per supply and month, and mend it"}
	cmd.AddCommand(newLedgerShowCommand(a), newLedgerExportCommand(a), newLedgerImportCommand(a), newLedgerResetCommand(a))
	return cmd
}

func newLedgerShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show [CUPS…]",
		Short:   "Show the ledger of some supplies, or of all: a line per chunk",
		Example: "  engine ledger show ES0031000000000001BJ0F\n  engine ledger show --output json",
	}
	p := a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.kept(func(kept store.Store) error {
			views, err := ledgerViews(cmd.Context(), ledger.New(kept, ledger.Config{}), args)
			return errors.Join(err, printList(p, views, ledgerColumns...))
		})
	}
	return cmd
}

// ledgerViews reads the chunks of the supplies that are named, or of all.
func ledgerViews(ctx context.Context, l *ledger.Ledger, cups []string) ([]ledger.View, error) {
	var views []ledger.View
	if len(cups) == 0 {
		err := l.Each(ctx, func(b *ledger.Book) error {
			views = append(views, b.Views()...)
			return nil
		})
		return views, err
	}
	for _, one := range cups {
		book, err := l.Open(ctx, sdk.CUPS(one))
		if err != nil {
			return nil, err
		}
		views = append(views, book.Views()...)
	}
	return views, nil
}

var ledgerColumns = []column[ledger.View]{
	{"CUPS", func(v ledger.View) string { return string(v.CUPS) }},
	{"SERIES", func(v ledger.View) string { return v.Series }},
	{"MONTH", func(v ledger.View) string { return v.Month.String() }},
	{"STATE", func(v ledger.View) string { return v.State.String() }},
	{"COVERED", func(v ledger.View) string { return fmt.Sprintf("%d/%d", v.Covered, v.Expected) }},
	{"TRIES LEFT", func(v ledger.View) string { return fmt.Sprint(v.Tries) }},
	{"ERROR", func(v ledger.View) string { return v.Class.String() }},
	{"LAST ATTEMPT", func(v ledger.View) string { return moment(v.LastAttempt) }},
	{"REVISION", func(v ledger.View) string { return fmt.Sprint(v.Revision) }},
	{"SOURCES", func(v ledger.View) string {
		var names []string
		for name, revision := range v.Sources {
			names = append(names, fmt.Sprintf("%s:%d", name, revision))
		}
		slices.Sort(names)
		return strings.Join(names, ",")
	}},
}
