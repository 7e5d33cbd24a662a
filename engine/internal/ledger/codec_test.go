package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"
)

// cells are one of each kind that is stored.
var cells = []struct {
	name string
	cell Cell
}{
	{"nothing but tries", Cell{Tries: 6}},
	{"complete, two sources", Cell{
		State: Complete, Covered: 720, Expected: 720, Tries: 6,
		LastAttempt: at("2026-09-15T12:00:00Z"), LastAnswer: at("2026-09-15T12:00:00Z"),
		Hash: 0x0123456789abcdef, Revision: 1, Raw: &Location{7, 12_345_678}, delivered: []uint32{1, 1},
	}},
	{"partial, failed since, second source has none", Cell{
		State: Partial, Covered: 312, Expected: 2976, Tries: 2, Class: TimedOut,
		LastAttempt: at("2026-09-15T12:00:00Z"), LastAnswer: at("2026-09-13T07:30:00Z"),
		Hash: 1, Revision: 200, Raw: &Location{0, 0}, delivered: []uint32{200, 0, 199},
	}},
	{"empty", Cell{
		State: Empty, Expected: 744, Tries: 5,
		LastAttempt: at("2026-09-15T12:00:00Z"), LastAnswer: at("2026-09-15T12:00:00Z"),
	}},
	{"refused", Cell{State: Refused, Tries: 0, Class: Unauthorised, LastAttempt: at("2026-09-15T12:00:00Z")}},
	{"failed in a wide window", Cell{
		State: Failed, Tries: 5, Class: Unavailable, Alone: true, LastAttempt: at("2026-09-15T12:00:00Z"),
	}},
	{"the largest", Cell{
		State: Complete, Covered: math.MaxInt32 - 1, Expected: math.MaxInt32, Tries: 255, Class: Other, Alone: true,
		LastAttempt: time.Unix(math.MaxUint32, 0).UTC(), LastAnswer: time.Unix(1, 0).UTC(),
		Hash: math.MaxUint64, Revision: math.MaxUint32, Raw: &Location{math.MaxInt32, math.MaxInt64},
		delivered: []uint32{math.MaxUint32},
	}},
}

// TestStoredFormsAreKept guards what lies in the stores of people.
func TestStoredFormsAreKept(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	for _, c := range cells {
		fmt.Fprintf(&text, "%-48s %x\n", c.name, c.cell.encode())
	}
	for o := range outcomeNames {
		a := Attempt{Outcome: Outcome(o), At: at("2026-09-15T12:00:00Z"), Count: 3}
		if a.Outcome == OutcomeKept {
			a.Raw = Location{7, 12_345_678}
		}
		fmt.Fprintf(&text, "query %-42s %x\n", a.Outcome, a.encode())
	}
	q := Query{"a1", testCUPS, "2", 5, hourly("2026-09").Series, month("2026-09"), month("2026-09")}
	fmt.Fprintf(&text, "key of an hourly query %s\n", q.Key())
	field, err := hourly("2026-09").field()
	must(t, err)
	fmt.Fprintf(&text, "field of an hourly chunk %s\n", field)
	golden(t, "stored.txt", text.Bytes())
}

func TestCellsSurviveTheStore(t *testing.T) {
	t.Parallel()
	for _, c := range cells {
		got, err := decodeCell(c.cell.encode())
		if err != nil || !reflect.DeepEqual(got, c.cell) {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, got, err, c.cell)
		}
	}
}

func TestDecodeRefusesWhatIsNoCell(t *testing.T) {
	t.Parallel()
	whole := cells[1].cell.encode()
	// Cut anywhere before its deliveries a cell is malformed.
	for n := range len(whole) - 2 {
		if _, err := decodeCell(whole[:n]); !errors.Is(err, errMalformed) {
			t.Errorf("cut after %d bytes: got %v", n, err)
		}
	}
	for name, mend := range map[string]struct {
		change func(b []byte)
		want   error
	}{
		"newer version": {func(b []byte) { b[0] += 1 << 4 }, ErrVersion},
		"unknown state": {func(b []byte) { b[0] |= 0xf }, errMalformed},
		"unended count": {func(b []byte) { b[len(b)-1] |= 0x80 }, errMalformed},
	} {
		data := bytes.Clone(whole)
		mend.change(data)
		if _, err := decodeCell(data); !errors.Is(err, mend.want) {
			t.Errorf("%s: got %v, want %v", name, err, mend.want)
		}
	}
}

func TestQueryKeys(t *testing.T) {
	t.Parallel()
	base := Query{"a1", testCUPS, "2", 5, hourly("2026-09").Series, month("2026-09"), month("2026-09")}
	wattage := base
	wattage.Series = power("2026-09").Series
	for name, c := range map[string]struct {
		from   Query
		change func(*Query)
		same   bool
	}{
		"another spelling of the CUPS":  {base, func(q *Query) { q.CUPS = "es0031000000000001bj" }, true},
		"another account":               {base, func(q *Query) { q.Account = "a2" }, false},
		"another CUPS":                  {base, func(q *Query) { q.CUPS = "ES0021000000000001RK" }, false},
		"another distributor":           {base, func(q *Query) { q.Distributor = "8" }, false},
		"another point type":            {base, func(q *Query) { q.PointType = 4 }, false},
		"a longer window":               {base, func(q *Query) { q.From-- }, false},
		"quarter-hours":                 {base, func(q *Query) { q.Series.Resolution = "PT15M" }, false},
		"power for consumption":         {base, func(q *Query) { q.Series = wattage.Series }, false},
		"reactive energy for power":     {wattage, func(q *Query) { q.Series = Key{}.Series; q.Series.Property = "ReactiveEnergy" }, true},
		"power, of another point type":  {wattage, func(q *Query) { q.PointType = 4 }, true},
		"power, over a window moved on": {wattage, func(q *Query) { q.To++ }, false},
	} {
		changed := c.from
		c.change(&changed)
		if same := changed.Key() == c.from.Key(); same != c.same {
			t.Errorf("%s: the same query %t, want %t", name, same, c.same)
		}
	}
}

func FuzzDecodeCell(f *testing.F) {
	for _, c := range cells {
		f.Add(c.cell.encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeCell(data)
		if err != nil {
			return
		}
		again, err := decodeCell(c.encode())
		if err != nil {
			t.Fatalf("%+v cannot be read back: %v", c, err)
		}
		c.delivered = trim(c.delivered)
		if len(c.delivered) == 0 {
			c.delivered = nil
		}
		if !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v came back as %+v", c, again)
		}
	})
}

func FuzzDecodeAttempt(f *testing.F) {
	f.Add(Attempt{Outcome: OutcomeAnswered, At: at("2026-09-15T12:00:00Z"), Count: 3}.encode())
	f.Add(Attempt{Outcome: OutcomeKept, At: at("2026-09-15T12:00:00Z"), Raw: Location{7, 12}}.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decodeAttempt(data)
		if err == nil && !bytes.Equal(a.encode(), data) {
			t.Fatalf("%x is read as %+v, which is written as %x", data, a, a.encode())
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add("h2609")
	f.Add("p2413")
	f.Fuzz(func(t *testing.T, field string) {
		key, ok := parseKey(field)
		if !ok {
			return
		}
		if again, err := key.field(); err != nil || again != field {
			t.Fatalf("%q is read as %s, which is written as %q, %v", field, key, again, err)
		}
	})
}
