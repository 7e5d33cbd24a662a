package ledger

import (
	"context"
	"fmt"
	"time"
)

// Answer is what a query said of one chunk, once it is safe: the broker has
// acknowledged what was published of it.
type Answer struct {
	Key
	Covered  int       // steps that came, a merged reading as two; 0: no data
	Expected int       // steps that the month has: see Expected
	Hash     uint64    // of the content
	At       time.Time // when Datadis answered; zero: now

	// Raw is where the answer lies in the raw topic; nil if it is not kept.
	Raw *Location
	// Delivered names the sources that got this content, under the revision
	// that Cell.Compare gave for it.
	Delivered []string
}

// Delivery says that a source has a revision of a chunk.
type Delivery struct {
	Key
	Revision uint32
}

// Intend records that a query is about to be made. After a crash it is all
// that is known of it.
func (b *Book) Intend(ctx context.Context, q QueryKey) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.config.Now()
	attempt := b.queries[q]
	if !attempt.At.After(now.Add(-b.config.RepeatAfter)) {
		attempt.Count = 0 // what happened a day ago says nothing any more
	}
	c := b.begin()
	c.queries[q] = Attempt{Outcome: OutcomeIntended, At: now, Count: attempt.Count + 1}
	return b.commit(ctx, c)
}

// Keep records that a query was answered and where the answer lies in the raw
// topic. Whoever finds that after a crash goes on from there, rather than ask
// again what Datadis would refuse.
func (b *Book) Keep(ctx context.Context, q QueryKey, at Location) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.begin()
	c.queries[q] = Attempt{Outcome: OutcomeKept, At: b.config.Now(), Count: b.queries[q].Count, Raw: at}
	return b.commit(ctx, c)
}

// Kept lists the queries whose answers are kept but not recorded.
func (b *Book) Kept() map[QueryKey]Location {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := make(map[QueryKey]Location)
	for q, a := range b.queries {
		if a.Outcome == OutcomeKept {
			kept[q] = a.Raw
		}
	}
	return kept
}

// Record records what a query answered, in one write. An answer that covers
// fewer steps than known changes no content: what is known stays.
func (b *Book) Record(ctx context.Context, q QueryKey, answers ...Answer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.begin()
	at := b.config.Now()
	for _, a := range answers {
		if !a.At.IsZero() {
			at = a.At
		}
		cell := c.cell(b, a.Key)
		if !cell.answer(a, at) {
			a.Delivered = nil // no content, so nobody got any
		}
		for _, source := range a.Delivered {
			if err := c.deliver(&cell, source, cell.Revision); err != nil {
				return err
			}
		}
		c.cells[a.Key] = cell
	}
	c.queries[q] = Attempt{Outcome: OutcomeAnswered, At: at, Count: b.queries[q].Count}
	return b.commit(ctx, c)
}

// answer updates the cell with what came, and tells whether that is its content
// now.
func (c *Cell) answer(a Answer, at time.Time) bool {
	verdict, revision := c.Compare(a.Covered, a.Hash)
	c.LastAttempt, c.LastAnswer = at, at
	c.Class, c.Alone = NoError, false
	switch verdict {
	case Nothing:
		c.State, c.Expected = Empty, a.Expected
	case First, Unchanged, Changed:
		c.State = Partial
		if a.Covered >= a.Expected && over(a.Key, at) {
			c.State = Complete
		}
		c.Covered, c.Expected = a.Covered, a.Expected
		c.Hash, c.Revision = a.Hash, revision
		if a.Raw != nil || verdict != Unchanged { // an older copy holds other content
			c.Raw = a.Raw
		}
	case Shrunk: // what is known stays
	}
	if c.State != Complete {
		c.charge(a.Month, at)
	}
	return verdict != Nothing && verdict != Shrunk
}

// Fail records that a query was not answered, and why, for the chunks it asked
// for. It lowers nothing that is known. Each call costs the chunks a try, unless
// their month is still growing or the class says nothing about them: report an
// attempt that is repeated at once only when it is given up.
func (b *Book) Fail(ctx context.Context, q QueryKey, class Class, keys ...Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.config.Now()
	c := b.begin()
	for _, key := range keys {
		cell := c.cell(b, key)
		cell.fail(key, class, len(keys) > 1, now)
		c.cells[key] = cell
	}
	outcome := OutcomeFailed
	if class.registered() {
		outcome = OutcomeRefused
	}
	c.queries[q] = Attempt{Outcome: outcome, At: now, Count: b.queries[q].Count}
	return b.commit(ctx, c)
}

// fail updates the cell after an attempt that gave nothing. Invariant 6: its
// content stays.
func (c *Cell) fail(key Key, class Class, wide bool, now time.Time) {
	c.LastAttempt, c.Class = now, class
	if wide && class.blamesWidth() {
		c.Alone = true
	}
	if !class.costs() {
		return
	}
	switch {
	case c.State.Answered():
	case class == Unauthorised:
		c.State = Refused
	default:
		c.State = Failed
	}
	if c.State != Complete {
		c.charge(key.Month, now)
	}
}

// Correct records that an answer which is known is read otherwise than it was:
// its content, and who got it. What is known of queries and tries stays.
func (b *Book) Correct(ctx context.Context, a Answer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.begin()
	cell := c.cell(b, a.Key)
	verdict, revision := cell.Compare(a.Covered, a.Hash)
	if verdict != Changed {
		return fmt.Errorf("the corrected content of %s is no change of it: %s", a.Key, verdict)
	}
	cell.Covered, cell.Hash, cell.Revision = a.Covered, a.Hash, revision
	if cell.State == Partial && a.Covered >= cell.Expected && over(a.Key, cell.LastAnswer) {
		cell.State = Complete
	}
	for _, source := range a.Delivered {
		if err := c.deliver(&cell, source, revision); err != nil {
			return err
		}
	}
	c.cells[a.Key] = cell
	return b.commit(ctx, c)
}

// Deliver records that a source got chunks it lacked, from their raw copies.
func (b *Book) Deliver(ctx context.Context, source string, deliveries ...Delivery) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.begin()
	for _, d := range deliveries {
		cell := c.cell(b, d.Key)
		if err := c.deliver(&cell, source, d.Revision); err != nil {
			return err
		}
		c.cells[d.Key] = cell
	}
	return b.commit(ctx, c)
}
