package ledger

import (
	"slices"

	"github.com/datadis-engine/datadis/sdk"
)

// Datadis takes a query for power and one for reactive energy over the same
// months for the same query, and refuses the second. So their windows must
// never be equal, whatever was asked when: a window of power has at most twelve
// months, one of reactive energy thirteen. A supply too young for thirteen is
// asked for reactive energy from its first month on, and for power from its
// second: the first one alone.
const (
	powerMonths    = 12
	reactiveMonths = 13
)

// group makes queries of the months of a series that are due.
func (r Request) group(b *Book, series sdk.Series, months []sdk.Month) []Ask {
	switch series.Property {
	case sdk.Power:
		return r.groupPower(b, series, months)
	case sdk.Reactive:
		return r.groupReactive(series, months)
	default:
		asks := make([]Ask, len(months))
		for i, m := range months {
			asks[i] = Ask{series, m, m}
		}
		return asks
	}
}

// groupPower joins consecutive months. A month that is to be asked for alone
// stands alone.
func (r Request) groupPower(b *Book, series sdk.Series, months []sdk.Month) []Ask {
	alone := func(m sdk.Month) bool {
		if first, young := r.young(); young && m == first {
			return true
		}
		cell, _ := b.Cell(Key{series, m})
		return cell.Alone
	}
	var asks []Ask
	open := false // the last query takes further months
	for _, m := range months {
		single := alone(m)
		if open && !single {
			last := &asks[len(asks)-1]
			if m == last.To+1 && m-last.From < powerMonths {
				last.To = m
				continue
			}
		}
		asks = append(asks, Ask{series, m, m})
		open = !single
	}
	return asks
}

// groupReactive covers the months with windows of the length that is never
// power's: each ends with, or reaches back from, the newest month not yet
// covered. They may take in months that are not due.
func (r Request) groupReactive(series sdk.Series, months []sdk.Month) []Ask {
	first, young := r.young()
	current := sdk.MonthOf(r.Now)
	if young {
		if len(months) == 0 || first == current && slices.Contains(r.Series, sdk.PowerMonthly) {
			return nil // its only window is that of power; next month there is another
		}
		return []Ask{{series, first, current}}
	}
	var asks []Ask
	for i := len(months) - 1; i >= 0; {
		from := max(months[i]-reactiveMonths+1, first)
		asks = append(asks, Ask{series, from, from + reactiveMonths - 1})
		for i >= 0 && months[i] >= from {
			i--
		}
	}
	slices.Reverse(asks)
	return asks
}

// young is the first month that Datadis serves of the supply, and whether
// reactive energy is wanted of it although there are no thirteen months.
func (r Request) young() (first sdk.Month, young bool) {
	served := Window{To: sdk.MonthOf(r.Now)}.servable(r.Now, r.ValidFrom)
	young = served.To-served.From+1 < reactiveMonths
	return served.From, young && slices.Contains(r.Series, sdk.ReactiveMonthly)
}
