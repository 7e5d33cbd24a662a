package plugin

import (
	"context"
	"fmt"
	"testing"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
)

// An item that cannot be read is rejected alone, and the others keep their
// places.
func TestAnUnreadableItemCostsNoOther(t *testing.T) {
	t.Parallel()
	c := ready(t, ofHarmonizer(harmonizer(func(_ context.Context, b sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
		var r sdk.Result
		for i := range b.Items {
			if b.Items[i].ID == "c" {
				r.Skip(i, "unwanted")
				continue
			}
			r.Add(i, "out", []byte(b.Items[i].ID), nil)
		}
		return r, nil
	})))
	good := func(id string) *pb.Chunk { return &pb.Chunk{Id: id, Month: "2026-03", Starts: []int64{1}} }
	m, err := c.harmonizer.HarmonizeTimeSeries(t.Context(), &pb.HarmonizeTimeSeriesRequest{Batch: "b", Chunks: []*pb.Chunk{
		{Id: "x", Month: "never"}, good("a"), {Id: "y", Month: "2026-03", Spans: []uint32{1, 2}, Starts: []int64{1}}, good("b"), good("c"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, r := range m.GetResult().GetRecords() {
		have = append(have, fmt.Sprint(r.GetItem(), string(r.GetKey())))
	}
	for _, i := range m.GetResult().GetItems() {
		have = append(have, fmt.Sprint(i.GetItem(), i.GetReason()))
	}
	if want := "[1a 3b 4unwanted 0bad_chunk 2bad_chunk]"; fmt.Sprint(have) != want {
		t.Errorf("%v, not %s", have, want)
	}
}

// A result that names no item must not come to name one by shifting.
func TestAnItemBeyondTheBatchStaysBeyond(t *testing.T) {
	t.Parallel()
	u := unreadable{kept: []int{1}, items: []sdk.ItemResult{{Item: 0, Verdict: sdk.Rejected}}}
	r := u.into(sdk.Result{Records: []sdk.Record{{Item: 1}}})
	if r.Records[0].Item != 2 {
		t.Errorf("item %d of a batch of 2", r.Records[0].Item)
	}
}
