package ledger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/datadis-engine/datadis/sdk"
)

// maxLine is the longest line that is read: a chunk with hundreds of sources.
const maxLine = 256 << 10

// Import reads what Export writes, and returns how many lines it took. A line
// replaces what is known of its chunk or query; all else stays. Consecutive
// lines of one CUPS are written together. The first line that is wrong ends it
// with an error that names the line; the CUPS before that one are imported, and
// importing all again does no harm. No run may be working on these CUPS.
func (l *Ledger) Import(ctx context.Context, r io.Reader) (int, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	in := importer{ledger: l}
	n, taken := 0, 0
	for lines.Scan() {
		n++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		if err := in.take(ctx, text); err != nil {
			return taken, fmt.Errorf("line %d: %w", n, err)
		}
		taken++
	}
	if err := lines.Err(); err != nil {
		return taken, fmt.Errorf("line %d: %w", n+1, err)
	}
	return taken, in.flush(ctx)
}

// importer collects the lines of one CUPS.
type importer struct {
	ledger *Ledger
	book   *Book // nil before the first line
	change *change
}

// take adds a line. With the first line of another CUPS, the one before is
// written.
func (in *importer) take(ctx context.Context, text []byte) error {
	var head struct {
		CUPS  sdk.CUPS  `json:"cups"`
		Query *QueryKey `json:"query"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("not a line of an export: %w", err)
	}
	if in.book == nil || in.book.cups != head.CUPS.Key() {
		if err := in.flush(ctx); err != nil {
			return err
		}
		book, err := in.ledger.Open(ctx, head.CUPS)
		if err != nil {
			return err
		}
		in.book, in.change = book, book.begin()
	}
	if head.Query != nil {
		return in.query(text)
	}
	return in.chunk(text)
}

func (in *importer) chunk(text []byte) error {
	var v View
	if err := strict(text, &v); err != nil {
		return err
	}
	key, cell, err := v.cell()
	if err != nil {
		return err
	}
	for _, source := range slices.Sorted(maps.Keys(v.Sources)) {
		if err := in.change.deliver(&cell, source, v.Sources[source]); err != nil {
			return err
		}
	}
	in.change.cells[key] = cell
	return nil
}

func (in *importer) query(text []byte) error {
	var v QueryView
	if err := strict(text, &v); err != nil {
		return err
	}
	if _, ok := parseQuery(v.Query.field()); !ok {
		return fmt.Errorf("%q is no key of a query", v.Query)
	}
	if !storable(v.At) {
		return errors.New("a query needs the time at which it was made, between 1970 and 2106")
	}
	a := Attempt{Outcome: v.Outcome, At: v.At, Count: v.Count}
	switch kept := v.Outcome == OutcomeKept; {
	case kept && (v.Raw == nil || v.Raw.Partition < 0 || v.Raw.Offset < 0):
		return errors.New("a query whose answer is kept needs raw, the partition and the offset where it lies")
	case kept:
		a.Raw = *v.Raw
	case v.Raw != nil:
		return errors.New("raw is for a query whose answer is kept")
	}
	in.change.queries[v.Query] = a
	return nil
}

// flush writes what was collected of a CUPS.
func (in *importer) flush(ctx context.Context) error {
	if in.book == nil {
		return nil
	}
	book, change := in.book, in.change
	in.book, in.change = nil, nil
	return book.commit(ctx, change)
}

// strict refuses fields that would be lost: most are misspelt.
func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("not a line of an export: %w", err)
	}
	return nil
}
