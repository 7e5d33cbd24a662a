package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/datadis-engine/datadis/sdk"
)

// harmonizer writes each chunk into files of its own. It keeps nothing between
// two calls that it could not read from the folder again.
type harmonizer struct {
	config   Config
	root     string
	disk     disk
	encoders []encoder // one for each worker
	supplies supplyEncoder
}

// newHarmonizer makes the folder ready.
func newHarmonizer(ctx context.Context, in sdk.Instance, config Config) (*harmonizer, error) {
	h := &harmonizer{config: config, root: config.dir(in), disk: osDisk(), encoders: make([]encoder, workers)}
	if err := os.MkdirAll(h.root, 0o755); err != nil {
		return nil, h.failed(fmt.Errorf("making the folder: %w", cause(err)))
	}
	if err := syncFolder(filepath.Dir(h.root)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, h.failed(err)
	}
	unlock, err := h.lock(ctx)
	if err != nil {
		return nil, h.failed(err)
	}
	defer unlock()
	if err := removeTemporary(h.root); err != nil {
		return nil, h.failed(err)
	}
	return h, nil
}

// HarmonizeTimeSeries implements [sdk.Harmonizer]. When it returns, everything
// is on disk.
func (h *harmonizer) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	unlock, err := h.lock(ctx)
	if err != nil {
		return sdk.Result{}, h.failed(err)
	}
	defer unlock()
	p, refused := h.plan(batch.Items)
	if err := p.readIndexes(); err != nil {
		return sdk.Result{}, h.failed(err)
	}
	s := &swap{root: h.root, disk: h.disk}
	defer s.discard()
	older, err := h.stage(ctx, s, p)
	if err != nil {
		return sdk.Result{}, h.failed(err)
	}
	if err := s.commit(); err != nil {
		return sdk.Result{}, h.failed(err)
	}
	items := slices.Concat(refused, older)
	slices.SortFunc(items, func(a, b sdk.ItemResult) int { return a.Item - b.Item })
	return sdk.Result{Items: items}, nil
}

// stage prepares the files of all chunks but those that are there in a newer
// revision, which it returns.
func (h *harmonizer) stage(ctx context.Context, s *swap, p plan) ([]sdk.ItemResult, error) {
	errs := make([]error, len(p.jobs))
	skipped := make([]bool, len(p.jobs))
	inParallel(len(p.jobs), func(worker, i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			skipped[i], errs[i] = h.stageChunk(s, &h.encoders[worker], p.jobs[i], p.indexes[p.jobs[i].folder])
		}
	})
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return nil, errs[i] // the others most likely failed for the same reason
	}
	var items []sdk.ItemResult
	changed := map[string]bool{}
	for i, j := range p.jobs {
		if skipped[i] {
			items = append(items, older(j.item))
			continue
		}
		if !h.config.writes(parquetFormat) {
			p.indexes[j.folder][j.chunk.Month] = revision{j.chunk.Revision, fmt.Sprintf("%016x", j.chunk.Hash)}
			changed[j.folder] = true
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(changed)) {
		if err := stageIndex(s, folder, p.indexes[folder]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// stageIndex prepares a folder's index.
func stageIndex(s *swap, folder string, in index) error {
	content, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding the revisions of a folder: %w", err)
	}
	return s.add(filepath.Join(folder, indexName), append(content, '\n'))
}

// stageChunk prepares a chunk's files, and tells if it did not because a newer
// revision is there.
func (h *harmonizer) stageChunk(s *swap, e *encoder, j job, in index) (bool, error) {
	known, err := parquetRevision(j.path(parquetFormat))
	if err != nil {
		return false, err
	}
	if j.chunk.Revision < max(known, in[j.chunk.Month].Revision) {
		return true, nil
	}
	e.rows = readingsOf(j.chunk, e.rows[:0])
	for _, format := range formats {
		if !h.config.writes(format) {
			s.remove(j.path(format)) // would go on showing what is out of date
			continue
		}
		content, err := e.encode(format, j.chunk)
		if err != nil {
			return false, err
		}
		if err := s.add(j.path(format), content); err != nil {
			return false, err
		}
	}
	return false, nil
}
