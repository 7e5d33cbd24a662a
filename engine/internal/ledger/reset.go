package ledger

import (
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
	chosen := func(k Key) bool {
		return (len(series) == 0 || slices.Contains(series, k.Series)) && (w == Window{} || w.Contains(k.Month))
	}
	for field, value := range fields {
		if q, ok := parseQuery(field); ok {
			if _, err := decodeAttempt(value); err != nil {
				del = append(del, q.field())
			}
		}
		chunk, ok := parseKey(field)
		if !ok || !chosen(chunk) {
			continue
		}
		n++
		if cell, err := decodeCell(value); err == nil && cell.Revision > 0 {
			set[field] = Cell{Tries: l.config.Tries, Revision: cell.Revision}.encode()
		} else {
			del = append(del, field)
		}
	}
	if err := l.store.Put(ctx, key, set, del...); err != nil {
		return 0, fmt.Errorf("reset the ledger of %s: %w", cups.Masked(), err)
	}
	return n, nil
}
