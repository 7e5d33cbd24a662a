package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// A cell in the store, version 1:
//
//	version<<4 | state   1 byte
//	flags                1 byte, the constants below
//	tries left           1 byte
//	expected             uvarint
//	covered              uvarint, unless hasAll
//	last attempt         4 bytes, big endian, epoch seconds; 0: never
//	last answer          4 bytes, if hasAnswer and not sameTime
//	class                1 byte, if hasClass
//	hash                 8 bytes, big endian, if hasHash
//	revision             uvarint, if hasRevision
//	partition, offset    2 uvarints, if hasRaw
//	revision per source  uvarints, to the end; a source behind the last has none
//
// A complete hourly month that two sources have takes 25 bytes. Values beyond
// 64 bytes would make Redis give up its compact form of the whole hash.
const cellVersion = 1

const (
	hasAll      = 1 << iota // covered equals expected
	hasAnswer               // it was answered once
	sameTime                // the last attempt was the last answer
	hasClass                // the last attempt did not succeed
	hasHash                 // content is known
	hasRevision             // content was published once
	hasRaw                  // there is a raw copy
	isAlone                 // to be asked for alone
)

var (
	// ErrVersion says that a newer engine wrote the entry.
	ErrVersion = errors.New("written by another version of the engine")

	errMalformed = errors.New("not an entry of the ledger")
)

// encode is the cell's stored form.
func (c Cell) encode() []byte {
	b := make([]byte, 0, 40)
	flags := c.flags()
	b = append(b, cellVersion<<4|byte(c.State), flags, byte(min(max(c.Tries, 0), math.MaxUint8)))
	b = binary.AppendUvarint(b, uint64(max(c.Expected, 0)))
	if flags&hasAll == 0 {
		b = binary.AppendUvarint(b, uint64(max(c.Covered, 0)))
	}
	b = appendTime(b, c.LastAttempt)
	if flags&(hasAnswer|sameTime) == hasAnswer {
		b = appendTime(b, c.LastAnswer)
	}
	if flags&hasClass != 0 {
		b = append(b, byte(c.Class))
	}
	if flags&hasHash != 0 {
		b = binary.BigEndian.AppendUint64(b, c.Hash)
	}
	if flags&hasRevision != 0 {
		b = binary.AppendUvarint(b, uint64(c.Revision))
	}
	if flags&hasRaw != 0 {
		b = c.Raw.append(b)
	}
	for _, revision := range trim(c.delivered) {
		b = binary.AppendUvarint(b, uint64(revision))
	}
	return b
}

func (c Cell) flags() (flags byte) {
	for i, set := range []bool{
		c.Covered == c.Expected,
		!c.LastAnswer.IsZero(),
		c.LastAnswer.Equal(c.LastAttempt),
		c.Class != NoError,
		c.Hash != 0,
		c.Revision != 0,
		c.Raw != nil,
		c.Alone,
	} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

// decodeCell reads a stored cell.
func decodeCell(data []byte) (Cell, error) {
	r := reader{data: data}
	head, flags := r.byte(), r.byte()
	if r.err == nil && head>>4 != cellVersion {
		return Cell{}, fmt.Errorf("%w (%d; this one knows %d)", ErrVersion, head>>4, cellVersion)
	}
	c := Cell{State: State(head & 0xf), Tries: int(r.byte()), Alone: flags&isAlone != 0}
	r.attempt(&c, flags)
	r.content(&c, flags)
	if r.err == nil && (int(c.State) >= len(stateNames) || int(c.Class) >= len(classNames)) {
		r.err = errMalformed
	}
	if r.err != nil {
		return Cell{}, r.err
	}
	return c, nil
}

// attempt reads how much came, and how the last attempt went.
func (r *reader) attempt(c *Cell, flags byte) {
	c.Expected = int(r.uvarint(math.MaxInt32))
	c.Covered = c.Expected
	if flags&hasAll == 0 {
		c.Covered = int(r.uvarint(math.MaxInt32))
	}
	c.LastAttempt = r.time()
	switch flags & (hasAnswer | sameTime) {
	case hasAnswer | sameTime:
		c.LastAnswer = c.LastAttempt
	case hasAnswer:
		c.LastAnswer = r.time()
	}
	if flags&hasClass != 0 {
		c.Class = Class(r.byte())
	}
}

// content reads which content there is, where, and who has it.
func (r *reader) content(c *Cell, flags byte) {
	if flags&hasHash != 0 {
		c.Hash = r.uint64()
	}
	if flags&hasRevision != 0 {
		c.Revision = uint32(r.uvarint(math.MaxUint32)) //nolint:gosec // bounded
	}
	if flags&hasRaw != 0 {
		at := r.location()
		c.Raw = &at
	}
	for r.err == nil && len(r.data) > 0 {
		c.delivered = append(c.delivered, uint32(r.uvarint(math.MaxUint32))) //nolint:gosec // bounded
	}
}

func (l Location) append(to []byte) []byte {
	to = binary.AppendUvarint(to, uint64(max(l.Partition, 0)))
	return binary.AppendUvarint(to, uint64(max(l.Offset, 0)))
}

func (r *reader) location() Location {
	//nolint:gosec // bounded
	return Location{int32(r.uvarint(math.MaxInt32)), int64(r.uvarint(math.MaxInt64))}
}

// trim drops sources at the end that have nothing.
func trim(delivered []uint32) []uint32 {
	for len(delivered) > 0 && delivered[len(delivered)-1] == 0 {
		delivered = delivered[:len(delivered)-1]
	}
	return delivered
}

// appendTime writes whole seconds, rounded up: who counts from what is stored
// must never ask Datadis a moment too early. The zero time is 0.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0, 0, 0, 0)
	}
	seconds := t.Add(time.Second - time.Nanosecond).Unix()
	return binary.BigEndian.AppendUint32(b, uint32(min(max(seconds, 0), math.MaxUint32))) //nolint:gosec // bounded
}

// reader takes values off the front of data until something is wrong.
type reader struct {
	data []byte
	err  error
}

// take is the next n bytes; n zeros once something is wrong.
func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.data) < n {
		r.err = errMalformed
		return make([]byte, n)
	}
	front := r.data[:n]
	r.data = r.data[n:]
	return front
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) time() time.Time {
	seconds := binary.BigEndian.Uint32(r.take(4))
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

func (r *reader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.data)
	if r.err != nil || n <= 0 || v > limit {
		r.err = errMalformed
		return 0
	}
	r.data = r.data[n:]
	return v
}
