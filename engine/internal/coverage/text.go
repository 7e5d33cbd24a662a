package coverage

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/ledger"
)

// compare orders rows by CUPS, then by series: the longer curve first.
func compare(a, b [2]string) int {
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(place(a[1]), place(b[1])), cmp.Compare(a[1], b[1]))
}

// place is where a series stands among those of a supply.
func place(series string) int {
	for i, end := range []string{"_PT1H", "_PT15M", "Power_P1M"} {
		if strings.HasSuffix(series, end) {
			return i
		}
	}
	return 3
}

// look is how a state shows.
type look struct {
	state ledger.State
	mark  byte   // in text
	sign  string // in HTML; not by colour alone
	means string
}

var looks = []look{
	{ledger.Complete, '#', "●", "complete"},
	{ledger.Partial, '+', "◐", "partly there, or still growing"},
	{ledger.Empty, '0', "○", "answered, without data"},
	{ledger.Refused, 'x', "✕", "the account may not ask for it"},
	{ledger.Failed, '!', "!", "every attempt failed"},
	{ledger.None, '.', "", "nothing known"},
}

func lookOf(s ledger.State) look {
	for _, l := range looks {
		if l.state == s {
			return l
		}
	}
	return look{s, '?', "?", s.String()}
}

// Strip is the months of a row, a character each; Legend explains them.
func (r Row) Strip() string {
	strip := make([]byte, len(r.Cells))
	for i, c := range r.Cells {
		strip[i] = lookOf(c.State).mark
	}
	return string(strip)
}

// Legend explains a strip in one line.
func Legend() string {
	parts := make([]string, len(looks))
	for i, l := range looks {
		parts[i] = fmt.Sprintf("%c %s", l.mark, l.means)
	}
	return strings.Join(parts, ", ")
}

// Span names the months of the report; "" if there are none.
func (report Report) Span() string {
	if len(report.Months) == 0 {
		return ""
	}
	return report.Months[0].String() + " to " + report.Months[len(report.Months)-1].String()
}

// harmless is a text that no spreadsheet takes for a formula: one that begins
// like a formula gets an apostrophe before it. A CUPS is what Datadis says it is.
func harmless(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// CSV writes a line per CUPS, series and month of which anything is known.
func CSV(w io.Writer, report Report) error {
	out := csv.NewWriter(w)
	err := out.Write([]string{"cups", "series", "month", "state", "covered", "expected", "tries_left", "error", "last_answer"})
	for _, row := range report.Rows {
		for _, c := range row.Cells {
			if err != nil {
				return fmt.Errorf("write the coverage: %w", err)
			}
			if c.State == ledger.None && c.Error == ledger.NoError {
				continue
			}
			last := ""
			if !c.LastAnswer.IsZero() {
				last = c.LastAnswer.UTC().Format(time.RFC3339)
			}
			err = out.Write([]string{
				harmless(row.CUPS), row.Series, c.Month.String(), c.State.String(), strconv.Itoa(c.Covered),
				strconv.Itoa(c.Expected), strconv.Itoa(c.Tries), c.Error.String(), last,
			})
		}
	}
	if err != nil {
		return fmt.Errorf("write the coverage: %w", err)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write the coverage: %w", err)
	}
	return nil
}
