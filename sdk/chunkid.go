package sdk

import (
	"crypto/sha256"
	"encoding/hex"
)

// ChunkID names a chunk through all of its revisions: 16 hexadecimal digits,
// the same in every process and for every spelling of the CUPS.
func ChunkID(cups CUPS, series Series, month Month) string {
	sum := sha256.Sum256([]byte(string(cups.Key()) + "|" + series.String() + "|" + month.String()))
	return hex.EncodeToString(sum[:8])
}
