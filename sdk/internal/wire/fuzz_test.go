package wire

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/datadis-engine/datadis/sdk"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

// FuzzMessages decodes any bytes as each message that the other side sends. A
// plugin may be written in any language, and broken in any way.
func FuzzMessages(f *testing.F) {
	for _, m := range []proto.Message{
		&pb.Supply{Cups: "ES0031000000000001BJ0F", FetchedAt: timestamppb.Now(), Contracts: []*pb.Contract{{}}},
		&pb.BatchResult{Items: []*pb.ItemResult{{}}, Records: []*pb.Record{{Topic: "t", Value: []byte("v")}}},
		&pb.EndRunRequest{}, &pb.Run{Id: "r1"}, &pb.Grant{Username: "12345678Z"},
		&pb.Route{Topic: "t"}, &pb.Instance{}, &pb.Problem{},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		decodeAny(t, data)
	})
}

func decodeAny(t *testing.T, data []byte) {
	t.Helper()
	if m := new(pb.Supply); proto.Unmarshal(data, m) == nil {
		s := DecodeSupply(m)
		if EncodeSupply(&s) == nil {
			t.Error("a supply that cannot be sent on")
		}
	}
	if m := new(pb.BatchResult); proto.Unmarshal(data, m) == nil {
		if result, err := DecodeResult(m, 3, 4); err == nil {
			checkItems(t, result)
		}
	}
	if m := new(pb.EndRunRequest); proto.Unmarshal(data, m) == nil {
		end := DecodeRunEnd(m)
		_ = EncodeRunEnd(end)
	}
	if m := new(pb.Run); proto.Unmarshal(data, m) == nil {
		_ = EncodeRun(DecodeRun(m))
	}
	if m := new(pb.Grant); proto.Unmarshal(data, m) == nil {
		_ = EncodeGrant(DecodeGrant(m))
	}
	if m := new(pb.Route); proto.Unmarshal(data, m) == nil {
		_ = EncodeRoute(DecodeRoute(m))
	}
	if m := new(pb.Instance); proto.Unmarshal(data, m) == nil {
		_ = EncodeInstance(DecodeInstance(m))
	}
	if m := new(pb.Problem); proto.Unmarshal(data, m) == nil {
		_ = DecodeProblems([]*pb.Problem{m})
	}
}

// checkItems expects a result that was taken to speak of items that there are.
func checkItems(t *testing.T, result sdk.Result) {
	t.Helper()
	for _, item := range result.Items {
		if item.Item < 3 || item.Item >= 7 {
			t.Errorf("item %d of the items 3 to 6", item.Item)
		}
	}
}
