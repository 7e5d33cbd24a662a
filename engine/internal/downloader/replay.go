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

// Replayed is what came of replaying a supply.
type Replayed struct {
	Chunks    int // published, for each source
	Readings  int
	Corrected int // chunks among them that are read otherwise than they were
	Gone      int // chunks whose raw copy is not kept any more, or cannot be read
	Shrunk    int // chunks that would be read with fewer hours than are known: not published
}

// Add adds what came of another supply.
func (r *Replayed) Add(other Replayed) {
	r.Chunks += other.Chunks
	r.Readings += other.Readings
	r.Corrected += other.Corrected
	r.Gone += other.Gone
	r.Shrunk += other.Shrunk
}

// Replay publishes what is known of a supply for some sources once more, from
// the raw copies, as it is decoded now. Datadis is not asked. It fails with
// ErrBusy if a run works on the supply.
func (d *Downloader) Replay(ctx context.Context, cups sdk.CUPS, sources []string, from sdk.Month) (Replayed, error) {
	held, release, err := d.Holds.Take(ctx, cups)
	if err != nil {
		return Replayed{}, err
	}
	defer release()
	r := &replay{
		task: &task{Downloader: d, cups: cups, device: job.Device{Accesses: []job.Access{{CUPS: cups, Sources: sources}}},
			log: d.Logger.With("phase", "replay", "cups", cups)},
		opened: make(map[ledger.Location][]*sdk.Chunk),
	}
	if r.book, err = d.Ledger.Open(held, cups); err != nil {
		return Replayed{}, err
	}
	for _, key := range r.book.Keys() {
		if key.Month < from {
			continue
		}
		if err := r.chunk(held, key); err != nil {
			return r.done, err
		}
	}
	return r.done, nil
}

// replay of one supply.
type replay struct {
	*task
	done   Replayed
	opened map[ledger.Location][]*sdk.Chunk // an answer of many months is decoded once
}

// chunk publishes one chunk.
func (r *replay) chunk(ctx context.Context, key ledger.Key) error {
	cell, _ := r.book.Cell(key)
	if !cell.HasContent() {
		return nil
	}
	chunk, err := r.read(ctx, key, cell)
	if err != nil {
		return err
	}
	if chunk == nil {
		r.done.Gone++
		return nil
	}
	verdict, revision := cell.Compare(chunk.Covered(), chunk.Hash)
	if verdict == ledger.Shrunk {
		r.done.Shrunk++
		r.log.Warn("decoded now, it covers fewer hours than are known; not published", "chunk", key)
		return nil
	}
	out := make([]*sdk.Chunk, 0, len(r.device.Sources()))
	for _, source := range r.device.Sources() {
		out = append(out, r.addressed(chunk, source, revision))
	}
	if err := r.Outlet.Chunks(ctx, out); err != nil {
		return fmt.Errorf("publish from the raw copy: %w", err)
	}
	r.done.Chunks += len(out)
	r.done.Readings += len(out) * chunk.Len()
	if verdict == ledger.Changed {
		r.done.Corrected++
		return r.book.Correct(ctx, ledger.Answer{Key: key, Covered: chunk.Covered(), Hash: chunk.Hash, Delivered: r.device.Sources()})
	}
	for _, source := range r.device.Sources() {
		if err := r.book.Deliver(ctx, source, ledger.Delivery{Key: key, Revision: revision}); err != nil {
			return err
		}
	}
	return nil
}

// read decodes the chunk from its raw copy; nil if that cannot be had.
func (r *replay) read(ctx context.Context, key ledger.Key, cell ledger.Cell) (*sdk.Chunk, error) {
	if cell.Raw == nil || r.Copies == nil {
		return nil, nil
	}
	chunks, known := r.opened[*cell.Raw]
	if !known {
		copy, err := r.copyAt(ctx, *cell.Raw)
		switch {
		case errors.Is(err, ErrGone):
		case err != nil:
			return nil, fmt.Errorf("open a raw copy: %w", err)
		default:
			if chunks, _, err = datadis.Decode(copy.Answer.Body, copy.Query.Shape()); err != nil {
				r.log.Warn("raw copy unreadable", "chunk", key, "error", err)
			}
			for _, c := range chunks {
				c.FetchedAt = copy.Answer.ReceivedAt
			}
		}
		r.opened[*cell.Raw] = chunks
	}
	for _, c := range chunks {
		if c.Month == key.Month && c.Series == key.Series && c.Len() > 0 {
			return c, nil
		}
	}
	return nil, nil
}
