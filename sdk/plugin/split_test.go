package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

// ofSize is a chunk of about that many bytes.
func ofSize(id string, size int) sdk.Chunk {
	return sdk.Chunk{ID: id, Source: strings.Repeat("s", size)}
}

// echo answers each item with a record that names it, and remembers the parts.
type echo struct {
	parts  []string
	answer int // bytes of a record's value
}

func (e *echo) HarmonizeTimeSeries(_ context.Context, b sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	var r sdk.Result
	ids := make([]string, len(b.Items))
	for i, c := range b.Items {
		ids[i] = c.ID
		r.Records = append(r.Records, sdk.Record{Item: i, Topic: "out", Key: []byte(c.ID), Value: make([]byte, e.answer)})
		if c.ID == "skip" {
			r.Items = append(r.Items, sdk.ItemResult{Item: i, Verdict: sdk.Skipped})
		}
	}
	e.parts = append(e.parts, b.ID+": "+strings.Join(ids, " "))
	return r, nil
}

func TestBatchesAreSplitBySize(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	cases := map[string]struct {
		sizes  []int
		answer int
		parts  []string
		lost   []int
	}{
		"empty":               {nil, 0, []string{"b: "}, nil},
		"small":               {[]int{1, 1, 1}, 0, []string{"b: 0 1 2"}, nil},
		"larger than a part":  {[]int{3 * mib, 3 * mib, 1, 1}, 0, []string{"b#0-1: 0", "b#1-4: 1 2 3"}, nil},
		"one is huge":         {[]int{1, 17 * mib, 1}, 0, []string{"b#0-1: 0", "b#2-3: 2"}, []int{1}},
		"only one, and huge":  {[]int{17 * mib}, 0, nil, []int{0}},
		"two are huge":        {[]int{17 * mib, 17 * mib, 1}, 0, []string{"b#2-3: 2"}, []int{0, 1}},
		"just fits":           {[]int{15 * mib, 1}, 0, []string{"b#0-1: 0", "b#1-2: 1"}, nil},
		"large answers":       {[]int{1, 1, 1, 1}, 6 * mib, []string{"b: 0 1 2 3", "b#0-2: 0 1", "b#2-4: 2 3"}, nil},
		"answer of one huge":  {[]int{1}, 17 * mib, []string{"b: 0"}, []int{0}},
		"answers of all huge": {[]int{1, 1}, 17 * mib, []string{"b: 0 1", "b#0-1: 0", "b#1-2: 1"}, []int{0, 1}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			e := &echo{answer: test.answer}
			c := ready(t, ofHarmonizer(e))
			batch := sdk.Batch[sdk.Chunk]{ID: "b"}
			var want []string
			for i, size := range test.sizes {
				batch.Items = append(batch.Items, ofSize(fmt.Sprint(i), size))
				if !slices.Contains(test.lost, i) {
					want = append(want, fmt.Sprintf("%d %d", i, i))
				}
			}
			r, err := c.HarmonizeTimeSeries(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			var have []string
			for _, record := range r.Records {
				have = append(have, fmt.Sprintf("%d %s", record.Item, record.Key))
			}
			var lost []int
			for _, item := range r.Items {
				if item.Verdict != sdk.Rejected || item.Reason != ReasonItemTooLarge {
					t.Errorf("%+v", item)
				}
				lost = append(lost, item.Item)
			}
			if !slices.Equal(have, want) || !slices.Equal(lost, test.lost) || !slices.Equal(e.parts, test.parts) {
				t.Errorf("records %v, lost %v, parts %v", have, lost, e.parts)
			}
		})
	}
}

func TestVerdictsKeepTheirPlaceInASplitBatch(t *testing.T) {
	t.Parallel()
	c := ready(t, ofHarmonizer(&echo{}))
	r, err := c.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Items: []sdk.Chunk{
		ofSize("a", 3<<20), ofSize("b", 3<<20), {ID: "skip"},
	}})
	if err != nil || len(r.Items) != 1 || r.Items[0].Item != 2 || r.Items[0].Verdict != sdk.Skipped {
		t.Errorf("%+v %v", r.Items, err)
	}
}
