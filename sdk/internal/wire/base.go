package wire

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
)

// text is s as protobuf takes it: a distributor's broken letter must not cost
// the batch.
func Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// stamp leaves the zero time out.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func unstamp(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func duration(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// texts converts between string types, element by element.
func texts[B, A ~string](list []A) []B {
	if list == nil {
		return nil
	}
	converted := make([]B, len(list))
	for i, s := range list {
		converted[i] = B(Text(string(s)))
	}
	return converted
}

func Each[A, B any](list []A, convert func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	converted := make([]B, len(list))
	for i, item := range list {
		converted[i] = convert(item)
	}
	return converted
}

func EncodeSeries(s sdk.Series) *pb.Series {
	return &pb.Series{Property: Text(string(s.Property)), Resolution: Text(string(s.Resolution))}
}

func DecodeSeries(s *pb.Series) sdk.Series {
	return sdk.Series{Property: sdk.Property(s.GetProperty()), Resolution: sdk.Resolution(s.GetResolution())}
}

func EncodeInstance(in sdk.Instance) *pb.Instance {
	return &pb.Instance{Name: in.Name, Dir: in.Dir, Temp: in.Temp}
}

func DecodeInstance(m *pb.Instance) sdk.Instance {
	return sdk.Instance{Name: m.GetName(), Dir: m.GetDir(), Temp: m.GetTemp()}
}

func EncodeGrant(g sdk.Grant) *pb.Grant {
	return &pb.Grant{
		Key: Text(g.Key), Username: Text(g.Username), Password: &pb.Secret{Text: Text(g.Password.Reveal())},
		AuthorizedNifs: texts[string](g.AuthorizedNIFs), OwnSupplies: g.OwnSupplies, Cups: texts[string](g.CUPS),
	}
}

func DecodeGrant(m *pb.Grant) sdk.Grant {
	return sdk.Grant{
		Key: m.GetKey(), Username: m.GetUsername(), Password: sdk.NewSecret(m.GetPassword().GetText()),
		AuthorizedNIFs: texts[sdk.NIF](m.GetAuthorizedNifs()), OwnSupplies: m.GetOwnSupplies(),
		CUPS: texts[sdk.CUPS](m.GetCups()),
	}
}

func EncodeRoute(r sdk.Route) *pb.Route {
	return &pb.Route{
		Topic: r.Topic, Tables: r.Tables, Extra: r.Extra,
		RowKeys: Each(r.RowKeys, func(fields []string) *pb.RowKey { return &pb.RowKey{Fields: fields} }),
	}
}

func DecodeRoute(m *pb.Route) sdk.Route {
	return sdk.Route{
		Topic: m.GetTopic(), Tables: m.GetTables(), Extra: m.GetExtra(),
		RowKeys: Each(m.GetRowKeys(), (*pb.RowKey).GetFields),
	}
}

func EncodeProblems(problems []sdk.Problem) []*pb.Problem {
	return Each(problems, func(p sdk.Problem) *pb.Problem {
		return &pb.Problem{Path: Text(p.Path), Message: Text(p.Message)}
	})
}

func DecodeProblems(problems []*pb.Problem) []sdk.Problem {
	return Each(problems, func(p *pb.Problem) sdk.Problem {
		return sdk.Problem{Path: p.GetPath(), Message: p.GetMessage()}
	})
}
