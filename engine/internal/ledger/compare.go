package ledger

// Verdict says how an answer relates to what is known of its chunk.
type Verdict int

// The verdicts.
const (
	Nothing   Verdict = iota // no data, and none was known
	First                    // the first content: to be published
	Unchanged                // the content that is known: to be published to sources that lack it
	Changed                  // another content: to be published to all
	Shrunk                   // fewer steps than known: not to be published
)

// String names the verdict.
func (v Verdict) String() string {
	return [...]string{"nothing", "first", "unchanged", "changed", "shrunk"}[v]
}

// Compare decides what to do with an answer from the steps it covers and the
// hash of its content, and gives the revision that the content has, or is to be
// published as. For Nothing and Shrunk that is the revision known.
func (c Cell) Compare(covered int, hash uint64) (Verdict, uint32) {
	switch {
	case !c.HasContent() && covered == 0:
		return Nothing, c.Revision
	case !c.HasContent():
		return First, c.Revision + 1
	case covered < c.Covered:
		return Shrunk, c.Revision
	case hash == c.Hash:
		return Unchanged, c.Revision
	default:
		return Changed, c.Revision + 1
	}
}
