package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"github.com/datadis-engine/datadis/sdk"
)

// What a Parquet file says about the chunk that it holds, in its key-value
// metadata.
const (
	chunkKey    = "datadis.chunk"
	revisionKey = "datadis.revision"
	hashKey     = "datadis.hash"
	runKey      = "datadis.run"
	sourceKey   = "datadis.source"
	fetchedKey  = "datadis.fetched_at"
)

// metadataOf is what a chunk's file says about it.
func metadataOf(c *sdk.Chunk) []parquetPair {
	return []parquetPair{
		{chunkKey, c.ID},
		{revisionKey, strconv.FormatUint(uint64(c.Revision), 10)},
		{hashKey, fmt.Sprintf("%016x", c.Hash)},
		{runKey, c.Run},
		{sourceKey, c.Source},
		{fetchedKey, c.FetchedAt.UTC().Format("2006-01-02T15:04:05Z")},
	}
}

// parquetRevision is the revision that the Parquet file at path holds; 0 if
// there is none, or none that this plugin wrote.
func parquetRevision(path string) (uint32, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening the file of an earlier revision: %w", cause(err))
	}
	defer f.Close() // only read from: closing it cannot lose anything
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("looking at the file of an earlier revision: %w", cause(err))
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return 0, nil // damaged by somebody: to be replaced
	}
	text, _ := file.Lookup(revisionKey)
	revision, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, nil // not this plugin's
	}
	return uint32(revision), nil
}

// indexName is the file that keeps the revisions of a folder's CSV files, which
// cannot say themselves. It is there only where no Parquet is written.
const indexName = ".revisions.json"

// index tells the revision of each month of a folder.
type index map[sdk.Month]revision

type revision struct {
	Revision uint32 `json:"revision"`
	Hash     string `json:"hash"`
}

// readIndex reads a folder's index; an empty one, if there is none.
func readIndex(folder string) (index, error) {
	content, err := os.ReadFile(filepath.Join(folder, indexName))
	if errors.Is(err, fs.ErrNotExist) {
		return index{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the revisions of a folder: %w", cause(err))
	}
	var in index
	if err := json.Unmarshal(content, &in); err != nil || in == nil {
		return index{}, nil // damaged by somebody: to be replaced
	}
	return in, nil
}
