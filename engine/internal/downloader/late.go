package downloader

import (
	"context"
	"errors"
	"fmt"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/sdk"
)

// late serves the sources that lack chunks which others have, from the raw
// copies. It returns the chunks of which no copy can be had: those are asked of
// Datadis again.
func (t *task) late(ctx context.Context) (again map[ledger.Key]bool, err error) {
	again = make(map[ledger.Key]bool)
	for _, key := range ledger.Undelivered(t.book, t.device.Sources()) {
		served, err := t.serve(ctx, key)
		if err != nil {
			return nil, err
		}
		if !served && ledger.WindowAt(t.Now(), 0).Contains(key.Month) {
			again[key] = true
		}
	}
	return again, nil
}

// serve publishes one chunk from its raw copy. It reports false if there is
// none, or if it does not hold what the ledger says.
func (t *task) serve(ctx context.Context, key ledger.Key) (served bool, err error) {
	ctx, span := t.trace(ctx, ledger.Ask{Series: key.Series, From: key.Month, To: key.Month})
	defer func() { span.End(err) }()
	cell, _ := t.book.Cell(key)
	chunk, err := t.open(ctx, key, cell)
	if err != nil || chunk == nil {
		return false, err
	}
	var out []*sdk.Chunk
	for _, source := range t.device.Sources() {
		if t.book.Delivered(key, source) < cell.Revision {
			out = append(out, t.addressed(chunk, source, cell.Revision))
		}
	}
	if err := t.Outlet.Chunks(ctx, out); err != nil {
		return false, fmt.Errorf("publish from the raw copy: %w", err)
	}
	t.count(out, FromRaw)
	t.counts.Count(job.FromRaw, int64(len(out)))
	for _, c := range out {
		if err := t.book.Deliver(ctx, c.Source, ledger.Delivery{Key: key, Revision: cell.Revision}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// open decodes a chunk from its raw copy; nil if it cannot be had.
func (t *task) open(ctx context.Context, key ledger.Key, cell ledger.Cell) (*sdk.Chunk, error) {
	if cell.Raw == nil || t.Copies == nil {
		return nil, nil
	}
	copy, err := t.copyAt(ctx, *cell.Raw)
	if errors.Is(err, ErrGone) {
		t.log.Info("raw copy gone; Datadis is asked", "chunk", key)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open a raw copy: %w", err)
	}
	chunks, _, err := datadis.Decode(copy.Answer.Body, copy.Query.Shape())
	if err != nil {
		t.log.Warn("raw copy unreadable; Datadis is asked", "chunk", key, "error", err)
		return nil, nil
	}
	for _, c := range chunks {
		if c.Month == key.Month && c.Hash == cell.Hash {
			c.FetchedAt = copy.Answer.ReceivedAt
			return c, nil
		}
	}
	t.log.Warn("raw copy holds other content than the ledger; Datadis is asked", "chunk", key)
	return nil, nil
}
