package plugin

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
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

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
		converted[i] = B(text(string(s)))
	}
	return converted
}

func each[A, B any](list []A, convert func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	converted := make([]B, len(list))
	for i, item := range list {
		converted[i] = convert(item)
	}
	return converted
}

func seriesToWire(s sdk.Series) *pb.Series {
	return &pb.Series{Property: text(string(s.Property)), Resolution: text(string(s.Resolution))}
}

func seriesFromWire(s *pb.Series) sdk.Series {
	return sdk.Series{Property: sdk.Property(s.GetProperty()), Resolution: sdk.Resolution(s.GetResolution())}
}

func instanceToWire(in sdk.Instance) *pb.Instance {
	return &pb.Instance{Name: in.Name, Dir: in.Dir, Temp: in.Temp}
}

func instanceFromWire(m *pb.Instance) sdk.Instance {
	return sdk.Instance{Name: m.GetName(), Dir: m.GetDir(), Temp: m.GetTemp()}
}

func grantToWire(g sdk.Grant) *pb.Grant {
	return &pb.Grant{
		Key: text(g.Key), Username: text(g.Username), Password: &pb.Secret{Text: text(g.Password.Reveal())},
		AuthorizedNifs: texts[string](g.AuthorizedNIFs), OwnSupplies: g.OwnSupplies, Cups: texts[string](g.CUPS),
	}
}

func grantFromWire(m *pb.Grant) sdk.Grant {
	return sdk.Grant{
		Key: m.GetKey(), Username: m.GetUsername(), Password: sdk.NewSecret(m.GetPassword().GetText()),
		AuthorizedNIFs: texts[sdk.NIF](m.GetAuthorizedNifs()), OwnSupplies: m.GetOwnSupplies(),
		CUPS: texts[sdk.CUPS](m.GetCups()),
	}
}

func routeToWire(r sdk.Route) *pb.Route {
	return &pb.Route{
		Topic: r.Topic, Tables: r.Tables, Extra: r.Extra,
		RowKeys: each(r.RowKeys, func(fields []string) *pb.RowKey { return &pb.RowKey{Fields: fields} }),
	}
}

func routeFromWire(m *pb.Route) sdk.Route {
	return sdk.Route{
		Topic: m.GetTopic(), Tables: m.GetTables(), Extra: m.GetExtra(),
		RowKeys: each(m.GetRowKeys(), (*pb.RowKey).GetFields),
	}
}

func problemsToWire(problems []sdk.Problem) []*pb.Problem {
	return each(problems, func(p sdk.Problem) *pb.Problem {
		return &pb.Problem{Path: text(p.Path), Message: text(p.Message)}
	})
}

func problemsFromWire(problems []*pb.Problem) []sdk.Problem {
	return each(problems, func(p *pb.Problem) sdk.Problem {
		return sdk.Problem{Path: p.GetPath(), Message: p.GetMessage()}
	})
}
