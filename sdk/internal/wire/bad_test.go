package wire

import (
	"flag"
	"os"
	"strings"
	"testing"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

var update = flag.Bool("update", false, "rewrite golden files")

// What is said about messages of plugins that do not fit together, as
// docs/bad-input.md shows it.
func TestBadInput(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	add := func(name string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: accepted", name)
			return
		}
		text.WriteString(name + "\n\t" + err.Error() + "\n")
	}
	for _, c := range []struct {
		name   string
		result *pb.BatchResult
	}{
		{"result: an item that was not in the batch", &pb.BatchResult{Items: []*pb.ItemResult{{Item: 7, Verdict: pb.Verdict_VERDICT_REJECTED}}}},
		{"result: no verdict", &pb.BatchResult{Items: []*pb.ItemResult{{Item: 1}}}},
		{"result: an unknown verdict", &pb.BatchResult{Items: []*pb.ItemResult{{Item: 1, Verdict: 99}}}},
		{"result: a record of an item that was not in the batch", &pb.BatchResult{Records: []*pb.Record{{Item: 4_000_000_000}}}},
	} {
		_, err := DecodeResult(c.result, 0, 3)
		add(c.name, err)
	}
	for _, c := range []struct {
		name  string
		chunk *pb.Chunk
	}{
		{"chunk: no month", &pb.Chunk{Id: "c1", Month: "July"}},
		{"chunk: a column too short", &pb.Chunk{Id: "c1", Month: "2026-07", Starts: []int64{1, 2}, Consumption: &pb.Column{Units: []int64{1}}}},
		{"chunk: too many spans", &pb.Chunk{Id: "c1", Month: "2026-07", Starts: []int64{1}, Spans: []uint32{1, 2}}},
	} {
		_, err := DecodeChunk(c.chunk)
		add(c.name, err)
	}
	const file = "testdata/bad-input.txt"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || text.String() != string(want) {
		t.Errorf("%s differs (%v); run with -update if that is meant\ngot\n%s", file, err, text.String())
	}
}
