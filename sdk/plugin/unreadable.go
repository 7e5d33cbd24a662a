package plugin

import (
	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

// ReasonBadChunk is why an item is rejected whose columns do not fit together.
const ReasonBadChunk = "bad_chunk"

// unreadable are the items of a batch that an author never sees: they are
// rejected, and cost no other item.
type unreadable struct {
	kept  []int // of each item that the author sees, its place in the batch
	items []sdk.ItemResult
}

// readable is the batch without the chunks that cannot be read.
func readable(r *pb.HarmonizeTimeSeriesRequest) (sdk.Batch[sdk.Chunk], unreadable) {
	batch := sdk.Batch[sdk.Chunk]{Run: r.GetRun(), ID: r.GetBatch(), Items: make([]sdk.Chunk, 0, len(r.GetChunks()))}
	var out unreadable
	for i, m := range r.GetChunks() {
		chunk, err := wire.DecodeChunk(m)
		if err != nil {
			out.items = append(out.items, sdk.ItemResult{Item: i, Verdict: sdk.Rejected, Reason: ReasonBadChunk, Message: err.Error()})
			continue
		}
		batch.Items = append(batch.Items, chunk)
		out.kept = append(out.kept, i)
	}
	return batch, out
}

// into gives the items of the author's result their places in the batch, and
// adds those that were rejected before. What names no item stays wrong, for the
// engine to say so.
func (u unreadable) into(result sdk.Result) sdk.Result {
	if len(u.items) == 0 {
		return result
	}
	place := func(item int) int {
		if item < 0 || item >= len(u.kept) {
			return item + len(u.items)
		}
		return u.kept[item]
	}
	for i := range result.Records {
		result.Records[i].Item = place(result.Records[i].Item)
	}
	for i := range result.Items {
		result.Items[i].Item = place(result.Items[i].Item)
	}
	result.Items = append(result.Items, u.items...)
	return result
}
