package ledger

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Book is everything known of one CUPS. Its methods may be called at the same
// time; writes happen one after the other, and a write that fails leaves the
// book as it was.
type Book struct {
	cups   sdk.CUPS
	key    string // in the store
	store  Store
	config Config

	mu      sync.Mutex
	cells   map[Key]Cell
	queries map[QueryKey]Attempt
	sources []string // cells refer to them by index: names are only ever appended
}

// CUPS is the supply point the book is about, in the form of [sdk.CUPS.Key].
func (b *Book) CUPS() sdk.CUPS { return b.cups }

// Cell is what is known of a chunk. Without anything known it is a cell in
// state None that has all of its tries left, and false.
func (b *Book) Cell(key Key) (Cell, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.cell(key)
	return c.clone(), ok
}

func (b *Book) cell(key Key) (Cell, bool) {
	c, ok := b.cells[key]
	if !ok {
		c.Tries = b.config.Tries
	}
	return c, ok
}

// Keys lists the chunks of which something is known, oldest months first.
func (b *Book) Keys() []Key {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Keys(b.cells), compareKeys)
}

// Delivered is the revision of a chunk that a source has; 0 if it has none.
func (b *Book) Delivered(key Key, source string) uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.delivered(b.cells[key], source)
}

func (b *Book) delivered(c Cell, source string) uint32 {
	i := slices.Index(b.sources, source)
	if i < 0 || i >= len(c.delivered) {
		return 0
	}
	return c.delivered[i]
}

// Attempt is what is known of a query; false if it was not made lately.
func (b *Book) Attempt(q QueryKey) (Attempt, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.queries[q]
	return a, ok
}

// Blocked tells whether a query must not be made now, and until when: it was
// answered or refused within Config.RepeatAfter. One that failed, or whose
// outcome is not known because the engine died, is not blocked; [Book.Attempt]
// says when and how often that was.
func (b *Book) Blocked(q QueryKey, now time.Time) (until time.Time, blocked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until = b.queries[q].until(b.config.RepeatAfter)
	if !now.Before(until) {
		return time.Time{}, false
	}
	return until, true
}

// sourceField holds the name of source i.
func sourceField(i int) string { return "s" + strconv.Itoa(i) }

// sourceName is what a source may be called.
var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// change is one write: what differs from the book.
type change struct {
	cells   map[Key]Cell
	queries map[QueryKey]Attempt
	sources []string // all of them, new ones at the end
}

// begin starts a change. Who shares the book holds its lock until the
// change is committed.
func (b *Book) begin() *change {
	return &change{
		cells: make(map[Key]Cell), queries: make(map[QueryKey]Attempt), sources: slices.Clone(b.sources),
	}
}

// cell is a copy of the chunk's cell as the change leaves it so far.
func (c *change) cell(b *Book, key Key) Cell {
	cell, ok := c.cells[key]
	if !ok {
		cell, _ = b.cell(key)
	}
	return cell.clone()
}

// source is the index of a source, which becomes known by it.
func (c *change) source(name string) (int, error) {
	if i := slices.Index(c.sources, name); i >= 0 {
		return i, nil
	}
	if !sourceName.MatchString(name) {
		return 0, fmt.Errorf("%q is no name of a source", name)
	}
	c.sources = append(c.sources, name)
	return len(c.sources) - 1, nil
}

// deliver notes in a cell that the source has a revision.
func (c *change) deliver(cell *Cell, source string, revision uint32) error {
	i, err := c.source(source)
	if err != nil {
		return err
	}
	for len(cell.delivered) <= i {
		cell.delivered = append(cell.delivered, 0)
	}
	cell.delivered[i] = max(cell.delivered[i], revision)
	return nil
}

// commit writes the change, and with it removes queries that Datadis would
// answer again. The book follows once the store has it.
func (b *Book) commit(ctx context.Context, c *change) error {
	set := make(map[string][]byte, len(c.cells)+len(c.queries))
	for key, cell := range c.cells {
		field, err := key.field()
		if err != nil {
			return err
		}
		set[field] = cell.encode()
	}
	for key, attempt := range c.queries {
		set[key.field()] = attempt.encode()
	}
	for i := len(b.sources); i < len(c.sources); i++ {
		set[sourceField(i)] = []byte(c.sources[i])
	}
	old := b.expired(c)
	del := make([]string, len(old))
	for i, key := range old {
		del[i] = key.field()
	}
	if err := b.store.Put(ctx, b.key, set, del...); err != nil {
		return fmt.Errorf("write the ledger of %s: %w", b.cups.Masked(), err)
	}
	maps.Copy(b.cells, c.cells)
	maps.Copy(b.queries, c.queries)
	b.sources = c.sources
	for _, key := range old {
		delete(b.queries, key)
	}
	return nil
}

// expired lists the queries that the change does not touch and that may be
// forgotten.
func (b *Book) expired(c *change) []QueryKey {
	limit := b.config.Now().Add(-b.config.RepeatAfter)
	var old []QueryKey
	for key, attempt := range b.queries {
		_, touched := c.queries[key]
		if !touched && attempt.Outcome != OutcomeKept && !attempt.At.After(limit) {
			old = append(old, key)
		}
	}
	return old
}
