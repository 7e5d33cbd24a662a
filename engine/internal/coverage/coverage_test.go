package coverage_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/coverage"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/store/storetest"
	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	one = sdk.CUPS("ES0031000000000001BJ0F")
	two = sdk.CUPS("ES0022000000000002WR0F")
)

var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func month(m time.Month) sdk.Month { return sdk.NewMonth(2026, m) }

// filled is a ledger with something of every state in it.
func filled(t *testing.T, s store.Store) *ledger.Ledger {
	t.Helper()
	l := ledger.New(s, ledger.Config{Now: func() time.Time { return now }})
	record := func(cups sdk.CUPS, series sdk.Series, m sdk.Month, covered int) {
		key := ledger.Key{Series: series, Month: m}
		within(t, l, cups, func(ctx context.Context, b *ledger.Book) error {
			return b.Record(ctx, ledger.Query{CUPS: cups, Series: series, From: m, To: m}.Key(), ledger.Answer{
				Key: key, Covered: covered, Expected: ledger.Expected(key, time.Time{}), Hash: 1, At: now,
			})
		})
	}
	fail := func(cups sdk.CUPS, m sdk.Month, class ledger.Class) {
		within(t, l, cups, func(ctx context.Context, b *ledger.Book) error {
			query := ledger.Query{CUPS: cups, Series: sdk.EnergyHourly, From: m, To: m}.Key()
			if err := b.Intend(ctx, query); err != nil {
				return err
			}
			return b.Fail(ctx, query, class, ledger.Key{Series: sdk.EnergyHourly, Month: m})
		})
	}
	record(one, sdk.EnergyHourly, sdk.NewMonth(2025, time.December), 744)
	record(one, sdk.EnergyHourly, month(time.January), 700)
	record(one, sdk.EnergyHourly, month(time.February), 0)
	record(one, sdk.PowerMonthly, sdk.NewMonth(2025, time.December), 1)
	record(one, sdk.EnergyQuarterHour, sdk.NewMonth(2025, time.December), 2976)
	fail(two, month(time.January), ledger.Unauthorised)
	fail(two, month(time.February), ledger.Unavailable)
	return l
}

func within(t *testing.T, l *ledger.Ledger, cups sdk.CUPS, do func(context.Context, *ledger.Book) error) {
	t.Helper()
	book, err := l.Open(t.Context(), cups)
	if err == nil {
		err = do(t.Context(), book)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, l *ledger.Ledger, r coverage.Request) coverage.Report {
	t.Helper()
	report, err := coverage.Read(t.Context(), l, r, now)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s store.Store) {
		l := filled(t, s)
		report := read(t, l, coverage.Request{})
		var text strings.Builder
		for _, row := range report.Rows {
			text.WriteString(row.CUPS + " " + row.Series + " " + row.Strip() + "\n")
		}
		want := `ES0022**********02WR EnergyConsumptionGridElectricity_PT1H .x!
ES0031**********01BJ EnergyConsumptionGridElectricity_PT1H #+0
ES0031**********01BJ EnergyConsumptionGridElectricity_PT15M #..
ES0031**********01BJ Power_P1M #..
`
		if text.String() != want || report.Span() != "2025-12 to 2026-02" || report.Supplies != 2 {
			t.Errorf("%s, %d supplies:\n%swant\n%s", report.Span(), report.Supplies, text.String(), want)
		}
		hours := report.Rows[1]
		if hours.Complete != 1 || hours.Known != 3 || hours.Covered != 1444 || hours.Expected != 744+744+672 || hours.Percent() != 66 {
			t.Errorf("hours %+v, %d %%", hours, hours.Percent())
		}
	})
}

func TestWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	l := filled(t, storetest.Bolt(t))
	if r := read(t, l, coverage.Request{CUPS: []sdk.CUPS{"es0031000000000001bj"}, From: month(time.January), Clear: true}); len(r.Rows) != 1 ||
		r.Rows[0].CUPS != "ES0031000000000001BJ" || r.Span() != "2026-01 to 2026-02" {
		t.Errorf("one supply from January on: %+v", r)
	}
	if r := read(t, l, coverage.Request{Offset: 1, Limit: 1}); r.Shown != 1 || r.Supplies != 2 || r.Rows[0].CUPS != "ES0031**********01BJ" {
		t.Errorf("the second supply: %+v", r)
	}
	if r := read(t, l, coverage.Request{Offset: 7}); r.Shown != 0 || len(r.Rows) != 0 {
		t.Errorf("beyond the last: %+v", r)
	}
	_, err := coverage.Read(t.Context(), l, coverage.Request{CUPS: []sdk.CUPS{"ES0031999999999999XX"}}, now)
	if err == nil || strings.Contains(err.Error(), "ES0031999999999999XX") {
		t.Errorf("an unknown supply: %v", err)
	}
}

// A book that cannot be read must not hide the others.
func TestUnreadableBookIsAProblem(t *testing.T) {
	t.Parallel()
	s := storetest.Bolt(t)
	l := filled(t, s)
	if err := s.Put(t.Context(), "l:ES0022000000000002WR", map[string][]byte{"h2601": {0xff, 1}}); err != nil {
		t.Fatal(err)
	}
	report := read(t, l, coverage.Request{})
	if len(report.Problems) != 1 || len(report.Rows) != 3 || strings.Contains(report.Problems[0], string(two.Key())) {
		t.Errorf("problems %q, %d rows", report.Problems, len(report.Rows))
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	l := filled(t, storetest.Bolt(t))
	for name, c := range map[string]struct {
		write func(*bytes.Buffer, coverage.Report) error
		clear bool
	}{
		"coverage.html": {func(b *bytes.Buffer, r coverage.Report) error { return coverage.HTML(b, r) }, false},
		"coverage.csv":  {func(b *bytes.Buffer, r coverage.Report) error { return coverage.CSV(b, r) }, true},
		"empty.html":    {func(b *bytes.Buffer, r coverage.Report) error { return coverage.HTML(b, coverage.Report{At: r.At}) }, false},
	} {
		var out bytes.Buffer
		if err := c.write(&out, read(t, l, coverage.Request{Clear: c.clear})); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.Bytes())
	}
}

// A CUPS is what Datadis says it is: a spreadsheet must not run it.
func TestNoCUPSIsAFormula(t *testing.T) {
	t.Parallel()
	for _, cups := range []string{`=cmd|' /C calc'!A0`, "+1", "-1", "@SUM(A1)", "\t=1"} {
		var out bytes.Buffer
		r := coverage.Report{Rows: []coverage.Row{{CUPS: cups, Cells: []coverage.Cell{{State: ledger.Complete, Covered: 1}}}}}
		if err := coverage.CSV(&out, r); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil || rows[1][0] != "'"+cups || rows[1][4] != "1" {
			t.Errorf("%q, %v", rows, err)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what it was; see the difference with -update:\n%s", name, got)
	}
}
