package sdktest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// brokenKey makes the test binary run the suite on a plugin with a mistake.
const brokenKey = "DATADIS_TEST_BROKEN"

// broken is a shelf with a mistake.
type broken struct {
	shelf
	mistake string
	calls   uint64
}

func (b *broken) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	b.calls++
	switch b.mistake {
	case "appends":
		b.hashes["calls"] = b.calls
	case "keeps the first":
		for i := range batch.Items {
			if _, known := b.hashes[batch.Items[i].ID]; known {
				batch.Items = nil
				break
			}
		}
	case "fails on nothing":
		if len(batch.Items) == 0 {
			return sdk.Result{}, errors.New("nothing")
		}
	case "rejects power":
		if batch.Items != nil && batch.Items[len(batch.Items)-1].Series == sdk.PowerMonthly {
			return sdk.Result{Items: []sdk.ItemResult{{Item: 0, Verdict: sdk.Rejected}}}, nil
		}
	case "names items beyond":
		return sdk.Result{Items: []sdk.ItemResult{{Item: len(batch.Items), Verdict: sdk.Skipped}}}, nil
	}
	return b.shelf.HarmonizeTimeSeries(ctx, batch)
}

// swallower ignores what send says, and what its context says.
type swallower struct{ members }

func (s swallower) ListGrants(_ context.Context, send func(sdk.Grant) error) error {
	for _, grant := range append(s.members, s.members...) {
		_ = send(grant)
	}
	return nil
}

func TestBroken(t *testing.T) {
	mistake := os.Getenv(brokenKey)
	switch mistake {
	case "":
		t.Skip("is run by TestTheSuiteFindsMistakes")
	case "swallows":
		sdktest.Source(t, func(*testing.T) sdk.Source {
			return swallower{members{{Key: "a", Username: "A", Password: sdk.NewSecret("pw"), OwnSupplies: true}}}
		})
	default:
		sdktest.Harmonizer(t, func(*testing.T) sdktest.Fresh {
			b := &broken{shelf: shelf{map[string]uint64{}}, mistake: mistake}
			return sdktest.Fresh{Harmonizer: b, Snapshot: func(*testing.T) any {
				copied := map[string]uint64{}
				for key, hash := range b.hashes {
					copied[key] = hash
				}
				return copied
			}}
		})
	}
}

// A suite that passes everything is worth nothing.
func TestTheSuiteFindsMistakes(t *testing.T) {
	t.Parallel()
	for mistake, subtests := range map[string][]string{
		"appends":            {"repeats_a_batch_without_a_trace", "takes_items_one_by_one"},
		"keeps the first":    {"takes_a_revision"},
		"fails on nothing":   {"takes_an_empty_batch"},
		"rejects power":      {"takes_every_kind_of_month"},
		"names items beyond": {"takes_every_kind_of_month"},
		"swallows":           {"lists_whole_grants", "stops_when_it_is_refused", "fails_when_it_is_cancelled"},
	} {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestBroken$", "-test.v")
			cmd.Env = append(os.Environ(), brokenKey+"="+mistake)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("passed:\n%s", out)
			}
			for _, name := range subtests {
				if !strings.Contains(string(out), "--- FAIL: TestBroken/"+name) {
					t.Errorf("%s passed:\n%s", name, out)
				}
			}
		})
	}
}
