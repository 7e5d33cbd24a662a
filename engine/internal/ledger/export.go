package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// ErrUnreadable says that some books could not be read. All others were
// visited; [Ledger.Reset] mends one.
var ErrUnreadable = errors.New("part of the ledger cannot be read")

// Each calls visit for the book of every CUPS, in no order. A book that cannot
// be read does not hide the others: it is reported at the end.
func (l *Ledger) Each(ctx context.Context, visit func(*Book) error) error {
	unreadable, first := 0, error(nil)
	err := l.store.Keys(ctx, keyPrefix, func(key string) error {
		book, err := l.Open(ctx, sdk.CUPS(strings.TrimPrefix(key, keyPrefix)))
		switch {
		case err == nil:
			return visit(book)
		case ctx.Err() != nil:
			return err
		}
		if unreadable++; first == nil {
			first = err
		}
		return nil
	})
	if err == nil && unreadable > 0 {
		return fmt.Errorf("%w: %d CUPS, the first: %w", ErrUnreadable, unreadable, first)
	}
	return err
}

// Known lists the CUPS that the ledger has a book of, in order. It reads their
// names alone.
func (l *Ledger) Known(ctx context.Context) ([]sdk.CUPS, error) {
	var known []sdk.CUPS
	err := l.store.Keys(ctx, keyPrefix, func(key string) error {
		known = append(known, sdk.CUPS(strings.TrimPrefix(key, keyPrefix)))
		return nil
	})
	slices.Sort(known)
	return known, err
}

// Export writes the books of the given CUPS, or of all, as lines of JSON: a
// View per chunk, then a QueryView per query of the last day.
func (l *Ledger) Export(ctx context.Context, w io.Writer, cups ...sdk.CUPS) error {
	buffer := bufio.NewWriter(w)
	err := l.export(ctx, buffer, cups)
	return errors.Join(err, buffer.Flush())
}

func (l *Ledger) export(ctx context.Context, w io.Writer, cups []sdk.CUPS) error {
	lines := json.NewEncoder(w)
	write := func(b *Book) error {
		for _, v := range b.Views() {
			if err := lines.Encode(v); err != nil {
				return fmt.Errorf("export the ledger: %w", err)
			}
		}
		for _, v := range b.QueryViews() {
			if err := lines.Encode(v); err != nil {
				return fmt.Errorf("export the ledger: %w", err)
			}
		}
		return nil
	}
	if len(cups) == 0 {
		return l.Each(ctx, write)
	}
	for _, c := range cups {
		book, err := l.Open(ctx, c)
		if err != nil {
			return err
		}
		if err := write(book); err != nil {
			return err
		}
	}
	return nil
}
