package wire

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
)

// filler fills every field of a value with something that is not zero, so that
// a field which a conversion forgets shows.
type filler struct{ random *rand.Rand }

func (f filler) fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(f.random.Int64N(4e9)+1, f.random.Int64N(1e9)).UTC()))
		return
	case time.Duration:
		v.SetInt(f.random.Int64N(1e15) + 1)
		return
	case sdk.Month:
		v.SetInt(f.random.Int64N(12*9998) + 12)
		return
	case sdk.Secret:
		v.Set(reflect.ValueOf(sdk.NewSecret(f.text())))
		return
	case sdk.Decimal:
		v.Set(reflect.ValueOf(sdk.Decimal{Units: f.random.Int64(), Scale: f.random.Int32N(sdk.MaxScale) + 1}))
		return
	case sdk.Outcome:
		v.SetString(string(pick(f, sdk.Complete, sdk.Partial, sdk.Aborted)))
		return
	case sdk.Verdict:
		v.SetString(string(pick(f, sdk.Skipped, sdk.Rejected, sdk.Retry)))
		return
	}
	f.fillKind(v)
}

func (f filler) fillKind(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(f.random.Int64N(1<<31-1) + 1)
	case reflect.Uint8:
		v.SetUint(uint64(f.random.IntN(255) + 1))
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.random.IntN(1<<16-1) + 1))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(f.text()), reflect.ValueOf(f.text()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	default:
		panic(fmt.Sprintf("cannot fill %s", v.Type()))
	}
}

func (f filler) text() string { return fmt.Sprintf("ñ%x", f.random.Uint64()) }

func pick[T any](f filler, list ...T) T { return list[f.random.IntN(len(list))] }

// travel sends a message through its bytes.
func travel[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	bytes, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	back, _ := m.ProtoReflect().New().Interface().(M)
	if err := proto.Unmarshal(bytes, back); err != nil {
		t.Fatal(err)
	}
	return back
}

// roundTrip checks that every field of T survives, filled, and left out.
func roundTrip[T any](t *testing.T, there func(T) T, mend func(*T, filler)) {
	t.Helper()
	var zero T
	if mend == nil {
		mend = func(*T, filler) {}
	}
	mended := zero
	for seed := range uint64(50) {
		f := filler{rand.New(rand.NewPCG(seed, 1))}
		value := reflect.New(reflect.TypeFor[T]()).Elem()
		f.fill(value)
		v, _ := value.Interface().(T)
		mend(&v, f)
		if back := there(v); !reflect.DeepEqual(back, v) {
			t.Fatalf("%T: sent\n%+v\ncame\n%+v", v, v, back)
		}
	}
	if back := there(mended); !reflect.DeepEqual(back, zero) {
		t.Errorf("%T: the zero value came as %+v", zero, back)
	}
}

func TestEveryFieldTravels(t *testing.T) {
	t.Parallel()
	t.Run("grant", func(t *testing.T) {
		t.Parallel()
		roundTrip(t, func(g sdk.Grant) sdk.Grant { return DecodeGrant(travel(t, EncodeGrant(g))) }, nil)
	})
	t.Run("route", func(t *testing.T) {
		t.Parallel()
		roundTrip(t, func(r sdk.Route) sdk.Route { return DecodeRoute(travel(t, EncodeRoute(r))) }, nil)
	})
	t.Run("instance", func(t *testing.T) {
		t.Parallel()
		roundTrip(t, func(i sdk.Instance) sdk.Instance { return DecodeInstance(travel(t, EncodeInstance(i))) }, nil)
	})
	t.Run("supply", func(t *testing.T) {
		t.Parallel()
		roundTrip(t, func(s sdk.Supply) sdk.Supply { return DecodeSupply(travel(t, EncodeSupply(&s))) }, nil)
	})
	t.Run("run", func(t *testing.T) {
		t.Parallel()
		roundTrip(t, func(r sdk.Run) sdk.Run { return DecodeRun(travel(t, EncodeRun(r))) }, nil)
	})
	t.Run("chunk", func(t *testing.T) {
		t.Parallel()
		roundTrip(t, func(c sdk.Chunk) sdk.Chunk { return chunkThere(t, c) }, func(c *sdk.Chunk, f filler) {
			for _, column := range []*sdk.Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive} {
				column.Scale = f.random.Int32N(sdk.MaxScale + 1)
			}
			for i := range c.MethodIndex {
				c.MethodIndex[i] %= uint8(len(c.Methods))
			}
		})
	})
	t.Run("result", func(t *testing.T) {
		t.Parallel()
		roundTrip(t, func(r sdk.Result) sdk.Result {
			m, err := EncodeResult(r)
			if err != nil {
				t.Fatal(err)
			}
			back, err := DecodeResult(travel(t, m), 0, 1<<31)
			if err != nil {
				t.Fatal(err)
			}
			return back
		}, nil)
	})
}

func chunkThere(t *testing.T, c sdk.Chunk) sdk.Chunk {
	t.Helper()
	back, err := DecodeChunk(travel(t, EncodeChunk(&c)))
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestTheEndOfARunTravels(t *testing.T) {
	t.Parallel()
	there := func(e sdk.RunEnd) sdk.RunEnd { return DecodeRunEnd(travel(t, EncodeRunEnd(e))) }
	for seed := range uint64(20) {
		f := filler{rand.New(rand.NewPCG(seed, 2))}
		value := reflect.New(reflect.TypeFor[sdk.RunEnd]()).Elem()
		f.fill(value)
		if e, _ := value.Interface().(sdk.RunEnd); !reflect.DeepEqual(there(e), e) {
			t.Fatalf("%+v came as %+v", e, there(e))
		}
	}
	// An outcome that one end does not know must not be taken for complete.
	if e := there(sdk.RunEnd{Outcome: "splendid"}); e.Outcome != sdk.Partial {
		t.Error(e.Outcome)
	}
}

func TestNilIsNotEmptyInRecords(t *testing.T) {
	t.Parallel()
	for _, value := range [][]byte{nil, {}, {1}} {
		back := decodeRecord(travel(t, encodeRecord(sdk.Record{Key: value, Value: value})), 0)
		if (back.Key == nil) != (value == nil) || (back.Value == nil) != (value == nil) {
			t.Errorf("%#v came as %#v", value, back)
		}
	}
}

func TestBrokenTextDoesNotCostTheBatch(t *testing.T) {
	t.Parallel()
	s := sdk.Supply{Address: "C/ Espa\xf1a"}
	if back := DecodeSupply(travel(t, EncodeSupply(&s))); back.Address != "C/ Espa\uFFFDa" {
		t.Errorf("%q", back.Address)
	}
}

func TestChunksThatDoNotFitTogetherAreRefused(t *testing.T) {
	t.Parallel()
	good := func() *pb.Chunk {
		return &pb.Chunk{Id: "c", Month: "2026-03", Starts: []int64{0, 3600}, Consumption: &pb.Column{Units: []int64{1, 2}}}
	}
	if _, err := DecodeChunk(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*pb.Chunk){
		"spans":       func(c *pb.Chunk) { c.Spans = []uint32{1} },
		"flags":       func(c *pb.Chunk) { c.Flags = []uint32{1, 2, 3} },
		"units":       func(c *pb.Chunk) { c.Surplus = &pb.Column{Units: []int64{1}} },
		"scale":       func(c *pb.Chunk) { c.Consumption.Scale = 19 },
		"minus":       func(c *pb.Chunk) { c.Consumption.Scale = -1 },
		"methods":     func(c *pb.Chunk) { c.Methods, c.MethodIndex = []string{"Real"}, []byte{0, 1} },
		"month":       func(c *pb.Chunk) { c.Month = "2026" },
		"periods":     func(c *pb.Chunk) { c.Periods = []byte{1} },
		"no readings": func(c *pb.Chunk) { c.Starts = nil },
	} {
		c := good()
		spoil(c)
		if _, err := DecodeChunk(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// A month of hours has to stay small: it is what makes a separate process
// affordable.
func TestAMonthOnTheWireIsSmall(t *testing.T) {
	t.Parallel()
	c := sdk.Chunk{ID: "0123456789abcdef", Series: sdk.EnergyHourly, Month: sdk.NewMonth(2026, time.March), Methods: []string{"Real"}}
	start := c.Month.Start()
	for i := range c.Month.Hours() {
		c.Starts = append(c.Starts, start.Add(time.Duration(i)*time.Hour).Unix())
		c.Consumption.Set(i, sdk.Decimal{Units: int64(i), Scale: 3})
		c.MethodIndex = append(c.MethodIndex, 0)
	}
	if size := proto.Size(EncodeChunk(&c)); size > 5*len(c.Starts)+200 {
		t.Errorf("%d bytes for %d readings", size, len(c.Starts))
	}
	back := chunkThere(t, c)
	for i := range c.Starts {
		if back.Starts[i] != c.Starts[i] || back.Method(i) != "Real" {
			t.Fatalf("reading %d changed", i)
		}
	}
}

func FuzzChunk(f *testing.F) {
	seed, err := proto.Marshal(&pb.Chunk{Month: "2026-03", Starts: []int64{1, 2}, MethodIndex: []byte{0, 0},
		Consumption: &pb.Column{Scale: 3, Units: []int64{1, 2}, Missing: []byte{2}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(_ *testing.T, bytes []byte) {
		var m pb.Chunk
		if proto.Unmarshal(bytes, &m) != nil {
			return
		}
		c, err := DecodeChunk(&m)
		if err != nil {
			return
		}
		for i := range c.Len() { // no accessor may panic on what was taken
			_, _, _, _ = c.Start(i), c.Span(i), c.Flag(i), c.Method(i)
			for _, column := range []*sdk.Column{&c.Consumption, &c.Surplus, &c.Generation, &c.SelfConsumption, &c.Peak, &c.Reactive} {
				if d, ok := column.Value(i); ok {
					_ = d.String()
				}
			}
		}
	})
}
