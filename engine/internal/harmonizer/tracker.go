package harmonizer

import (
	"fmt"
	"maps"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/sdk"
)

// tracker knows, for each partition, how far everything is terminal. All that
// was read is terminal once a round of work is over, except the parts of
// chunks that are not whole yet.
type tracker map[Partition]*progress

// progress of a partition.
type progress struct {
	next      int64 // offset after the last message seen
	done      int64 // offset that is committed
	assembler *envelope.Assembler
	parts     map[string][]Message // of chunks that are not whole yet, by version
}

// maxWaiting is how many readings of incomplete chunks a partition may hold:
// some 30 quarter-hourly months. Whoever published those died, and will publish
// them again.
const maxWaiting = 100_000

// seen notes that a message was read, and returns its partition's progress.
func (t tracker) seen(p Position) *progress {
	partition := Partition{p.Topic, p.Partition}
	state, ok := t[partition]
	if !ok {
		state = &progress{assembler: envelope.NewAssembler(maxWaiting), parts: make(map[string][]Message)}
		t[partition] = state
	}
	state.next = p.Offset + 1
	return state
}

// next is the offset up to which each partition can be committed, where that
// is further than before.
func (t tracker) next() map[Partition]int64 {
	next := make(map[Partition]int64, len(t))
	for p, state := range t {
		offset := state.next
		if oldest, waiting := state.assembler.Oldest(); waiting {
			offset = min(offset, oldest)
		}
		if offset > state.done {
			next[p] = offset
		}
	}
	return next
}

// committed notes what was confirmed.
func (t tracker) committed(next map[Partition]int64) {
	for p, offset := range next {
		t[p].done = offset
	}
}

// keep forgets the partitions that were given to another process.
func (t tracker) keep(assigned func(Partition) bool) {
	for p := range t {
		if !assigned(p) {
			delete(t, p)
		}
	}
}

// join adds a part, and returns the chunk and all its messages once it is
// whole.
func (s *progress) join(part envelope.Part, m Message) (*sdk.Chunk, []Message) {
	id := version(part.Chunk)
	s.parts[id] = append(s.parts[id], m)
	whole, abandoned := s.assembler.Add(part, m.Offset)
	for _, gone := range abandoned {
		prefix := fmt.Sprintf("%s/%d/%s/", gone.Chunk, gone.Revision, gone.Source)
		maps.DeleteFunc(s.parts, func(v string, _ []Message) bool { return v != id && strings.HasPrefix(v, prefix) })
	}
	if whole == nil {
		return nil, nil
	}
	messages := s.parts[id]
	delete(s.parts, id)
	return whole.Chunk, messages
}

// version names a revision of a chunk for one source.
func version(c *sdk.Chunk) string {
	return fmt.Sprintf("%s/%d/%s/%016x", c.ID, c.Revision, c.Source, c.Hash)
}

// recent remembers the revisions that were handed over last, so that an older
// one is never handed over after a newer one (invariant 13).
type recent struct {
	revisions map[string]uint32 // by chunk and source
	order     []string
	oldest    int
}

// maxRecent bounds the memory of what was handed over: about 10 MB.
const maxRecent = 100_000

func newRecent() recent { return recent{revisions: make(map[string]uint32)} }

// stale tells whether a newer revision of the chunk was handed over before; if
// not, it remembers this one.
func (r *recent) stale(c *sdk.Chunk) bool {
	key := c.ID + c.Source
	known, ok := r.revisions[key]
	if ok && known > c.Revision {
		return true
	}
	r.revisions[key] = c.Revision
	if ok {
		return false
	}
	if len(r.order) < maxRecent {
		r.order = append(r.order, key)
		return false
	}
	delete(r.revisions, r.order[r.oldest])
	r.order[r.oldest] = key
	r.oldest = (r.oldest + 1) % maxRecent
	return false
}
