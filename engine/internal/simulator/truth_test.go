package simulator

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// wire is a row of consumption as this test understands it.
type wire struct {
	CUPS        string          `json:"cups"`
	Date        string          `json:"date"`
	Time        string          `json:"time"`
	Consumption json.RawMessage `json:"consumptionKWh"`
	Surplus     json.RawMessage `json:"surplusEnergyKWh"`
	Generation  json.RawMessage `json:"generationEnergyKWh"`
	Self        json.RawMessage `json:"selfConsumptionEnergyKWh"`
	Method      string          `json:"obtainMethod"`
}

func text(raw json.RawMessage) string {
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}

// instants are the one or two times at which the wall in Madrid shows a date
// and a time, earliest first.
func instants(t *testing.T, date, clock string) []time.Time {
	t.Helper()
	days := 0
	if strings.HasPrefix(clock, "24:") {
		clock, days = "00:"+clock[3:], 1
	}
	naive, err := time.Parse("2006/01/02 15:04", date+" "+clock)
	if err != nil {
		t.Fatal(err)
	}
	naive = naive.AddDate(0, 0, days)
	var found []time.Time
	for _, offset := range []time.Duration{2 * time.Hour, time.Hour} { // summer time comes first
		at := naive.Add(-offset)
		if at.In(madrid).Format("2006/01/02 15:04") == naive.Format("2006/01/02 15:04") {
			found = append(found, at)
		}
	}
	return found
}

// decode is the interval of a row, by the convention of its distributor: how
// often its label was there before on that day decides between two hours of
// one name.
func decode(t *testing.T, row wire, dst string, step time.Duration, before, sameLabel int) (start, end time.Time, flags string) {
	t.Helper()
	if dst == "A" { // the start's wall time, plus a step
		h, m := 0, 0
		if _, err := fmt.Sscanf(row.Time, "%d:%d", &h, &m); err != nil {
			t.Fatal(err)
		}
		minutes := h*60 + m - int(step/time.Minute)
		starts := instants(t, row.Date, fmt.Sprintf("%02d:%02d", minutes/60, minutes%60))
		start = starts[min(before, len(starts)-1)]
		return start, start.Add(step), ""
	}
	ends := instants(t, row.Date, row.Time)
	if len(ends) == 2 && dst == "B-merged" && sameLabel == 1 && step == time.Hour {
		return ends[0].Add(-step), ends[1], "merged"
	}
	end = ends[min(before, len(ends)-1)]
	return end.Add(-step), end, ""
}

// answers asks the API for a supply's whole window, month by month, and
// decodes it into lines of truth.
func (f *fixture) answers(token string, s Supply, nif, dst, resolution string, from, to month) []string {
	f.t.Helper()
	step, kind := time.Hour, "0"
	if resolution == "PT15M" {
		step, kind = 15*time.Minute, "1"
	}
	var lines []string
	for m := range months(from, to) {
		params := hourly(s.CUPS, s.Distributor, m.String(), m.String(), "measurementType", kind, "authorizedNif", nif)
		got := f.get(token, "get-consumption-data", params)
		var rows []wire
		if err := json.Unmarshal([]byte(got.body), &rows); err != nil {
			f.t.Fatalf("%s %s: %d %v", s.CUPS, m, got.status, err)
		}
		total := make(map[string]int)
		for _, row := range rows {
			total[row.Date+row.Time]++
		}
		before := make(map[string]int)
		for _, row := range rows {
			label := row.Date + row.Time
			start, end, flags := decode(f.t, row, dst, step, before[label], total[label])
			before[label]++
			lines = append(lines, line(Truth{
				CUPS: row.CUPS, Property: "EnergyConsumptionGridElectricity", Resolution: resolution, Start: start, End: end,
				Value: text(row.Consumption), Surplus: text(row.Surplus), Generation: text(row.Generation),
				SelfConsumption: text(row.Self), Method: row.Method, Flags: flags,
			}))
		}
	}
	return lines
}

func line(t Truth) string {
	return strings.Join([]string{
		t.CUPS, t.Property, t.Resolution, t.Start.UTC().Format(time.RFC3339), t.End.UTC().Format(time.RFC3339),
		t.Value, t.Surplus, t.Generation, t.SelfConsumption, t.Method, t.Period, t.Flags,
	}, ",")
}

func lines(truth iter.Seq[Truth], cups, property, resolution string) []string {
	var all []string
	for t := range truth {
		if t.CUPS == cups && t.Property == property && t.Resolution == resolution {
			all = append(all, line(t))
		}
	}
	return all
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s, line %d:\nanswered %s\ntruth    %s", what, i, got[i], want[i])
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d lines answered, %d in the truth", what, len(got), len(want))
	}
}

// TestCorrections looks at estimated hours before and after they are corrected.
func TestCorrections(t *testing.T) {
	t.Parallel()
	f := start(t, Config{World: youngWorld(), Corrections: Corrections{Share: 0.2, After: 10 * 24 * time.Hour}})
	before := slices.Collect(f.sim.Truth())
	f.sim.SetNow(testNow.Add(10 * 24 * time.Hour))
	after := make(map[string]Truth)
	for truth := range f.sim.Truth() {
		after[line(Truth{CUPS: truth.CUPS, Resolution: truth.Resolution, Start: truth.Start})] = truth
	}
	changed := 0
	for _, was := range before {
		if was.Property != "EnergyConsumptionGridElectricity" || was.CUPS != home {
			continue
		}
		is := after[line(Truth{CUPS: was.CUPS, Resolution: was.Resolution, Start: was.Start})]
		if is.Value == was.Value {
			continue
		}
		changed++
		if was.Method != "Estimada" || is.Method == "" || testNow.Sub(was.End) >= 10*24*time.Hour {
			t.Errorf("%s became %s", line(was), line(is))
		}
	}
	if hours := (10 - 2) * 24; changed < hours/10 || changed > hours*3/10 {
		t.Errorf("%d of about %d hours were corrected, want one in five", changed, hours)
	}
}

// TestTruthIsWhatIsAnswered asks for everything, with a decoder of its own.
func TestTruthIsWhatIsAnswered(t *testing.T) {
	t.Parallel()
	short := "2025-09-15" // keeps the window to the months with both change days
	world := testWorld()
	for i := range world.Supplies {
		world.Supplies[i].From = short
	}
	world.Supplies[1].To = "2026-04-20"
	world.Distributors = []Distributor{{Code: "5", DST: "B", NullHours: 0.1, Fields: "surplus"}}
	now := time.Date(2026, 4, 24, 15, 40, 0, 0, time.UTC)
	f := start(t, Config{World: world, Seed: 3, PartialDay: true, Now: func() time.Time { return now }})
	begin := time.Date(2025, 9, 14, 22, 0, 0, 0, time.UTC)
	hours := int(now.Add(-48*time.Hour).Sub(begin) / time.Hour)
	hoursToEnd := int(time.Date(2026, 4, 20, 22, 0, 0, 0, time.UTC).Sub(begin) / time.Hour)
	tests := []struct {
		user, nif  string
		supply     int
		dst        string
		resolution string
		rows       int
	}{
		{anna, "", 0, "A", "PT1H", hours},
		{anna, "", 1, "B-merged", "PT1H", hoursToEnd - 1}, // two of them in one row
		{anna, firm, 2, "A", "PT1H", hours},
		{anna, firm, 2, "A", "PT15M", 4 * hours},
		{bert, firm, 3, "B", "PT1H", hours},
	}
	for _, test := range tests {
		s := world.Supplies[test.supply]
		t.Run(s.CUPS+test.resolution, func(t *testing.T) {
			token := f.login(test.user)
			got := f.answers(token, s, test.nif, test.dst, test.resolution, month{2025, 9}, month{2026, 4})
			compare(t, s.CUPS, got, lines(f.sim.Truth(), s.CUPS, "EnergyConsumptionGridElectricity", test.resolution))
			if len(got) != test.rows {
				t.Errorf("%d rows, want %d", len(got), test.rows)
			}
		})
	}
}

// TestTruthOfPower compares the maxima of the whole window, asked in one call,
// with the truth, and sees that they lie where they must.
func TestTruthOfPower(t *testing.T) {
	t.Parallel()
	world := testWorld()
	world.Supplies[1].Earlier = []Contract{{From: "2024-02-01", To: "2025-08-19"}}
	world.Supplies[1].From = "2025-08-20"
	f := start(t, Config{World: world})
	token := f.login(anna)
	got := f.get(token, "get-max-power-v2", window(shop, "8", "2024/12", "2026/11"))
	var body struct {
		MaxPower []struct {
			CUPS, Date, Time, Period string
			MaxPower                 json.Number
		}
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	perMonth := make(map[string]int)
	var answered []string
	for _, p := range body.MaxPower {
		end := instants(t, p.Date, p.Time)
		if len(end) != 1 {
			t.Errorf("%s %s has %d instants", p.Date, p.Time, len(end))
		}
		perMonth[p.Date[:7]]++
		answered = append(answered, line(Truth{
			CUPS: p.CUPS, Property: "Power", Resolution: "P1M", Start: end[0].Add(-15 * time.Minute), End: end[0],
			Value: p.MaxPower.String(), Period: p.Period,
		}))
	}
	compare(t, "power", answered, lines(f.sim.Truth(), shop, "Power", "P1M"))
	for m := range months(month{2024, 12}, month{2026, 11}) {
		want := 6
		if m == (month{2025, 8}) { // two contracts
			want = 12
		}
		if n := perMonth[m.String()]; n != want {
			t.Errorf("%s has %d maxima, want %d", m, n, want)
		}
	}
}

func TestTruthOfReactiveEnergy(t *testing.T) {
	t.Parallel()
	f := start(t, Config{})
	got := f.get(f.login(anna), "get-reactive-data-v2", window(shop, "8", "2024/12", "2026/10"))
	var body struct {
		ReactiveEnergy struct {
			Energy []map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	var answered []string
	for _, e := range body.ReactiveEnergy.Energy {
		begin := instants(t, strings.Trim(string(e["date"]), `"`)+"/01", "00:00")[0]
		for p := 1; p <= 6; p++ {
			answered = append(answered, line(Truth{
				CUPS: shop, Property: "ReactiveEnergy", Resolution: "P1M", Start: begin,
				End:   begin.In(madrid).AddDate(0, 1, 0),
				Value: string(e[fmt.Sprintf("energy_p%d", p)]), Period: fmt.Sprint(p),
			}))
		}
	}
	if len(answered) != 23*6 {
		t.Errorf("%d values, want those of 23 months", len(answered))
	}
	compare(t, "reactive energy", answered, lines(f.sim.Truth(), shop, "ReactiveEnergy", "P1M"))
}

// TestRecorded serves the real home's hours: as they were sent, with the sums
// that they have.
func TestRecorded(t *testing.T) {
	t.Parallel()
	sim, err := New(Config{Recorded: os.DirFS("testdata/household")})
	if err != nil {
		t.Fatal(err)
	}
	if got := sim.Now().In(madrid).Format("2006-01-02"); got != "2022-07-01" {
		t.Errorf("the clock starts on %s", got)
	}
	if err := sim.Close(); err != nil {
		t.Fatal(err)
	}
	const household = "ES0031408123456001FN0F"
	f := start(t, Config{
		Recorded: os.DirFS("testdata/household"), Username: anna, Password: "any",
		Now: func() time.Time { return time.Date(2022, 7, 1, 10, 0, 0, 0, time.UTC) },
	})
	token := f.login(anna)
	supplies := f.get(token, "get-supplies", nil)
	if want := `"cups":"` + household + `"`; !strings.Contains(supplies.body, want) || !strings.Contains(supplies.body, `"distributorCode":"2"`) {
		t.Errorf("supplies: %s", supplies.body)
	}
	home := Supply{CUPS: household, Distributor: "2"}
	answered := f.answers(token, home, "", "A", "PT1H", month{2022, 3}, month{2022, 6})
	compare(t, "household", answered, lines(f.sim.Truth(), household, "EnergyConsumptionGridElectricity", "PT1H"))
	sums := make(map[string]*big.Rat)
	for truth := range f.sim.Truth() {
		m := truth.Start.In(madrid).Format("2006-01")
		value, _ := new(big.Rat).SetString(truth.Value)
		if sums[m] == nil {
			sums[m] = new(big.Rat)
		}
		sums[m].Add(sums[m], value)
	}
	got := make(map[string]string)
	for m, sum := range sums {
		got[m] = sum.FloatString(3)
	}
	if want := map[string]string{"2022-03": "215.337", "2022-04": "274.174", "2022-05": "274.228", "2022-06": "259.439"}; !maps.Equal(got, want) {
		t.Errorf("sums %v, want %v", got, want)
	}
	file, err := os.ReadFile("testdata/household/consumption-2022-04.json")
	if err != nil {
		t.Fatal(err)
	}
	v2 := f.get(token, "get-consumption-data-v2", hourly(household, "2", "2022/04", "2022/04", "authorizedNif", ""))
	if v2.status != 429 { // asked above, in version 1
		t.Errorf("April again: %d", v2.status)
	}
	f.sim.SetNow(f.sim.Now().Add(24 * time.Hour))
	v2 = f.get(f.login(anna), "get-consumption-data-v2", hourly(household, "2", "2022/04", "2022/04"))
	if want := `{"timeCurve":` + strings.TrimSpace(string(file)) + `,"distributorError":[]}`; v2.body != want {
		t.Errorf("April is not as it was recorded: %.300s", v2.body)
	}
	if got := f.send(f.request("POST", "/nikola-auth/tokens/login", "", url.Values{"username": {anna}, "password": {"other"}})); got.status != 500 {
		t.Errorf("another password: %d", got.status)
	}
}

// TestTables reads the files for checkers back.
func TestTables(t *testing.T) {
	t.Parallel()
	f := start(t, Config{World: youngWorld()})
	var users, entitled, truth strings.Builder
	for _, err := range []error{f.sim.WriteUsers(&users), f.sim.WriteEntitlements(&entitled), f.sim.WriteTruth(&truth)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantUsers := "username,password,authorized_nifs,self,cups\n" +
		anna + ",first&%2," + firm + ",true,\n" + bert + ",second," + anna + ";" + firm + ",false,\n"
	if users.String() != wantUsers {
		t.Errorf("users\n%s\nwant\n%s", users.String(), wantUsers)
	}
	wantEntitled := "username,nif,cups\n" + bert + "," + firm + "," + tower + "\n" + bert + "," + firm + "," + plant + "\n" +
		anna + ",," + shop + "\n" + anna + ",," + home + "\n" + anna + "," + firm + "," + plant + "\n"
	if entitled.String() != wantEntitled {
		t.Errorf("entitlements\n%s\nwant\n%s", entitled.String(), wantEntitled)
	}
	rows, err := csv.NewReader(strings.NewReader(truth.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.Collect(f.sim.Truth())); len(rows) != n+1 {
		t.Errorf("%d rows of truth written, %d there", len(rows)-1, n)
	}
	if want := "cups,property,resolution,start,end,value,surplus,generation,self_consumption,method,period,flags"; strings.Join(rows[0], ",") != want {
		t.Errorf("columns %v", rows[0])
	}
}
