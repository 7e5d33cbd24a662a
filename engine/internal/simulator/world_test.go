package simulator

import (
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
)

// TestSeed makes worlds: the same from the same seed, and the same hours too.
func TestSeed(t *testing.T) {
	t.Parallel()
	first, again, other := generate(1, 12, 4), generate(1, 12, 4), generate(2, 12, 4)
	if !reflect.DeepEqual(first, again) {
		t.Error("one seed made two worlds")
	}
	if reflect.DeepEqual(first, other) {
		t.Error("two seeds made one world")
	}
	curve := func(seed uint64) string {
		f := start(t, Config{Seed: seed, World: testWorld()})
		return f.get(f.login(anna), "get-consumption-data", hourly(home, "2", "2026/10", "2026/10")).body
	}
	if one := curve(1); one != curve(1) || one == curve(2) {
		t.Error("the seed does not decide the values")
	}
}

// TestGeneratedWorld checks that a small world has some of everything, and that
// its identifiers are in order.
func TestGeneratedWorld(t *testing.T) {
	t.Parallel()
	w := generate(1, 12, 4)
	ready, err := compile(w, 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, s := range w.Supplies {
		seen["distributor "+s.Distributor] = true
		seen["type "+string(rune('0'+s.PointType))] = true
		seen["surplus"] = seen["surplus"] || s.Surplus
		if digits := s.CUPS[2:18]; s.CUPS[18:20] != checkLetters(digits) {
			t.Errorf("check letters of %s", s.CUPS)
		}
		if s.Distributor == "8" && len(s.CUPS) != 20 || s.Distributor == "2" && !strings.HasSuffix(s.CUPS, "0F") {
			t.Errorf("length of %s of distributor %s", s.CUPS, s.Distributor)
		}
	}
	viewers := make(map[string]int)
	for _, e := range ready.entitlements(testNow) {
		viewers[e.CUPS]++
		seen["authorised"] = seen["authorised"] || e.NIF != ""
		seen["shared"] = seen["shared"] || viewers[e.CUPS] > 1
	}
	for _, want := range []string{
		"distributor 1", "distributor 2", "distributor 3", "distributor 4", "distributor 5", "distributor 6",
		"distributor 7", "distributor 8", "type 1", "type 2", "type 3", "type 4", "type 5", "surplus", "authorised", "shared",
	} {
		if !seen[want] {
			t.Errorf("the world has no %s", want)
		}
	}
	logins := make(map[string]bool)
	for _, l := range w.Logins {
		if logins[l.Username] {
			t.Errorf("two logins %s", l.Username)
		}
		logins[l.Username] = true
	}
}

// TestBigWorld makes the world of a large user: no two CUPS or NIFs alike, and
// listed in one go.
func TestBigWorld(t *testing.T) {
	t.Parallel()
	f := start(t, Config{Accounts: 3, Supplies: 3000})
	if got := len(f.list(f.login(f.sim.World().Logins[0].Username), nil).Supplies); got != 3000 {
		t.Errorf("%d supplies listed", got)
	}
}

// TestIdentifiers compares with published examples.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"ES0031000000000001BJ": makeCUPS(31, 1),
		"ES0021000000000001RK": makeCUPS(21, 1),
		"12345678Z":            makeDNI(12345678),
		"00000000T":            makeDNI(0),
		"X1234567L":            makeNIE(0, 1234567),
		"Y1234567X":            makeNIE(1, 1234567),
		"Z1234567R":            makeNIE(2, 1234567),
		"A58818501":            makeCIF('A', 5881850),
		"S0811001G":            makeCIF('S', 811001),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestWorldOfTheDocs reads the example of the package's documentation.
func TestWorldOfTheDocs(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(file.Doc.Text(), "# World file")
	example := text[strings.Index(text, "\t{"):]
	w, err := ReadWorld(strings.NewReader(example))
	if err != nil {
		t.Fatal(err)
	}
	ready, err := compile(*w, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(ready.supplies) != 2 || len(ready.consents) != 2 || ready.distributors["8"].DST != "B" || *ready.distributors["8"].Method != "" {
		t.Errorf("read as %+v", w)
	}
	_, text, _ = strings.Cut(text, "# Faults")
	rules, err := ReadFaults(strings.NewReader(text[strings.Index(text, "\t["):]))
	if err != nil || len(rules) != 1 || len(rules[0].Fault.Kind) != 4 {
		t.Errorf("faults read as %+v, %v", rules, err)
	}
}

func TestWorldProblems(t *testing.T) {
	t.Parallel()
	const supply = `"cups":"ES0031000000000001BJ0F","holders":["1"],"distributor":"2"`
	for text, want := range map[string]string{
		`{"odd":1}`:                       `unknown field "odd"`,
		`{"logins":[{"username":"1"}]}`:   "logins[0]: needs a username and a password",
		`{"supplies":[{"cups":"ES1"}]}`:   `supplies[0]: cups: "ES1"`,
		`{"supplies":[{` + supply + `}]}`: "point_type: 0",
		`{"supplies":[{` + supply + `,"point_type":5,"from":"2020/01/01"}]}`:                 `from: "2020/01/01"`,
		`{"supplies":[{` + supply + `,"point_type":5},{` + supply + `,"point_type":5}]}`:     "supplies[1]: cups",
		`{"supplies":[{` + supply + `,"point_type":5,"earlier":[{"from":"2019-01-01"}]}]}`:   "earlier",
		`{"supplies":[{"cups":"ES0031000000000001BJ0F","distributor":"2","point_type":5}]}`:  "holders: nobody",
		`{"supplies":[{"cups":"ES0031000000000001BJ0F","holders":["1"],"distributor":"9"}]}`: `distributor: "9"`,
		`{"consents":[{"holder":"1"}]}`: "consents[0]: needs",
		`{"consents":[{"holder":"1","login":"2","to":""},{"holder":"1","login":"2","to":"x"}]}`: `to: "x"`,
		`{"distributors":[{"code":"9"}]}`:                   `distributors[0].code: "9"`,
		`{"distributors":[{"code":"8","dst":"C"}]}`:         `distributors[0].dst: "C"`,
		`{"distributors":[{"code":"8","quarters":"half"}]}`: `distributors[0].quarters`,
	} {
		w, err := ReadWorld(strings.NewReader(text))
		if err == nil {
			_, err = compile(*w, 1)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestConfigProblems(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Accounts: -1, Corrections: Corrections{Share: 2}, Latency: Latency{Min: 2, Max: 1}, Faults: []Rule{{}}})
	for _, want := range []string{"accounts: -1", "corrections.share: 2", "latency: 2ns to 1ns", "faults[0]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

// TestWorldOfHabits lays habits over the world made from the seed.
func TestWorldOfHabits(t *testing.T) {
	t.Parallel()
	f := start(t, Config{Accounts: 1, Supplies: 2, World: &World{Distributors: []Distributor{{Code: "8", DST: "A"}}}})
	if len(f.sim.World().Logins) != 1 || f.sim.World().Supplies[1].Distributor != "8" {
		t.Fatalf("made %+v", f.sim.World())
	}
	for truth := range f.sim.Truth() {
		if truth.Flags == "merged" {
			t.Fatalf("merged: %+v", truth)
		}
	}
}

// FuzzWorld reads any world: it is refused, or can be listed.
func FuzzWorld(f *testing.F) {
	f.Add(string(mustJSON(testWorld())))
	f.Add(`{"logins":[{"username":"1","password":"2"}],"supplies":[{"cups":"ES0031000000000001BJ0F","holders":["1"],"distributor":"2","point_type":5,"to":"0001-01-01"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ReadWorld(strings.NewReader(text))
		if err != nil {
			return
		}
		ready, err := compile(*w, 1)
		if err != nil {
			return
		}
		for _, e := range ready.entitlements(testNow) {
			if ready.supply(e.Username, e.NIF, e.CUPS, testNow) == nil {
				t.Fatalf("%+v is listed, but not seen", e)
			}
		}
	})
}
