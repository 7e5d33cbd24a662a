package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/sdk"
)

const ledgerExportHelp = `Write the ledger of some supplies, or of all, as lines of JSON to standard
output or a file: a line per chunk, and one per query of the last day. It is
what ` + "`engine ledger import`" + ` reads. It holds whole CUPS: personal data.`

func newLedgerExportCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "export [CUPS…]",
		Short:   "Write the ledger as lines of JSON",
		Long:    ledgerExportHelp,
		Example: "  engine ledger export > ledger.ndjson\n  engine ledger export --file ledger.ndjson ES0031000000000001BJ0F",
	}
	file := cmd.Flags().String("file", "", "`file` to write, readable by its owner only")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.kept(func(kept store.Store) error {
			write := func(w io.Writer) error {
				return ledger.New(kept, ledger.Config{}).Export(cmd.Context(), w, cupsOf(args)...)
			}
			if *file == "" {
				return write(a.stdout)
			}
			return replaceFile(*file, write)
		})
	}
	return cmd
}

func cupsOf(args []string) []sdk.CUPS {
	cups := make([]sdk.CUPS, len(args))
	for i, one := range args {
		cups[i] = sdk.CUPS(one)
	}
	return cups
}

// replaceFile writes a file beside its place, and puts it there once it is
// whole: what cannot be written leaves the one that was there.
func replaceFile(path string, write func(io.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = errors.Join(write(file), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(file.Name()))
	}
	return nil
}
