package main

import (
	"bytes"
	"testing"

	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// A repeated chunk leaves the same bytes, whatever was encoded before it.
func TestTheBytesOfAFileDependOnItsChunkAlone(t *testing.T) {
	t.Parallel()
	encode := func(e *encoder, i int) []byte {
		c := sdktest.Months()[i]
		e.rows = readingsOf(&c, e.rows[:0])
		text, err := e.encode(parquetFormat, &c)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Clone(text)
	}
	used := new(encoder)
	for i := range sdktest.Months() {
		encode(used, i)
	}
	for i := range sdktest.Months() {
		if fresh, after := encode(new(encoder), i), encode(used, i); !bytes.Equal(fresh, after) {
			at := 0
			for at < min(len(fresh), len(after)) && fresh[at] == after[at] {
				at++
			}
			t.Errorf("month %d: %d bytes, then %d; they differ from byte %d:\n%q\n%q", i, len(fresh), len(after), at, fresh[max(0, at-20):min(len(fresh), at+60)], after[max(0, at-20):min(len(after), at+60)])
		}
	}
}
