package envelope

import (
	"fmt"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

// Messages that each claim to be one of very many parts take no more memory
// than those that have their readings.
func TestManyClaimedPartsAreAbandoned(t *testing.T) {
	t.Parallel()
	const limit, claimed = 100_000, 60_000
	a := NewAssembler(limit)
	abandoned := 0
	for i := range 50 {
		chunk := facts(sdk.EnergyHourly, sdk.NewMonth(2026, 7))
		chunk.ID, chunk.Starts = fmt.Sprint(i), []int64{1}
		whole, gone := a.Add(Part{Index: 0, Count: claimed, First: 0, Total: maxReadings, Chunk: chunk}, int64(i))
		if whole != nil {
			t.Fatal("whole with one part")
		}
		abandoned += len(gone)
	}
	if waiting := 50 - abandoned; waiting > 1+limit/claimed {
		t.Errorf("%d chunks of %d claimed parts wait", waiting, claimed)
	}
}
