package ledger

import (
	"maps"
	"slices"
)

// Undelivered lists the chunks that have content which one of the sources lacks,
// oldest first. It looks at all that was ever known, also at what Datadis has
// forgotten since.
func Undelivered(b *Book, sources []string) []Key {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []Key
	for _, key := range slices.SortedFunc(maps.Keys(b.cells), compareKeys) {
		cell := b.cells[key]
		lacks := func(source string) bool { return b.delivered(cell, source) < cell.Revision }
		if cell.HasContent() && slices.ContainsFunc(sources, lacks) {
			keys = append(keys, key)
		}
	}
	return keys
}
