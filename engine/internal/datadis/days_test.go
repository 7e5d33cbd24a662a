package datadis

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

const testCUPS sdk.CUPS = "ES0031000000000001BJ0F"

// rowsOf makes rows of one date, a row per label and value: "03:00=1.5".
func rowsOf(date string, entries ...string) []string {
	var rows []string
	for _, entry := range entries {
		label, value, found := strings.Cut(entry, "=")
		if !found {
			value = "1"
		}
		rows = append(rows, fmt.Sprintf(`{"cups":%q,"date":%q,"time":%q,"consumptionKWh":%s,"obtainMethod":"Real"}`, testCUPS, date, label, value))
	}
	return rows
}

// hours is the labels from first to last; those left out are missing.
func hours(first, last int, without ...int) []string {
	var labels []string
	for h := first; h <= last; h++ {
		if !slices.Contains(without, h) {
			labels = append(labels, fmt.Sprintf("%02d:00", h))
		}
	}
	return labels
}

// curve wraps rows as version 2 does.
func curve(rows ...[]string) []byte {
	return []byte(`{"timeCurve":[` + strings.Join(slices.Concat(rows...), ",") + `],"distributorError":[]}`)
}

// oneMonth is the shape of an answer for a month.
func oneMonth(t testing.TB, series sdk.Series, distributor sdk.Distributor, text string) Shape {
	t.Helper()
	m := month(t, text)
	return Shape{CUPS: testCUPS, Distributor: distributor, Series: series, From: m, To: m}
}

// shown is the readings of a chunk between two times of a UTC day and hour, as
// "26 00:00 1h 1.5 flags", plain lengths left out.
func shown(chunk *sdk.Chunk, from, to string) []string {
	var lines []string
	for i := range chunk.Len() {
		at := chunk.Start(i).Format("02 15:04")
		if at < from || at > to {
			continue
		}
		line := at
		if span := chunk.Span(i); span != chunk.Series.Step() {
			line += " " + strings.TrimSuffix(span.String(), "0m0s")
		}
		value := "-"
		if v, ok := chunk.Consumption.Value(i); ok {
			value = v.String()
		}
		line += " " + value
		if flags := chunk.Flag(i); flags != 0 {
			line += " " + flags.String()
		}
		lines = append(lines, line)
	}
	return lines
}

func decodeOne(t *testing.T, body []byte, shape Shape) (*sdk.Chunk, Report) {
	t.Helper()
	chunks, report, err := Decode(body, shape)
	if err != nil {
		t.Fatal(err)
	}
	if len(chunks) != 1 {
		t.Fatalf("got %d chunks", len(chunks))
	}
	return chunks[0], report
}

// 26 October 2025 has 25 hours: from the 25th, 22:00 UTC, to the 26th, 23:00.
func TestAutumnChangeDay(t *testing.T) {
	t.Parallel()
	doubled := func(label int) []string {
		return slices.Insert(hours(1, 24), label, fmt.Sprintf("%02d:00", label))
	}
	valued := func(labels []string, values ...string) []string {
		labels = slices.Clone(labels)
		for i, value := range values {
			labels[i] += "=" + value
		}
		return labels
	}
	tests := []struct {
		name        string
		distributor sdk.Distributor
		labels      []string
		readings    int
		covered     int
		want        []string // around the change
	}{
		{
			"A", "2", valued(doubled(3), "1", "2", "3", "4", "5"), 25, 25,
			[]string{"25 23:00 2", "26 00:00 3", "26 01:00 4", "26 02:00 5"},
		},
		{
			"A from a distributor that usually has B", "8", valued(doubled(3), "1", "2", "3", "4", "5"), 25, 25,
			[]string{"25 23:00 2", "26 00:00 3", "26 01:00 4", "26 02:00 5"},
		},
		{
			"B", "8", valued(doubled(2), "1", "2", "3", "4", "5"), 25, 25,
			[]string{"25 23:00 2", "26 00:00 3", "26 01:00 4", "26 02:00 5"},
		},
		{
			"B from a distributor that usually has A", "2", valued(doubled(2), "1", "2", "3", "4", "5"), 25, 25,
			[]string{"25 23:00 2", "26 00:00 3", "26 01:00 4", "26 02:00 5"},
		},
		{
			"B merged", "8", valued(hours(1, 24), "1.3", "2.566", "1.2"), 24, 25,
			[]string{"25 23:00 2h 2.566 merged", "26 01:00 1.2", "26 02:00 1"},
		},
		{
			"24 rows where A is usual", "2", valued(hours(1, 24), "1.3", "1.2", "2.5"), 24, 25,
			[]string{"25 23:00 1.2 assumed", "26 00:00 2h 2.5 merged+assumed", "26 02:00 1"},
		},
		{
			"A, another hour missing", "2", slices.Delete(doubled(3), 10, 11), 24, 24,
			[]string{"25 23:00 1", "26 00:00 1", "26 01:00 1", "26 02:00 1"},
		},
		{
			"A, the hour before missing", "2", slices.Delete(doubled(3), 1, 2), 24, 24,
			[]string{"26 00:00 1", "26 01:00 1", "26 02:00 1"},
		},
		{
			"B merged, the day not over", "8", hours(1, 18), 18, 19,
			[]string{"25 23:00 2h 1 merged+assumed", "26 01:00 1 assumed", "26 02:00 1"},
		},
		{
			"A, the day over after the first of the two", "2", hours(1, 3), 3, 3,
			[]string{"25 23:00 1 assumed", "26 00:00 1 assumed"},
		},
		{
			"midnight of the day before", "2", append([]string{"00:00=9"}, doubled(3)...), 26, 26,
			[]string{"25 23:00 1", "26 00:00 1", "26 01:00 1", "26 02:00 1"},
		},
		{
			"an hour three times", "2", slices.Insert(doubled(3), 4, "03:00=7"), 25, 25,
			[]string{"25 23:00 1", "26 00:00 1", "26 01:00 1 duplicate", "26 02:00 1"},
		},
		{
			"impossible labels", "2", append(doubled(3), "25:00", "10:30"), 25, 25,
			[]string{"25 23:00 1", "26 00:00 1", "26 01:00 1", "26 02:00 1"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chunk, report := decodeOne(t, curve(rowsOf("2025/10/26", test.labels...)), oneMonth(t, sdk.EnergyHourly, test.distributor, "2025-10"))
			if got := shown(chunk, "25 23:00", "26 02:00"); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if chunk.Len() != test.readings || chunk.Covered() != test.covered {
				t.Errorf("%d readings cover %d hours, want %d and %d", chunk.Len(), chunk.Covered(), test.readings, test.covered)
			}
			checkCounts(t, chunk, report)
		})
	}
}

// checkCounts checks that every row is accounted for, and that readings stand
// in time order and do not overlap.
func checkCounts(t *testing.T, chunk *sdk.Chunk, r Report) {
	t.Helper()
	if lost := r.Rows - r.Kept - r.Bad - r.Foreign - r.Outside - r.Impossible - r.Padding - r.Duplicates; lost != 0 {
		t.Errorf("%d rows are not accounted for: %+v", lost, r)
	}
	for i := 1; i < chunk.Len(); i++ {
		if chunk.Start(i).Before(chunk.End(i - 1)) {
			t.Errorf("reading %d starts at %s, before the one before it ends", i, chunk.Start(i))
		}
	}
}

// 29 March 2026 has 23 hours: from the 28th, 23:00 UTC, to the 29th, 22:00.
func TestSpringChangeDay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		distributor sdk.Distributor
		labels      []string
		readings    int
		padding     int
		want        []string
	}{
		{
			"A", "2", append([]string{"01:00=1", "02:00=2", "04:00=4"}, hours(5, 24)...), 23, 0,
			[]string{"28 23:00 1", "29 00:00 2", "29 01:00 4", "29 02:00 1"},
		},
		{
			"B", "8", append([]string{"01:00=1", "03:00=2", "04:00=4"}, hours(5, 24)...), 23, 0,
			[]string{"28 23:00 1", "29 00:00 2", "29 01:00 4", "29 02:00 1"},
		},
		{
			"A from a distributor that usually has B", "8", append([]string{"01:00=1", "02:00=2", "04:00=4"}, hours(5, 24)...), 23, 0,
			[]string{"28 23:00 1", "29 00:00 2", "29 01:00 4", "29 02:00 1"},
		},
		{
			"A padded with a zero", "2", append([]string{"01:00=1", "02:00=2", "03:00=0", "04:00=4"}, hours(5, 24)...), 23, 1,
			[]string{"28 23:00 1", "29 00:00 2", "29 01:00 4", "29 02:00 1"},
		},
		{
			"B padded with null", "8", append([]string{"01:00=1", "02:00=null", "03:00=2", "04:00=4"}, hours(5, 24)...), 23, 1,
			[]string{"28 23:00 1", "29 00:00 2", "29 01:00 4", "29 02:00 1"},
		},
		{
			"padded as B where A is usual", "2", append([]string{"01:00=1", "02:00=0.0", "03:00=2", "04:00=4"}, hours(5, 24)...), 23, 1,
			[]string{"28 23:00 1", "29 00:00 2", "29 01:00 4", "29 02:00 1"},
		},
		{
			"24 values", "2", append([]string{"01:00=1", "02:00=2", "03:00=3", "04:00=4"}, hours(5, 24)...), 23, 0,
			[]string{"28 23:00 1", "29 00:00 2 assumed+padding", "29 01:00 4 assumed+padding", "29 02:00 1"},
		},
		{
			"nothing around the change", "8", hours(4, 24), 21, 0,
			[]string{"29 01:00 1", "29 02:00 1"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chunk, report := decodeOne(t, curve(rowsOf("2026/03/29", test.labels...)), oneMonth(t, sdk.EnergyHourly, test.distributor, "2026-03"))
			if got := shown(chunk, "28 23:00", "29 02:00"); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if chunk.Len() != test.readings || report.Padding != test.padding {
				t.Errorf("%d readings, %d padding, want %d and %d", chunk.Len(), report.Padding, test.readings, test.padding)
			}
			checkCounts(t, chunk, report)
		})
	}
}

func TestHouseholdSpringDay(t *testing.T) {
	t.Parallel()
	labels := append([]string{"01:00", "02:00", "04:00=0.5"}, hours(5, 24)...)
	chunk, _ := decodeOne(t, curve(rowsOf("2022/03/27", labels...)), oneMonth(t, sdk.EnergyHourly, "2", "2022-03"))
	if got := shown(chunk, "27 01:00", "27 01:00"); !slices.Equal(got, []string{"27 01:00 0.5"}) {
		t.Errorf("the reading labelled 04:00 is %q", got)
	}
}

func TestMidnightLabels(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		rows       [][]string
		want       []string // around midnight between the 9th and the 10th, local
		flagged    int
		duplicates int
		outside    int
	}{
		{
			"instead of 24:00", [][]string{rowsOf("2026/02/09", hours(1, 23)...), rowsOf("2026/02/10", append([]string{"00:00=9"}, hours(1, 24)...)...)},
			[]string{"09 21:00 1", "09 22:00 9 midnight", "09 23:00 1"}, 1, 0, 0,
		},
		{
			"beside 24:00", [][]string{rowsOf("2026/02/09", hours(1, 24)...), rowsOf("2026/02/10", append([]string{"0:00=9"}, hours(1, 24)...)...)},
			[]string{"09 21:00 1", "09 22:00 1 duplicate", "09 23:00 1"}, 1, 1, 0,
		},
		{
			"beside a 24:00 without a value", [][]string{rowsOf("2026/02/09", append(hours(1, 23), "24:00=null")...), rowsOf("2026/02/10", append([]string{"0:00=9"}, hours(1, 24)...)...)},
			[]string{"09 21:00 1", "09 22:00 9 midnight+duplicate", "09 23:00 1"}, 1, 1, 0,
		},
		{
			"at the end of its date", [][]string{rowsOf("2026/02/09", hours(1, 23)...), rowsOf("2026/02/10", append(hours(1, 24), "00:00=9")...)},
			[]string{"09 21:00 1", "09 22:00 9 midnight", "09 23:00 1"}, 1, 0, 0,
		},
		{
			"00:00 to 23:00", [][]string{rowsOf("2026/02/10", hours(0, 23)...)},
			[]string{"09 22:00 1 assumed+midnight", "09 23:00 1 assumed"}, 24, 0, 0,
		},
		{
			"on the first of the month", [][]string{rowsOf("2026/02/01", hours(0, 24)...)},
			nil, 0, 0, 1,
		},
		{
			"on the first of the next month", [][]string{rowsOf("2026/03/01", "00:00=9")},
			nil, 1, 0, 0,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chunk, report := decodeOne(t, curve(test.rows...), oneMonth(t, sdk.EnergyHourly, "8", "2026-02"))
			if got := shown(chunk, "09 21:00", "09 23:00"); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if report.Flagged != test.flagged || report.Duplicates != test.duplicates || report.Outside != test.outside {
				t.Errorf("got %+v", report)
			}
			checkCounts(t, chunk, report)
		})
	}
}

// quarters is the labels of a day's quarter hours; lead is 15 where they are
// ends, 60 where they are the hour's end and the minute of the start.
func quarters(lead int) []string {
	var labels []string
	for m := lead; m < dayMinutes+lead; m += 15 {
		labels = append(labels, fmt.Sprintf("%02d:%02d=%d", m/60, m%60, m-lead))
	}
	return labels
}

func TestQuarterHours(t *testing.T) {
	t.Parallel()
	autumn := func(lead int) []string {
		labels := quarters(lead)
		again := (120 + 60 - lead) / 15 // the quarter that follows 03:00 on the first clock
		_ = again
		first := slices.Index(labels, fmt.Sprintf("%02d:%02d=%d", (120+lead)/60, (120+lead)%60, 120))
		return slices.Insert(slices.Clone(labels), first, labels[first:first+4]...)
	}
	spring := func(lead int) []string {
		labels := quarters(lead)
		first := slices.Index(labels, fmt.Sprintf("%02d:%02d=%d", (120+lead)/60, (120+lead)%60, 120))
		return slices.Delete(labels, first, first+4)
	}
	tests := []struct {
		name     string
		date     string
		labels   []string
		readings int
		flagged  int
		want     []string
	}{
		{"ends", "2026/02/10", quarters(15), 96, 0, []string{"09 23:00 0", "09 23:15 15"}},
		{"hour and minute", "2026/02/10", quarters(60), 96, 0, []string{"09 23:00 0", "09 23:15 15"}},
		{"nothing tells which", "2026/02/10", []string{"01:00=1", "01:15=2"}, 2, 2, []string{"09 23:45 1 assumed", "10 00:00 2 assumed"}},
		{"autumn, ends", "2025/10/26", autumn(15), 100, 0, []string{"26 00:45 165", "26 01:00 120"}},
		{"autumn, hour and minute", "2025/10/26", autumn(60), 100, 0, []string{"26 00:45 165", "26 01:00 120"}},
		{"spring, ends", "2026/03/29", spring(15), 92, 0, []string{"29 00:45 105", "29 01:00 180"}},
		{"spring, hour and minute", "2026/03/29", spring(60), 92, 0, []string{"29 00:45 105", "29 01:00 180"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			shape := oneMonth(t, sdk.EnergyQuarterHour, "1", strings.ReplaceAll(test.date[:7], "/", "-"))
			chunk, report := decodeOne(t, curve(rowsOf(test.date, test.labels...)), shape)
			from, _, _ := strings.Cut(test.want[0][3:], " ")
			to, _, _ := strings.Cut(test.want[1][3:], " ")
			if got := shown(chunk, test.want[0][:3]+from, test.want[1][:3]+to); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if chunk.Len() != test.readings || report.Flagged != test.flagged {
				t.Errorf("%d readings, %d flagged, want %d and %d", chunk.Len(), report.Flagged, test.readings, test.flagged)
			}
			checkCounts(t, chunk, report)
		})
	}
}

func TestOneBadRowCostsNothingElse(t *testing.T) {
	t.Parallel()
	good := rowsOf("2026/02/10", hours(1, 24)...)
	tests := []struct {
		name, row string
		count     func(Report) int
	}{
		{"null", `null`, func(r Report) int { return r.Bad }},
		{"text", `"row"`, func(r Report) int { return r.Bad }},
		{"empty", `{}`, func(r Report) int { return r.Bad }},
		{"no date", `{"time":"01:00","consumptionKWh":1}`, func(r Report) int { return r.Bad }},
		{"impossible date", `{"date":"2026/02/30","time":"01:00"}`, func(r Report) int { return r.Bad }},
		{"date of another type", `{"date":20260210,"time":"01:00"}`, func(r Report) int { return r.Bad }},
		{"no time", `{"date":"2026/02/10","time":""}`, func(r Report) int { return r.Bad }},
		{"half past", `{"date":"2026/02/10","time":"10:30"}`, func(r Report) int { return r.Impossible }},
		{"25:00", `{"date":"2026/02/10","time":"24:45"}`, func(r Report) int { return r.Impossible }},
		{"another supply", `{"cups":"ES0021000000000001RK","date":"2026/02/10","time":"01:00"}`, func(r Report) int { return r.Foreign }},
		{"another month", `{"date":"2026/01/10","time":"01:00"}`, func(r Report) int { return r.Outside }},
		{"duplicate", `{"date":"2026/02/10","time":"01:00","consumptionKWh":7}`, func(r Report) int { return r.Duplicates }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chunk, report := decodeOne(t, curve(good[:5], []string{test.row}, good[5:]), oneMonth(t, sdk.EnergyHourly, "2", "2026-02"))
			if chunk.Len() != 24 || test.count(report) != 1 {
				t.Errorf("%d readings, %+v", chunk.Len(), report)
			}
			if got := sum(&chunk.Consumption).String(); got != "24" {
				t.Errorf("the day's sum is %s", got)
			}
			checkCounts(t, chunk, report)
		})
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		json, value string
		flags       sdk.Flags
	}{
		{`0.312`, "0.312", 0},
		{`0.0`, "0", 0},
		{`-0.5`, "-0.5", 0},
		{`1.12E1`, "11.2", 0},
		{`123456789.123456789`, "123456789.123456789", 0},
		{`"0.312"`, "0.312", 0},
		{`" 2 "`, "2", 0},
		{`null`, "-", 0},
		{`""`, "-", 0},
		{`"-"`, "-", 0},
		{`"0,312"`, "-", sdk.Unreadable},
		{`"abc"`, "-", sdk.Unreadable},
		{`true`, "-", sdk.Unreadable},
		{`{"value":1}`, "-", sdk.Unreadable},
		{`[1]`, "-", sdk.Unreadable},
		{`1e300`, "-", sdk.Unreadable},
		{`12345678901234567890`, "-", sdk.Unreadable},
	}
	for _, test := range tests {
		chunk, _ := decodeOne(t, curve(rowsOf("2026/02/10", "01:00="+test.json)), oneMonth(t, sdk.EnergyHourly, "2", "2026-02"))
		got := "-"
		if value, ok := chunk.Consumption.Value(0); ok {
			got = value.String()
		}
		if chunk.Len() != 1 || got != test.value || chunk.Flag(0) != test.flags {
			t.Errorf("%s: %d readings, value %s, flags %q", test.json, chunk.Len(), got, chunk.Flag(0))
		}
	}
}

func TestVersionsAndEncodings(t *testing.T) {
	t.Parallel()
	row := `{"cups":"es0031000000000001bj","date":"2026/02/10","time":"01:00","obtainMethod":"Telemedición","surplusEnergyKWh":0.5,"unknown":{"a":[1]}}`
	tests := []struct {
		name, body string
		method     string
	}{
		{"v1", `[` + row + `]`, "Telemedición"},
		{"v2", `{"timeCurve":[` + row + `],"distributorError":[]}`, "Telemedición"},
		{"v2, errors first", `{"distributorError":null,"more":1,"timeCurve":[` + row + `]}`, "Telemedición"},
		{"Latin-1", "[" + strings.ReplaceAll(row, "ó", "\xf3") + "]", "Telemedición"},
		{"with a byte order mark", "\xef\xbb\xbf[" + row + "]", "Telemedición"},
		{"escaped", "[" + strings.ReplaceAll(row, "ó", `\u00f3`) + "]", "Telemedición"},
		{"no method", "[" + strings.ReplaceAll(row, `"Telemedición"`, `""`) + "]", ""},
		{"method null", "[" + strings.ReplaceAll(row, `"Telemedición"`, `null`) + "]", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chunk, _ := decodeOne(t, []byte(test.body), oneMonth(t, sdk.EnergyHourly, "2", "2026-02"))
			if chunk.Len() != 1 || chunk.Method(0) != test.method {
				t.Fatalf("%d readings, method %q", chunk.Len(), chunk.Method(0))
			}
			if (chunk.Methods == nil) != (test.method == "") {
				t.Errorf("methods are %q", chunk.Methods)
			}
			if value, ok := chunk.Surplus.Value(0); !ok || value.String() != "0.5" || !chunk.Consumption.Empty() {
				t.Errorf("surplus %v, consumption %v", value, chunk.Consumption)
			}
		})
	}
}

func TestUnreadableBodies(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `{}`, `null`, `7`, `"text"`, `<html></html>`, `{"distributorError":[]}`, `{"timeCurve":{}}`, `{"timeCurve":7}`,
		`[{"date":"2026/02/10"`, `{"timeCurve":[]`, `[] []`, `[{"date" "x"}]`,
	} {
		for _, series := range []sdk.Series{sdk.EnergyHourly, sdk.PowerMonthly, sdk.ReactiveMonthly} {
			if _, _, err := Decode([]byte(body), oneMonth(t, series, "2", "2026-02")); !errors.Is(err, ErrUnreadable) {
				t.Errorf("%s of %q: %v", series, body, err)
			}
		}
	}
	if _, _, err := Decode([]byte(`[]`), Shape{Series: sdk.EnergyHourly, From: 2, To: 1}); err == nil {
		t.Error("months that end before they start are accepted")
	}
}

func TestDistributorErrorsOfAnswers(t *testing.T) {
	t.Parallel()
	failed := func(code, text string) string {
		return fmt.Sprintf(`{"distributorCode":"5","distributorName":"UFD","errorCode":%s,"errorDescription":%q}`, code, text)
	}
	row := rowsOf("2026/02/10", "01:00")[0]
	tests := []struct {
		name, rows, failure string
		fails               bool
	}{
		{"internal", "", failed(`"10"`, "Error interno distribuidora"), true},
		{"internal with rows", row, failed(`"10"`, "Error interno distribuidora"), false},
		{"no such customer", "", failed(`"2"`, "La distribuidora no puede facilitar información a ese NIF"), false},
		{"no data", "", failed(`"8"`, "No existen datos en el periodo solicitado"), false},
		{"a code of another meaning", "", failed(`"2"`, "Error interno distribuidora"), true},
		{"unknown", "", failed(`99`, ""), true},
		{"none", "", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"timeCurve":[%s],"distributorError":[%s]}`, test.rows, test.failure)
			_, report := decodeOne(t, []byte(body), oneMonth(t, sdk.EnergyHourly, "5", "2026-02"))
			err := report.Failure()
			if (err != nil) != test.fails || test.fails && !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSeveralMonths(t *testing.T) {
	t.Parallel()
	body := curve(rowsOf("2026/01/31", "24:00=1.25"), rowsOf("2026/02/01", "01:00=2.5"), rowsOf("2026/03/01", "00:00=3", "01:00=4"))
	shape := oneMonth(t, sdk.EnergyHourly, "2", "2026-01")
	shape.To = month(t, "2026-04")
	chunks, report, err := Decode(body, shape)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, chunk := range chunks {
		got = append(got, chunk.Month.String()+": "+strings.Join(shown(chunk, "", "99"), ", "))
	}
	want := []string{"2026-01: 31 22:00 1.25", "2026-02: 31 23:00 2.5, 28 22:00 3 midnight", "2026-03: 28 23:00 4", "2026-04: "}
	if !slices.Equal(got, want) || report.Kept != 4 {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	shape := oneMonth(t, sdk.EnergyHourly, "2", "2026-02")
	base := curve(rowsOf("2026/02/10", "01:00=1.5", "02:00=2"))
	chunk, _ := decodeOne(t, base, shape)
	if chunk.Hash != 0xfa57e50fdb12f919 {
		t.Errorf("the hash changed to %#x: everything stored would look changed", chunk.Hash)
	}
	wide := shape
	wide.From--
	chunks, _, err := Decode(curve(rowsOf("2026/01/10", "01:00=0.123456"), rowsOf("2026/02/10", "02:00=2", "01:00=1.50")), wide)
	if err != nil {
		t.Fatal(err)
	}
	if chunks[1].Hash != chunk.Hash {
		t.Error("the same readings in another order, beside other months, have another hash")
	}
	for name, body := range map[string][]byte{
		"value":   curve(rowsOf("2026/02/10", "01:00=1.5", "02:00=3")),
		"scale":   curve(rowsOf("2026/02/10", "01:00=1.5", "02:00=0.2")),
		"missing": curve(rowsOf("2026/02/10", "01:00=1.5", "02:00=null")),
		"start":   curve(rowsOf("2026/02/10", "01:00=1.5", "03:00=2")),
		"method":  []byte(strings.ReplaceAll(string(base), "Real", "Estimada")),
		"column":  []byte(strings.ReplaceAll(string(base), "consumptionKWh", "surplusEnergyKWh")),
		"flags":   curve(rowsOf("2026/02/10", "01:00=1.5", "02:00=2", "02:00=2")),
		"fewer":   curve(rowsOf("2026/02/10", "01:00=1.5")),
	} {
		if other, _ := decodeOne(t, body, shape); other.Hash == chunk.Hash {
			t.Errorf("another %s has the same hash", name)
		}
	}
}

func TestRoundTripIsExact(t *testing.T) {
	t.Parallel()
	values := []string{"0.001", "9.999", "123.456", "0", "0.1", "1000000", "0.000001"}
	var entries []string
	for i, value := range values {
		entries = append(entries, fmt.Sprintf("%02d:00=%s", i+1, value))
	}
	chunk, _ := decodeOne(t, curve(rowsOf("2026/02/10", entries...)), oneMonth(t, sdk.EnergyHourly, "2", "2026-02"))
	for i, want := range values {
		value, _ := chunk.Consumption.Value(i)
		if got := value.String(); got != want {
			t.Errorf("%s became %s", want, got)
		}
		var number json.Number
		if err := json.Unmarshal(value.Append(nil), &number); err != nil {
			t.Errorf("%s is no JSON number: %v", value, err)
		}
	}
}
