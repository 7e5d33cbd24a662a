package simulator

import (
	"slices"
	"testing"
	"testing/fstest"
	"time"
)

// TestFrontier says up to when is published, by day and by hour.
func TestFrontier(t *testing.T) {
	t.Parallel()
	days := func(n float64) *float64 { return &n }
	at := time.Date(2026, 10, 26, 22, 40, 0, 0, time.UTC) // 23:40 in Madrid, a day after the clocks changed
	tests := []struct {
		name string
		p    published
		d    Distributor
		want string // UTC
	}{
		{"whole days", published{now: at, lag: 48 * time.Hour}, Distributor{}, "2026-10-24T22:00:00Z"},
		{"hours", published{now: at, lag: 48 * time.Hour, partialDay: true}, Distributor{}, "2026-10-24T22:00:00Z"},
		{"hours, earlier", published{now: at.Add(-3 * time.Hour), lag: 48 * time.Hour, partialDay: true}, Distributor{}, "2026-10-24T19:00:00Z"},
		{"whole days, earlier", published{now: at.Add(-3 * time.Hour), lag: 48 * time.Hour}, Distributor{}, "2026-10-23T22:00:00Z"},
		{"no lag", published{now: at}, Distributor{}, "2026-10-25T23:00:00Z"},
		{"a distributor's own lag", published{now: at, lag: 48 * time.Hour}, Distributor{LagDays: days(7.5)}, "2026-10-18T22:00:00Z"},
		{"a distributor without one", published{now: at, lag: 48 * time.Hour}, Distributor{LagDays: days(0)}, "2026-10-25T23:00:00Z"},
	}
	for _, test := range tests {
		if got := test.p.frontier(&test.d).UTC().Format(time.RFC3339); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestMeter checks that quarters and hours agree, and so do the four energies.
func TestMeter(t *testing.T) {
	t.Parallel()
	w, err := compile(*testWorld(), 1)
	if err != nil {
		t.Fatal(err)
	}
	s := w.byCUPS[plant]
	zeros, sunny := 0, 0
	for hour := testNow.Unix(); hour < testNow.Unix()+60*24*hourSeconds; hour += hourSeconds {
		var sum energies
		for q := hour; q < hour+hourSeconds; q += quarterSeconds {
			sum.add(s.meter(q, q+quarterSeconds))
		}
		whole := s.meter(hour, hour+hourSeconds)
		if whole != sum || whole.generation != whole.surplus+whole.self || whole.consumption < 0 {
			t.Fatalf("hour %+v, quarters %+v", whole, sum)
		}
		if whole.consumption == 0 {
			zeros++
		}
		if whole.surplus > 0 {
			sunny++
		}
	}
	if zeros == 0 || zeros > 40 {
		t.Errorf("%d of 1440 hours are zero, want a few", zeros)
	}
	if sunny == 0 || sunny > 1440*2/3 {
		t.Errorf("%d of 1440 hours have a surplus, want those of the day", sunny)
	}
	if e := w.byCUPS[home].meter(testNow.Unix(), testNow.Unix()+hourSeconds); e.surplus != null || e.generation != null || e.self != null {
		t.Errorf("a home without panels has %+v", e)
	}
}

func TestDecimals(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0.0", 1: "0.001", 90: "0.09", 110: "0.11", 300: "0.3", 312: "0.312", 1005: "1.005", 12000: "12.0", -50: "-0.05", null: "",
	} {
		if got := decimal(n); got != want {
			t.Errorf("%d thousandths are written %s, want %s", n, got, want)
		}
	}
}

// TestPeakTimes looks at every day of two years: a peak's label names one
// instant, and lies in the month that it is of.
func TestPeakTimes(t *testing.T) {
	t.Parallel()
	s := &supply{}
	for d := (month{2025, 1}).start(); d.Year() < 2027; d = d.AddDate(0, 0, 1) {
		for roll := range 300 {
			end := s.peakTime(d, newDice(uint64(roll)))
			if monthOf(end) != monthOf(d) || !end.After(d) || end.After(d.AddDate(0, 0, 1)) || end.Unix()%quarterSeconds != 0 {
				t.Fatalf("a peak of %s ends at %s", d.Format(time.DateOnly), end)
			}
			if n := len(instants(t, end.Format(slashDate), end.Format("15:04"))); n != 1 {
				t.Fatalf("%s is the label of %d instants", end, n)
			}
		}
	}
}

// TestRecordedDays reads bodies of both versions in any order: the equal labels
// of the autumn day are two hours, and labels that cannot be are left out.
func TestRecordedDays(t *testing.T) {
	t.Parallel()
	const row = `{"cups":"ES0022000000000003FJ","date":"2025/`
	sim, err := New(Config{Recorded: fstest.MapFS{
		"a.json": {Data: []byte(`{"timeCurve":[` +
			row + `10/26","time":"03:00","consumptionKWh":1.10},` + row + `10/26","time":"03:00","consumptionKWh":null},` +
			row + `10/26","time":"33:00","consumptionKWh":3}],"distributorError":[]}`)},
		"b.json":    {Data: []byte(`[` + row + `10/25","time":"24:00","consumptionKWh":0.5,"obtainMethod":"Real"}]`)},
		"notes.txt": {Data: []byte("none of it")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	}()
	if got := sim.Now().In(madrid).Format(time.DateOnly); got != "2025-10-27" {
		t.Errorf("the clock starts on %s", got)
	}
	var got []string
	for truth := range sim.Truth() {
		got = append(got, line(truth))
	}
	const head = "ES0022000000000003FJ,EnergyConsumptionGridElectricity,PT1H,2025-10-"
	want := []string{
		head + "25T21:00:00Z,2025-10-25T22:00:00Z,0.5,,,,Real,,",
		head + "26T00:00:00Z,2025-10-26T01:00:00Z,1.10,,,,,,",
		head + "26T01:00:00Z,2025-10-26T02:00:00Z,,,,,,,",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for name, data := range map[string]string{"rows": `[{"date":"2025/01/01"}]`, "dates": `[{"cups":"x","date":"1"}]`, "JSON": `{`, "anything": `[]`} {
		if _, err := New(Config{Recorded: fstest.MapFS{"a.json": {Data: []byte(data)}}}); err == nil {
			t.Errorf("a folder without good %s is taken", name)
		}
	}
}
