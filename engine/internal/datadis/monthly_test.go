package datadis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// peaks is the readings of a chunk, as "P1 10 09:00 15m 3.516 flags", in UTC.
func peaks(chunk *sdk.Chunk, column *sdk.Column) []string {
	var lines []string
	for i := range chunk.Len() {
		value := "-"
		if v, ok := column.Value(i); ok {
			value = v.String()
		}
		span := chunk.Span(i).String()
		if chunk.Span(i) >= 24*time.Hour {
			span = fmt.Sprintf("%dh", int(chunk.Span(i).Hours()))
		}
		line := fmt.Sprintf("P%d %s %s %s %s", chunk.Periods[i], chunk.Start(i).Format("02 15:04"), strings.TrimSuffix(span, "0s"), value, chunk.Flag(i))
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func TestDecodePower(t *testing.T) {
	t.Parallel()
	peak := func(date, time, value, period string) string {
		return fmt.Sprintf(`{"cups":%q,"date":%q,"time":%q,"maxPower":%s,"period":%s}`, testCUPS, date, time, value, period)
	}
	contracted := []sdk.Decimal{{Units: 345, Scale: 2}, {Units: 3}}
	tests := []struct {
		name       string
		month      string
		rows       []string
		contracted []sdk.Decimal
		want       []string
	}{
		{
			"kilowatts", "2026-07", []string{peak("2026/07/16", "11:15", "3.516", `"1"`), peak("2026/07/10", "24:00", "2.5", `"2"`)}, contracted,
			[]string{"P2 10 21:45 15m 2.5", "P1 16 09:00 15m 3.516"},
		},
		{
			"midnight ends the day before", "2026-07", []string{peak("2026/07/10", "00:00", "2.5", `2`)}, nil,
			[]string{"P2 09 21:45 15m 2.5 midnight"},
		},
		{
			"midnight on the first, listed in its month", "2026-07", []string{peak("2026/07/01", "00:00", "2.5", `"2"`)}, nil,
			[]string{"P2 30 21:45 15m 2.5 midnight"},
		},
		{
			"midnight on the first of the next month", "2026-07", []string{peak("2026/08/01", "00:00", "2.5", `"2"`)}, nil,
			[]string{"P2 31 21:45 15m 2.5 midnight"},
		},
		{
			"watts", "2026-07", []string{peak("2026/07/16", "11:15", "4879.0", `"1"`), peak("2026/07/16", "11:30", "34.5", `"2"`)}, contracted,
			[]string{"P1 16 09:00 15m 4.879 watts", "P2 16 09:15 15m 34.5"},
		},
		{
			"nothing is guessed without the contracted power", "2026-07", []string{peak("2026/07/16", "11:15", "4879.0", `"1"`)}, nil,
			[]string{"P1 16 09:00 15m 4879"},
		},
		{
			"names of periods", "2026-07", []string{peak("2026/07/16", "11:15", "1", `"PUNTA"`), peak("2026/07/16", "11:30", "2", `"Llano"`), peak("2026/07/16", "11:45", "3", `"VALLE"`), peak("2026/07/16", "12:00", "4", `"P6"`)}, nil,
			[]string{"P1 16 09:00 15m 1", "P2 16 09:15 15m 2", "P3 16 09:30 15m 3", "P6 16 09:45 15m 4"},
		},
		{
			"a period twice", "2026-07", []string{peak("2026/07/16", "11:15", "1", `"1"`), peak("2026/07/20", "11:15", "3", `"1"`), peak("2026/07/25", "11:15", "2", `"1"`)}, nil,
			[]string{"P1 20 09:00 15m 3 duplicate"},
		},
		{
			"values", "2026-07", []string{peak("2026/07/16", "11:15", "null", `"1"`), peak("2026/07/16", "11:30", `"x"`, `"2"`), peak("2026/07/16", "11:45", "0.0", `"3"`)}, nil,
			[]string{"P1 16 09:00 15m -", "P2 16 09:15 15m - unreadable", "P3 16 09:30 15m 0"},
		},
		{
			"the hour that comes twice", "2025-10", []string{peak("2025/10/26", "02:30", "1", `"3"`), peak("2025/10/26", "03:15", "2", `"1"`), peak("2025/10/26", "24:00", "3", `"2"`)}, nil,
			[]string{"P3 26 00:15 15m 1 assumed", "P1 26 02:00 15m 2", "P2 26 22:45 15m 3"},
		},
		{
			"the hour that does not come", "2026-03", []string{peak("2026/03/29", "02:30", "1", `"3"`), peak("2026/03/29", "03:30", "2", `"1"`)}, nil,
			[]string{"P1 29 01:15 15m 2", "P3 29 01:15 15m 1 assumed"},
		},
		{
			"no quarter of an hour", "2026-07", []string{peak("2026/07/16", "11:07", "1", `"1"`)}, nil,
			[]string{"P1 16 08:52 15m 1 assumed"},
		},
		{
			"bad rows", "2026-07", []string{`null`, `{}`, peak("2026/07/16", "11:15", "1", `"7"`), peak("2026/07/16", "24:30", "1", `"1"`), peak("2026/05/16", "11:15", "1", `"1"`), peak("2026/07/16", "11:15", "9", `"1"`)}, nil,
			[]string{"P1 16 09:00 15m 9"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			shape := oneMonth(t, sdk.PowerMonthly, "2", test.month)
			shape.ContractedPower = test.contracted
			body := `{"maxPower":[` + strings.Join(test.rows, ",") + `],"distributorError":[]}`
			chunk, report := decodeOne(t, []byte(body), shape)
			if got := peaks(chunk, &chunk.Peak); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if lost := report.Rows - report.Kept - report.Bad - report.Foreign - report.Outside - report.Impossible - report.Duplicates; lost != 0 {
				t.Errorf("%d rows are not accounted for: %+v", lost, report)
			}
		})
	}
}

func TestPowerOverSeveralMonths(t *testing.T) {
	t.Parallel()
	shape := oneMonth(t, sdk.PowerMonthly, "2", "2026-06")
	shape.To = shape.From + 2
	body := `[{"date":"2026/06/10","time":"10:00","maxPower":1,"period":"1"},{"date":"2026/07/01","time":"00:00","maxPower":2,"period":"2"},{"date":"2026/08/01","time":"00:15","maxPower":3,"period":"2"}]`
	chunks, _, err := Decode([]byte(body), shape)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, chunk := range chunks {
		got = append(got, fmt.Sprint(chunk.Month, peaks(chunk, &chunk.Peak), chunk.Covered()))
	}
	want := []string{
		"2026-06 [P1 10 07:45 15m 1 P2 30 21:45 15m 2 midnight] 1",
		"2026-07 [] 0",
		"2026-08 [P2 31 22:00 15m 3] 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestDecodeReactive(t *testing.T) {
	t.Parallel()
	shape := oneMonth(t, sdk.ReactiveMonthly, "2", "2024-01")
	shape.To = shape.From + 2
	tests := []struct {
		name, energy string
		want         []string // per month
		report       Report
	}{
		{
			"as documented", `{"date":"2024/01","energy_p1":0,"energy_p2":100,"energy_p3":null,"energy_p4":1200.5,"energy_p6":-150}`,
			[]string{"[P1 31 23:00 744h 0 P2 31 23:00 744h 100 P4 31 23:00 744h 1200.5 P6 31 23:00 744h -150]", "[]", "[]"},
			Report{Rows: 1, Kept: 4},
		},
		{
			"a March", `{"date":"2024/03/01","energy_p1":"7"}`,
			[]string{"[]", "[]", "[P1 29 23:00 743h 7]"},
			Report{Rows: 1, Kept: 1},
		},
		{
			"rows that cannot be used", `null,{"date":"2024"},{"date":"2023/12","energy_p1":1},{"date":"2024/02","energy_p1":"x"}`,
			[]string{"[]", "[P1 31 23:00 696h - unreadable]", "[]"},
			Report{Rows: 4, Kept: 1, Flagged: 1, Bad: 2, Outside: 1},
		},
		{
			"a month twice", `{"date":"2024/02","energy_p1":1},{"date":"2024/02","energy_p1":2}`,
			[]string{"[]", "[P1 31 23:00 696h 1 duplicate]", "[]"},
			Report{Rows: 2, Kept: 1, Flagged: 1, Duplicates: 1},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"reactiveEnergy":{"cups":%q,"energy":[%s],"code":"001","codeDescription":"Correcto"},"distributorError":[]}`, testCUPS, test.energy)
			chunks, report, err := Decode([]byte(body), shape)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, chunk := range chunks {
				got = append(got, fmt.Sprint(peaks(chunk, &chunk.Reactive)))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if fmt.Sprint(report) != fmt.Sprint(test.report) {
				t.Errorf("got %+v, want %+v", report, test.report)
			}
		})
	}
}

func TestReactiveWithoutData(t *testing.T) {
	t.Parallel()
	shape := oneMonth(t, sdk.ReactiveMonthly, "2", "2024-01")
	body := `{"reactiveEnergy":{"cups":null,"energy":[],"code":null,"codeDescription":null},
	 "distributorError":[{"distributorCode":"2","distributorName":"EDISTRIBUCIÓN","errorCode":"8","errorDescription":"No existen datos en el periodo solicitado"}]}`
	for _, body := range []string{body, `{"reactiveEnergy":null}`} {
		chunk, report := decodeOne(t, []byte(body), shape)
		if chunk.Len() != 0 || report.Failure() != nil {
			t.Errorf("got %d readings, %+v", chunk.Len(), report)
		}
	}
	foreign := `{"reactiveEnergy":{"cups":"ES0021000000000001RK","energy":[{"date":"2024/01","energy_p1":1}]}}`
	if chunk, report := decodeOne(t, []byte(foreign), shape); chunk.Len() != 0 || report.Foreign != 1 {
		t.Errorf("another supply's: %d readings, %+v", chunk.Len(), report)
	}
	if _, _, err := Decode([]byte(`[]`), shape); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a list: %v", err)
	}
}
