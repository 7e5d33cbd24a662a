package ledger

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/datadis-engine/datadis/sdk"
)

// Reset makes chunks of a CUPS as if they had never been asked for, and returns
// how many: those of the given series, or of all, in the window, or ever for the
// zero Window. Their revisions go on counting, since readers drop a lower one.
// What Datadis was asked within the last day stays, as it would refuse to
// answer. Entries that cannot be read are removed. No run may be working on the
// CUPS.
func (l *Ledger) Reset(ctx context.Context, cups sdk.CUPS, series []sdk.Series, w Window) (int, error) {
	key, err := storeKey(cups)
	if err != nil {
		return 0, err
	}
	fields, err := l.store.Get(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("reset the ledger of %s: %w", cups.Masked(), err)
	}
	n, set, del := 0, make(map[string][]byte), []string(nil)
	for field, value := range fields {
		kept := value
		if k, ok := parseKey(field); ok && chosen(k, series, w) {
			n++
			kept = l.resetCell(value)
		} else if _, ok := parseQuery(field); ok {
			kept = readableAttempt(value)
		}
		switch {
		case kept == nil:
			del = append(del, field)
		case !bytes.Equal(kept, value):
			set[field] = kept
		}
	}
	if err := l.store.Put(ctx, key, set, del...); err != nil {
		return 0, fmt.Errorf("reset the ledger of %s: %w", cups.Masked(), err)
	}
	return n, nil
}

// chosen tells whether a chunk is among those to reset.
func chosen(k Key, series []sdk.Series, w Window) bool {
	return (len(series) == 0 || slices.Contains(series, k.Series)) && (w == Window{} || w.Contains(k.Month))
}

// resetCell is what is left of a stored cell; nil if that is nothing.
func (l *Ledger) resetCell(value []byte) []byte {
	cell, err := decodeCell(value)
	if err != nil || cell.Revision == 0 {
		return nil
	}
	return Cell{Tries: l.config.Tries, Revision: cell.Revision}.encode()
}

// readableAttempt is the stored query as it is; nil if it cannot be read.
func readableAttempt(value []byte) []byte {
	if _, err := decodeAttempt(value); err != nil {
		return nil
	}
	return value
}
