package simulator

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// labelsOf are the labels of a day at a distributor, with the UTC start of the
// interval each, as "29T00:00Z 03:00".
func labelsOf(t *testing.T, habits Distributor, date string, step time.Duration) []string {
	t.Helper()
	habits.Code = "1"
	all, err := distributors([]Distributor{habits})
	if err != nil {
		t.Fatal(err)
	}
	d := all["1"]
	midnight, err := time.ParseInLocation(time.DateOnly, date, madrid)
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, s := range d.slots(midnight, step) {
		text := time.Unix(s.start, 0).UTC().Format("02T15:04Z") + " " + string(d.appendLabel(nil, s.minute))
		if !s.date.Equal(midnight) {
			text += " of the next day"
		}
		switch s.kind {
		case merged:
			text += " merged"
		case padding:
			text += " padding"
		case duplicate:
			text += " again"
		}
		labels = append(labels, text)
	}
	return labels
}

func TestLabelsOfChangeDays(t *testing.T) {
	t.Parallel()
	const autumn, spring, plainDay = "2025-10-26", "2026-03-29", "2026-05-05"
	tests := []struct {
		name   string
		habits Distributor
		date   string
		rows   int
		begin  []string // of the day; the rest is as on other days
	}{
		{"autumn A", Distributor{DST: "A"}, autumn, 25, []string{
			"25T22:00Z 01:00", "25T23:00Z 02:00", "26T00:00Z 03:00", "26T01:00Z 03:00", "26T02:00Z 04:00",
		}},
		{"autumn B", Distributor{DST: "B"}, autumn, 25, []string{
			"25T22:00Z 01:00", "25T23:00Z 02:00", "26T00:00Z 02:00", "26T01:00Z 03:00", "26T02:00Z 04:00",
		}},
		{"autumn B merged", Distributor{DST: "B-merged"}, autumn, 24, []string{
			"25T22:00Z 01:00", "25T23:00Z 02:00 merged", "26T01:00Z 03:00", "26T02:00Z 04:00",
		}},
		{"autumn A with a row missing", Distributor{DST: "A", DropAutumn: true}, autumn, 24, []string{
			"25T22:00Z 01:00", "25T23:00Z 02:00", "26T00:00Z 03:00", "26T02:00Z 04:00",
		}},
		{"spring A", Distributor{DST: "A"}, spring, 23, []string{
			"28T23:00Z 01:00", "29T00:00Z 02:00", "29T01:00Z 04:00", "29T02:00Z 05:00",
		}},
		{"spring B", Distributor{DST: "B"}, spring, 23, []string{
			"28T23:00Z 01:00", "29T00:00Z 03:00", "29T01:00Z 04:00", "29T02:00Z 05:00",
		}},
		{"spring A padded", Distributor{DST: "A", PadSpring: true}, spring, 24, []string{
			"28T23:00Z 01:00", "29T00:00Z 02:00", "29T01:00Z 03:00 padding", "29T01:00Z 04:00", "29T02:00Z 05:00",
		}},
		{"spring B padded", Distributor{DST: "B", PadSpring: true}, spring, 24, []string{
			"28T23:00Z 01:00", "29T00:00Z 02:00 padding", "29T00:00Z 03:00", "29T01:00Z 04:00",
		}},
		{"plain A", Distributor{DST: "A"}, plainDay, 24, []string{"04T22:00Z 01:00", "04T23:00Z 02:00"}},
		{"plain B", Distributor{DST: "B-merged"}, plainDay, 24, []string{"04T22:00Z 01:00", "04T23:00Z 02:00"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := labelsOf(t, test.habits, test.date, time.Hour)
			if len(got) != test.rows {
				t.Errorf("%d rows, want %d", len(got), test.rows)
			}
			if !slices.Equal(got[:len(test.begin)], test.begin) {
				t.Errorf("begins\n%s\nwant\n%s", strings.Join(got[:len(test.begin)], "\n"), strings.Join(test.begin, "\n"))
			}
			if last := got[len(got)-1]; !strings.HasSuffix(last, " 24:00") {
				t.Errorf("ends with %s", last)
			}
		})
	}
}

func TestLabelsOfQuarters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		habits      Distributor
		date        string
		rows        int
		first, last string
		fifth       string // row of the change, counted from the one after 02:00 local time
	}{
		{"end of quarter", Distributor{Quarters: "end"}, "2026-05-05", 96, "00:15", "24:00", "02:30"},
		{"end of hour and minute", Distributor{Quarters: "hour"}, "2026-05-05", 96, "01:00", "24:45", "03:15"},
		{"end, autumn A", Distributor{Quarters: "end"}, "2025-10-26", 100, "00:15", "24:00", "02:30"},
		{"end, spring A", Distributor{Quarters: "end"}, "2026-03-29", 92, "00:15", "24:00", "03:30"},
		{"hour, spring A", Distributor{Quarters: "hour"}, "2026-03-29", 92, "01:00", "24:45", "04:15"},
		{"hour, spring B", Distributor{Quarters: "hour", DST: "B"}, "2026-03-29", 92, "01:00", "24:45", "04:15"},
		{"end, merged hours stay apart", Distributor{DST: "B-merged"}, "2025-10-26", 100, "00:15", "24:00", "02:30"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := labelsOf(t, test.habits, test.date, 15*time.Minute)
			label := func(i int) string { return strings.Fields(got[i])[1] }
			if len(got) != test.rows || label(0) != test.first || label(len(got)-1) != test.last || label(9) != test.fifth {
				t.Errorf("%d rows, %s … %s … %s", len(got), label(0), label(9), label(len(got)-1))
			}
		})
	}
}

func TestLabelsOfMidnight(t *testing.T) {
	t.Parallel()
	tests := []struct {
		habit string
		rows  int
		first string
		last  string
	}{
		{"", 24, "04T22:00Z 01:00", "05T21:00Z 24:00"},
		{"next-day", 24, "04T22:00Z 01:00", "05T21:00Z 00:00 of the next day"},
		{"short", 24, "04T22:00Z 01:00", "05T21:00Z 0:00 of the next day"},
		{"start", 24, "04T22:00Z 00:00", "05T21:00Z 23:00"},
		{"extra-row", 25, "04T22:00Z 01:00", "05T21:00Z 00:00 of the next day again"},
	}
	for _, test := range tests {
		got := labelsOf(t, Distributor{Midnight: test.habit}, "2026-05-05", time.Hour)
		if len(got) != test.rows || got[0] != test.first || got[len(got)-1] != test.last {
			t.Errorf("%q: %d rows, %s … %s", test.habit, len(got), got[0], got[len(got)-1])
		}
	}
}

// TestMonths walks over the ends of years and of the window.
func TestMonths(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC) // 1 February in Madrid
	if got := monthOf(at).String(); got != "2026/02" {
		t.Errorf("month of %s is %s", at, got)
	}
	if got := oldest(at).String(); got != "2024/03" {
		t.Errorf("oldest month at %s is %s", at, got)
	}
	for text, want := range map[string]bool{
		"2026/01": true, "2026/12": true, "2026/13": false, "2026/00": false, "2026/1": false, "2026-01": false,
		"2026/01/01": false, "": false, "20 6/01": false,
	} {
		if _, ok := parseMonth(text); ok != want {
			t.Errorf("parseMonth(%q) is %t", text, ok)
		}
	}
}
