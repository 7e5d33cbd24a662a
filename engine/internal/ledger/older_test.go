package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// olderBlock is a block of hours as the older ingestor leaves it once all of a
// month has come. Tests spoil it.
func olderBlock(month sdk.Month, step time.Duration) map[string]any {
	steps := int(month.End().Sub(month.Start()) / step)
	wall := func(at time.Time) map[string]any { // stored as if it were UTC
		return map[string]any{"$date": at.In(sdk.Madrid).Format("2006-01-02T15:04:05") + "Z"}
	}
	instant := func(at time.Time) map[string]any { return map[string]any{"$date": at.UTC().Format(time.RFC3339)} }
	return map[string]any{
		"has_ini_date": true, "values": steps, "total": steps, "retries": 6,
		"date_ini_block": wall(month.Start()), "date_end_block": wall(month.End().Add(-time.Second)),
		"date_min": instant(month.Start()), "date_max": instant(month.End().Add(-step)),
	}
}

// blockName is what the block of a whole month is called.
func blockName(month sdk.Month) string {
	return month.Start().In(sdk.Madrid).Format(time.DateOnly) + "~" + month.End().Add(-time.Second).In(sdk.Madrid).Format(time.DateOnly)
}

func olderLine(t *testing.T, cups string, blocks map[string]any) string {
	t.Helper()
	blocks["_id"] = cups
	line, err := json.Marshal(blocks)
	must(t, err)
	return string(line) + "\n"
}

// TestImportOlderTakesWhatIsShown: the table says of each way in which a block
// may be short of complete what becomes of it.
func TestImportOlderTakesWhatIsShown(t *testing.T) {
	t.Parallel()
	date := func(text string) map[string]any { return map[string]any{"$date": text} }
	for name, one := range map[string]struct {
		month string
		step  time.Duration
		spoil func(b map[string]any)
		want  Older
	}{
		"every hour of a month":           {month: "2026-03", want: Older{Imported: 1}},
		"with the autumn day of 25 hours": {month: "2025-10", want: Older{Imported: 1}},
		"every quarter-hour":              {month: "2026-03", step: 15 * time.Minute, want: Older{Imported: 1}},
		"its retries do not matter":       {month: "2026-03", spoil: func(b map[string]any) { b["retries"] = 0 }, want: Older{Imported: 1}},
		"canonical numbers":               {month: "2026-03", spoil: func(b map[string]any) { b["values"] = map[string]any{"$numberInt": "743"} }, want: Older{Imported: 1}},
		"a row is missing":                {month: "2026-03", spoil: func(b map[string]any) { b["values"] = 742 }, want: Older{Incomplete: 1}},
		"a failed call wrote zero":        {month: "2026-03", spoil: func(b map[string]any) { b["values"] = 0 }, want: Older{Incomplete: 1}},
		"more rows than hours":            {month: "2026-03", spoil: func(b map[string]any) { b["values"] = 744 }, want: Older{Unproven: 1}},
		"a total that the month has not":  {month: "2026-03", spoil: func(b map[string]any) { b["values"], b["total"] = 744, 744 }, want: Older{Unproven: 1}},
		"no dates of the values":          {month: "2026-03", spoil: func(b map[string]any) { delete(b, "date_min") }, want: Older{Unproven: 1}},
		"quarter-hours 45 minutes early": {month: "2026-03", step: 15 * time.Minute, spoil: func(b map[string]any) {
			b["date_min"], b["date_max"] = date("2026-02-28T22:15:00Z"), date("2026-03-31T21:00:00Z")
		}, want: Older{Unproven: 1}},
		"the current month":                {month: "2026-09", want: Older{Unproven: 1}},
		"the rows end before the month":    {month: "2026-03", spoil: func(b map[string]any) { b["date_max"] = date("2026-03-31T20:00:00Z") }, want: Older{Unproven: 1}},
		"numbers that are whole as floats": {month: "2026-03", spoil: func(b map[string]any) { b["values"] = map[string]any{"$numberDouble": "743.0"} }, want: Older{Imported: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, m := newWorld(t, newMemory()), month(one.month)
			step, member, series := time.Hour, "data_1h", sdk.EnergyHourly
			if one.step != 0 {
				step, member, series = one.step, "data_15m", sdk.EnergyQuarterHour
			}
			b := olderBlock(m, step)
			if one.spoil != nil {
				one.spoil(b)
			}
			line := olderLine(t, string(testCUPS), map[string]any{member: map[string]any{blockName(m): b}, "marketer": "of the contract"})
			got, err := w.ImportOlder(t.Context(), strings.NewReader(line), OlderOptions{Sources: []string{"north"}})
			must(t, err)
			one.want.Documents = 1
			if got != one.want {
				t.Errorf("%+v, want %+v", got, one.want)
			}
			cell, known := w.book().Cell(Key{series, m})
			if complete := cell.State == Complete; complete != (one.want.Imported == 1) || known != complete {
				t.Errorf("the chunk is %s", cell.State)
			}
		})
	}
}

// TestImportOlderFirstMonth: a block that begins with the contract is asked for
// again, since nothing shows when the supply began.
func TestImportOlderFirstMonth(t *testing.T) {
	t.Parallel()
	w, m := newWorld(t, newMemory()), month("2026-03")
	b := olderBlock(m, time.Hour)
	b["date_ini_block"] = map[string]any{"$date": "2026-03-14T00:00:00Z"}
	line := olderLine(t, string(testCUPS), map[string]any{"data_1h": map[string]any{"2026-03-14~2026-03-31": b}})
	got, err := w.ImportOlder(t.Context(), strings.NewReader(line), OlderOptions{})
	must(t, err)
	if want := (Older{Documents: 1, Unproven: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestImportOlderIsNotAskedAgain: what was taken over is neither asked for nor
// delivered to the sources that have it; to another source it is.
func TestImportOlderIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	w, m := newWorld(t, newMemory()), month("2026-03")
	line := olderLine(t, string(testCUPS), map[string]any{
		"data_1h": map[string]any{blockName(m): olderBlock(m, time.Hour)}, "max_power": map[string]any{"2026-01-01~2026-06-30": map[string]any{}},
	})
	dry, err := w.ImportOlder(t.Context(), strings.NewReader(line), OlderOptions{Sources: []string{"north"}, DryRun: true})
	must(t, err)
	if len(w.book().Keys()) != 0 {
		t.Error("the dry run wrote something")
	}
	got, err := w.ImportOlder(t.Context(), strings.NewReader(line), OlderOptions{Sources: []string{"north"}})
	must(t, err)
	if want := (Older{Documents: 1, Imported: 1, Power: 1}); got != want || dry != want {
		t.Errorf("%+v, dry %+v, want %+v", got, dry, want)
	}
	book := w.book()
	asks := Due(book, Request{Policy: Repair, Now: w.Now(), Window: Window{m, m}, Series: []sdk.Series{sdk.EnergyHourly}})
	if len(asks) != 0 {
		t.Errorf("it is asked for again: %v", asks)
	}
	if lacks := Undelivered(book, []string{"north"}); len(lacks) != 0 {
		t.Errorf("north lacks %v", lacks)
	}
	if lacks := Undelivered(book, []string{"south"}); len(lacks) != 1 {
		t.Errorf("south lacks %v", lacks)
	}

	again, err := w.ImportOlder(t.Context(), strings.NewReader(line), OlderOptions{Sources: []string{"south"}})
	must(t, err)
	if want := (Older{Documents: 1, Known: 1, Power: 1}); again != want {
		t.Errorf("again: %+v, want %+v", again, want)
	}
	if w.book().Delivered(Key{sdk.EnergyHourly, m}, "south") != 0 {
		t.Error("what was known was changed")
	}
	// What this ledger writes, it also reads.
	text := exportOf(t, w.Ledger)
	_, err = newWorld(t, newMemory()).Import(t.Context(), strings.NewReader(text))
	must(t, err)
}

// TestImportOlderBadDocuments: each is one sentence with its line, and the good
// ones between them are taken.
func TestImportOlderBadDocuments(t *testing.T) {
	t.Parallel()
	m := month("2026-03")
	spoilt := func(name string, value any) string {
		b := olderBlock(m, time.Hour)
		b[name] = value
		return olderLine(t, "ES0031000000000002BJ0F", map[string]any{"data_1h": map[string]any{blockName(m): b}})
	}
	good := olderLine(t, string(testCUPS), map[string]any{"data_1h": map[string]any{blockName(m): olderBlock(m, time.Hour)}})
	bad := []struct{ line, want string }{
		{"not json\n", "invalid character"},
		{`{"data_1h": {}}` + "\n", "it has no _id"},
		{`{"_id": {"$oid": "66"}, "data_1h": {}}` + "\n", "cannot unmarshal"},
		{`{"_id": "ES0031"}` + "\n", "none of data_1h"},
		{`{"_id": "not a cups", "data_1h": {}}` + "\n", "no CUPS"},
		{spoilt("valeus", 3), `unknown field "valeus"`},
		{spoilt("values", 1.5), "no whole number"},
		{spoilt("values", nil), "how many values"},
		{spoilt("values", -1), "how many values"},
		{spoilt("date_min", "2026-03-01"), "a date is not written"},
		{spoilt("date_min", map[string]any{"$date": "yesterday"}), "is no date"},
		{spoilt("date_ini_block", map[string]any{"$date": "2026-02-01T00:00:00Z"}), "its dates are 2026-02-01~2026-03-31"},
	}
	var text strings.Builder
	for _, one := range bad {
		text.WriteString(one.line)
	}
	text.WriteString(good)
	w := newWorld(t, newMemory())
	got, err := w.ImportOlder(t.Context(), strings.NewReader(text.String()), OlderOptions{})
	if err == nil || got.Failed != len(bad) || got.Imported != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	sentences := strings.Split(err.Error(), "\n")
	for i, one := range bad {
		if !strings.HasPrefix(sentences[i], fmt.Sprintf("line %d: ", i+1)) || !strings.Contains(sentences[i], one.want) {
			t.Errorf("%s\nis %q, want %q", one.line, sentences[i], one.want)
		}
	}
	if strings.Contains(err.Error(), "ES0031000000000002BJ0F") {
		t.Error("a CUPS stands in the error")
	}
}

// FuzzImportOlder: whatever is read, nothing becomes complete that is not.
func FuzzImportOlder(f *testing.F) {
	m := sdk.NewMonth(2026, 3)
	line, err := json.Marshal(map[string]any{"_id": testCUPS, "data_1h": map[string]any{blockName(m): olderBlock(m, time.Hour)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Fuzz(func(t *testing.T, text []byte) {
		w := newWorld(t, newMemory())
		got, _ := w.ImportOlder(t.Context(), strings.NewReader(string(text)), OlderOptions{Sources: []string{"north"}})
		complete := 0
		must(t, w.Each(t.Context(), func(b *Book) error {
			for _, v := range b.Views() {
				if v.State != Complete || v.Covered != v.Expected || v.check() != nil {
					t.Errorf("it left %+v", v)
				}
				complete++
			}
			return nil
		}))
		if complete > got.Imported {
			t.Errorf("%d chunks are complete, %d were imported", complete, got.Imported)
		}
	})
}
