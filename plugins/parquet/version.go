package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

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
	return revisionIn(f, info.Size()), nil
}

// revisionIn is the revision that a Parquet file holds; 0 for a file that
// somebody damaged, or that is not this plugin's: it is to be replaced.
//
// It looks for the one entry in the footer instead of opening the file with the
// library, which believes the lengths in a damaged footer and allocates
// gigabytes.
func revisionIn(f io.ReaderAt, size int64) uint32 {
	var tail [8]byte // the footer's length, and the magic bytes
	if size < int64(len(tail)) {
		return 0
	}
	if _, err := f.ReadAt(tail[:], size-int64(len(tail))); err != nil || string(tail[4:]) != "PAR1" {
		return 0
	}
	length := int64(binary.LittleEndian.Uint32(tail[:4]))
	if length > min(size-int64(len(tail)), maxFooter) {
		return 0
	}
	footer := make([]byte, length)
	if _, err := f.ReadAt(footer, size-int64(len(tail))-length); err != nil {
		return 0
	}
	// The entry is a Thrift struct of two strings: the key, then 0x18 for the
	// next field being one, its length, and the digits. The metadata come after
	// everything in which a text of the data might stand.
	at := bytes.LastIndex(footer, []byte(revisionKey+"\x18"))
	if at < 0 {
		return 0
	}
	value := footer[at+len(revisionKey)+1:]
	if len(value) == 0 || int(value[0]) >= len(value) {
		return 0
	}
	revision, err := strconv.ParseUint(string(value[1:1+value[0]]), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(revision)
}

// maxFooter is far beyond the footer of any file of a month.
const maxFooter = 1 << 20

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
