// Package coverage shows what is complete: per CUPS, series and month, as the
// ledger knows it, as text, CSV or HTML.
package coverage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/sdk"
)

// Request says what to show.
type Request struct {
	CUPS     []sdk.CUPS // none: all
	From, To sdk.Month  // 0: from the first, or to the last, month of which something is known
	Offset   int        // CUPS to leave out at the beginning
	Limit    int        // CUPS at most; 0: all
	Clear    bool       // show CUPS, which are personal data, in full
}

// Report is what is known of supplies.
type Report struct {
	At       time.Time   `json:"at"`
	Months   []sdk.Month `json:"months"` // consecutive
	Rows     []Row       `json:"rows"`   // by CUPS, then series
	Supplies int         `json:"supplies"`
	Offset   int         `json:"offset"`   // of the first of the supplies shown
	Shown    int         `json:"shown"`    // supplies
	Problems []string    `json:"problems"` // books that cannot be read
}

// Row is one series of one supply.
type Row struct {
	CUPS   string `json:"cups"` // masked, unless asked for in full
	Series string `json:"series"`
	Cells  []Cell `json:"cells"` // one for each month of the report

	Complete int `json:"complete"` // months
	Known    int `json:"known"`    // months of which anything is known
	Covered  int `json:"covered"`  // steps, of the months known
	Expected int `json:"expected"` // steps, of the months known
}

// Cell is one month of a series.
type Cell struct {
	Month      sdk.Month    `json:"month"`
	State      ledger.State `json:"state"`
	Covered    int          `json:"covered"`
	Expected   int          `json:"expected"`
	Tries      int          `json:"tries_left"`
	Error      ledger.Class `json:"error,omitempty"`
	LastAnswer time.Time    `json:"last_answer,omitzero"`
}

// Percent is how much of what is expected came, in the months of which anything
// is known, rounded down: 100 means all.
func (r Row) Percent() int {
	if r.Expected == 0 {
		return 0
	}
	return min(100, 100*r.Covered/r.Expected)
}

// Read makes a report of the ledger. A CUPS that was asked for and that the
// ledger does not know is an error; a book that cannot be read is one of the
// report's problems.
func Read(ctx context.Context, l *ledger.Ledger, r Request, now time.Time) (Report, error) {
	report := Report{At: now.UTC(), Offset: r.Offset, Rows: []Row{}, Months: []sdk.Month{}, Problems: []string{}}
	known, err := l.Known(ctx)
	if err != nil {
		return report, fmt.Errorf("list what the ledger knows: %w", err)
	}
	wanted, err := choose(known, r.CUPS)
	if err != nil {
		return report, err
	}
	report.Supplies = len(wanted)
	wanted = wanted[min(max(r.Offset, 0), len(wanted)):]
	if r.Limit > 0 && len(wanted) > r.Limit {
		wanted = wanted[:r.Limit]
	}
	report.Shown = len(wanted)
	var views []ledger.View
	for _, cups := range wanted {
		book, err := l.Open(ctx, cups)
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
		if err != nil {
			report.Problems = append(report.Problems, err.Error())
			continue
		}
		views = append(views, book.Views()...)
	}
	report.fill(views, r)
	return report, nil
}

// choose is what was asked for, in the order of the ledger.
func choose(known, asked []sdk.CUPS) ([]sdk.CUPS, error) {
	if len(asked) == 0 {
		return known, nil
	}
	var chosen []sdk.CUPS
	var unknown []error
	for _, cups := range asked {
		if !slices.Contains(known, cups.Key()) {
			unknown = append(unknown, fmt.Errorf("the ledger knows no %s; `engine coverage --clear` lists those it knows", cups.Masked()))
			continue
		}
		chosen = append(chosen, cups.Key())
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), errors.Join(unknown...)
}

// fill puts the chunks into rows.
func (report *Report) fill(views []ledger.View, r Request) {
	from, to := r.From, r.To
	for _, v := range views {
		if r.From == 0 && (from == 0 || v.Month < from) {
			from = v.Month
		}
		if r.To == 0 {
			to = max(to, v.Month)
		}
	}
	if from == 0 || from > to {
		return
	}
	for m := from; m <= to; m++ {
		report.Months = append(report.Months, m)
	}
	rows := make(map[[2]string]int)
	for _, v := range views { // by CUPS, then by month
		if v.Month < from || v.Month > to {
			continue
		}
		key := [2]string{string(v.CUPS), v.Series}
		at, ok := rows[key]
		if !ok {
			at = len(report.Rows)
			rows[key] = at
			report.Rows = append(report.Rows, newRow(v, report.Months, r.Clear))
		}
		report.Rows[at].put(int(v.Month-from), v)
	}
	report.sort(rows)
}

// sort orders the rows by CUPS in full, though they may be masked, and by series
// in the ledger's order.
func (report *Report) sort(rows map[[2]string]int) {
	keys := make([][2]string, len(report.Rows))
	for key, at := range rows {
		keys[at] = key
	}
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return compare(keys[a], keys[b])
	})
	sorted := make([]Row, len(order))
	for i, at := range order {
		sorted[i] = report.Rows[at]
	}
	report.Rows = sorted
}

func newRow(v ledger.View, months []sdk.Month, clear bool) Row {
	row := Row{CUPS: v.CUPS.Masked(), Series: v.Series, Cells: make([]Cell, len(months))}
	if clear {
		row.CUPS = string(v.CUPS)
	}
	for i, m := range months {
		row.Cells[i].Month = m
	}
	return row
}

func (r *Row) put(i int, v ledger.View) {
	if series, err := ledger.ParseSeries(v.Series); err == nil && v.Expected == 0 && v.State != ledger.None {
		v.Expected = ledger.Expected(ledger.Key{Series: series, Month: v.Month}, time.Time{}) // refused or failed: all of it is missing
	}
	r.Cells[i] = Cell{
		Month: v.Month, State: v.State, Covered: v.Covered, Expected: v.Expected,
		Tries: v.Tries, Error: v.Class, LastAnswer: v.LastAnswer,
	}
	if v.State == ledger.None {
		return
	}
	r.Known++
	r.Covered += v.Covered
	r.Expected += v.Expected
	if v.State == ledger.Complete {
		r.Complete++
	}
}
