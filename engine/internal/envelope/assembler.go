package envelope

import (
	"slices"

	"github.com/datadis-engine/datadis/sdk"
)

// Assembler joins the parts of chunks as they are read from one partition. Give
// each partition its own, and drop it when the partition is revoked. It is not
// for concurrent use.
//
// A part that comes again takes the place of the earlier one; a chunk whose
// parts all come again is handed out again. Parts of a chunk that was never
// completed, since its publisher died or published it anew, are abandoned when
// a newer version is complete, or when too much is waiting.
type Assembler struct {
	limit   int // readings and parts that may wait
	waiting map[version]*assembly
	order   []*assembly // by when they were begun, the oldest first
	held    int         // readings that wait, and places for parts
}

// version tells contents apart: parts with the same version make one chunk.
type version struct {
	id, source string
	revision   uint32
	hash       uint64
}

// assembly is a chunk that lacks parts.
type assembly struct {
	version version
	parts   []Part  // by index; no chunk: not here yet
	offsets []int64 // of each part
	have    int
	held    int // readings, and places for parts
}

// Whole is a chunk with all of its parts.
type Whole struct {
	Chunk       *sdk.Chunk
	First, Last int64 // the lowest and the highest offset of its parts
}

// Abandoned is a chunk that was given up incomplete.
type Abandoned struct {
	Chunk, Source string
	Revision      uint32
	Have, Of      int   // parts
	First         int64 // the lowest offset of its parts
}

// NewAssembler keeps at most so many readings waiting for the rest of their
// chunk, those of the chunk in hand not counted. Each part that a chunk has, here
// or not, counts as one more.
func NewAssembler(limit int) *Assembler {
	return &Assembler{limit: limit, waiting: map[version]*assembly{}}
}

// Add takes the part that was read at the given offset. It returns the chunk if
// that makes it whole, and what was given up on that occasion.
func (a *Assembler) Add(p Part, offset int64) (*Whole, []Abandoned) {
	c := p.Chunk
	v := version{c.ID, c.Source, c.Revision, c.Hash}
	if p.Count == 1 {
		if w := a.waiting[v]; w != nil {
			a.forget(w) // the same content, once cut into more parts
		}
		return &Whole{c, offset, offset}, a.abandon(a.superseded(v))
	}
	w := a.assembly(v, p.Count)
	a.put(w, p, offset)
	if w.have < p.Count || !w.fits() {
		return nil, a.abandon(a.overflow(w))
	}
	a.forget(w)
	whole := &Whole{w.join(c), slices.Min(w.offsets), slices.Max(w.offsets)}
	return whole, a.abandon(a.superseded(v))
}

// Oldest is the lowest offset of the parts that wait. Whoever commits an offset
// above it loses them.
func (a *Assembler) Oldest() (offset int64, ok bool) {
	for _, w := range a.order {
		if first := w.first(); !ok || first < offset {
			offset, ok = first, true
		}
	}
	return offset, ok
}

// assembly is where the parts of a version wait. A different number of parts
// means that the chunk was cut anew: what came before does not fit.
func (a *Assembler) assembly(v version, count int) *assembly {
	w := a.waiting[v]
	if w != nil && len(w.parts) != count {
		a.forget(w)
		w = nil
	}
	if w == nil {
		// The places count too: a message may claim to be one of very many parts.
		w = &assembly{version: v, parts: make([]Part, count), offsets: make([]int64, count), held: count}
		a.held += count
		a.waiting[v] = w
		a.order = append(a.order, w)
	}
	return w
}

func (a *Assembler) put(w *assembly, p Part, offset int64) {
	if old := w.parts[p.Index].Chunk; old != nil {
		w.have--
		w.held -= old.Len()
		a.held -= old.Len()
	}
	w.parts[p.Index], w.offsets[p.Index] = p, offset
	w.have++
	w.held += p.Chunk.Len()
	a.held += p.Chunk.Len()
}

func (a *Assembler) forget(w *assembly) {
	delete(a.waiting, w.version)
	a.order = slices.DeleteFunc(a.order, func(o *assembly) bool { return o == w })
	a.held -= w.held
}

// superseded lists the incomplete chunks that a complete one makes useless: the
// same chunk for the same source, no newer.
func (a *Assembler) superseded(v version) []*assembly {
	var found []*assembly
	for _, w := range a.order {
		if w.version.id == v.id && w.version.source == v.source && w.version.revision <= v.revision {
			found = append(found, w)
		}
	}
	return found
}

// overflow lists the oldest incomplete chunks that must go for the limit to
// hold; never the one in hand.
func (a *Assembler) overflow(inHand *assembly) []*assembly {
	var found []*assembly
	excess := a.held - inHand.held - a.limit
	for _, w := range a.order {
		if excess <= 0 {
			break
		}
		if w != inHand {
			found = append(found, w)
			excess -= w.held
		}
	}
	return found
}

func (a *Assembler) abandon(assemblies []*assembly) []Abandoned {
	var gone []Abandoned
	for _, w := range assemblies {
		a.forget(w)
		v := w.version
		gone = append(gone, Abandoned{v.id, v.source, v.revision, w.have, len(w.parts), w.first()})
	}
	return gone
}

// first is the lowest offset of the parts that are here.
func (w *assembly) first() int64 {
	first := int64(-1)
	for i, p := range w.parts {
		if p.Chunk != nil && (first < 0 || w.offsets[i] < first) {
			first = w.offsets[i]
		}
	}
	return first
}

// fits tells whether each part begins where the one before it ends. Where not,
// parts of two different cuts have met; the rest of the newer cut will replace
// the older ones.
func (w *assembly) fits() bool {
	next := 0
	for _, p := range w.parts {
		if p.First != next || p.Total != w.parts[0].Total {
			return false
		}
		next += p.Chunk.Len()
	}
	return next == w.parts[0].Total
}

// join is the whole chunk, with the facts of the part that came last.
func (w *assembly) join(last *sdk.Chunk) *sdk.Chunk {
	total := w.parts[0].Total
	whole := *last
	whole.Starts = make([]int64, 0, total)
	whole.Spans, whole.Flags, whole.Periods, whole.Methods, whole.MethodIndex = nil, nil, nil, nil, nil
	for _, column := range columnsOf(&whole) {
		*column = sdk.Column{}
	}
	var methods methodReader
	for _, p := range w.parts {
		appendChunk(&whole, p.Chunk, &methods, total)
	}
	whole.Methods, whole.MethodIndex = methods.finish(total)
	columnsClose(&whole)
	return &whole
}

// appendChunk appends the readings of one part.
func appendChunk(whole, c *sdk.Chunk, methods *methodReader, total int) {
	at := whole.Len()
	for i, from := range columnsOf(c) {
		to := columnsOf(whole)[i]
		for k := range from.Units {
			if value, ok := from.Value(k); ok {
				to.Set(at+k, value) // it fitted before the chunk was cut
			}
		}
	}
	for i := range c.Len() {
		if i < len(c.MethodIndex) && c.MethodIndex[i] != noMethod {
			if index, ok := methods.lookUp(c.Method(i)); ok {
				methods.set(at+i, index)
			}
		}
	}
	if c.Spans != nil || whole.Spans != nil {
		whole.Spans = spansOf(whole, total)
		whole.Spans = append(whole.Spans, spansOf(c, c.Len())...)
	}
	if c.Flags != nil || whole.Flags != nil {
		whole.Flags = append(grown(whole.Flags, at, total), c.Flags...)
		whole.Flags = append(whole.Flags, make([]sdk.Flags, at+c.Len()-len(whole.Flags))...)
	}
	if c.Periods != nil {
		whole.Periods = append(grown(whole.Periods, at, total), c.Periods...)
	}
	whole.Starts = append(whole.Starts, c.Starts...)
}

// spansOf is the spans of a chunk, written out where all are plain.
func spansOf(c *sdk.Chunk, room int) []uint32 {
	if c.Spans != nil {
		return c.Spans
	}
	spans := make([]uint32, c.Len(), max(room, c.Len()))
	for i := range spans {
		spans[i] = uint32(c.Series.Step().Seconds())
	}
	return spans
}

func columnsClose(c *sdk.Chunk) {
	for _, column := range columnsOf(c) {
		column.Close(c.Len())
	}
}
