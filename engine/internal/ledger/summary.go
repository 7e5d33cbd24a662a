package ledger

import (
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Summary counts how far the months of one series have come.
type Summary struct {
	Series   sdk.Series `json:"series"`
	Complete int        `json:"complete"`
	Partial  int        `json:"partial"`
	Empty    int        `json:"empty"`
	Refused  int        `json:"refused"`
	Missing  int        `json:"missing"` // never answered
	Covered  int        `json:"covered"` // steps
	Expected int        `json:"expected"`
}

// Months is how many months were counted.
func (s Summary) Months() int { return s.Complete + s.Partial + s.Empty + s.Refused + s.Missing }

// Summarize counts the months of a series in the window, from the start of the
// supply's contract on if that is known.
func Summarize(b *Book, series sdk.Series, w Window, validFrom time.Time) Summary {
	s := Summary{Series: series}
	if !validFrom.IsZero() {
		w.From = max(w.From, sdk.MonthOf(validFrom))
	}
	for m := w.From; m <= w.To; m++ {
		cell, _ := b.Cell(Key{series, m})
		switch cell.State {
		case Complete:
			s.Complete++
		case Partial:
			s.Partial++
		case Empty:
			s.Empty++
		case Refused:
			s.Refused++
		default:
			s.Missing++
		}
		if cell.Expected == 0 {
			cell.Expected = Expected(Key{series, m}, validFrom)
		}
		s.Covered += cell.Covered
		s.Expected += cell.Expected
	}
	return s
}
