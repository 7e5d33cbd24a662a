package ledger

import (
	"cmp"
	"fmt"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Key names a chunk of a CUPS.
type Key struct {
	Series sdk.Series
	Month  sdk.Month
}

// String is the chunk for logs.
func (k Key) String() string { return k.Series.String() + " " + k.Month.String() }

// letters are the series as fields name them. They are kept for good.
var letters = map[byte]sdk.Series{
	'h': sdk.EnergyHourly,
	'q': sdk.EnergyQuarterHour,
	'p': sdk.PowerMonthly,
	'r': sdk.ReactiveMonthly,
}

// letter of a series; false if the ledger does not keep it.
func letter(s sdk.Series) (byte, bool) {
	for l, known := range letters {
		if known == s {
			return l, true
		}
	}
	return 0, false
}

// field of the chunk's cell: h2609 is the hourly curve of September 2026.
func (k Key) field() (string, error) {
	l, ok := letter(k.Series)
	if !ok {
		return "", fmt.Errorf("the ledger keeps no series %s", k.Series)
	}
	year := k.Month.Year() - 2000
	if year < 0 || year > 99 {
		return "", fmt.Errorf("the ledger keeps no year %d", k.Month.Year())
	}
	return fmt.Sprintf("%c%02d%02d", l, year, int(k.Month.Month())), nil
}

// parseKey reads a field; false if it is not that of a cell.
func parseKey(field string) (Key, bool) {
	if len(field) != 5 {
		return Key{}, false
	}
	series, ok := letters[field[0]]
	for _, c := range []byte(field[1:]) {
		ok = ok && c >= '0' && c <= '9'
	}
	if !ok {
		return Key{}, false
	}
	digit := func(i int) int { return int(field[i] - '0') }
	month := digit(3)*10 + digit(4)
	if month < 1 || month > 12 {
		return Key{}, false
	}
	return Key{series, sdk.NewMonth(2000+digit(1)*10+digit(2), time.Month(month))}, true
}

// seriesOrder is the order in which series are listed.
var seriesOrder = []sdk.Series{sdk.EnergyHourly, sdk.EnergyQuarterHour, sdk.PowerMonthly, sdk.ReactiveMonthly}

// compareKeys puts the oldest month first, because Datadis forgets it first.
func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(rank(a.Series), rank(b.Series)))
}

func rank(s sdk.Series) int {
	for i, known := range seriesOrder {
		if known == s {
			return i
		}
	}
	return len(seriesOrder)
}

// ParseSeries reads what [sdk.Series.String] writes.
func ParseSeries(text string) (sdk.Series, error) {
	for _, s := range seriesOrder {
		if s.String() == text {
			return s, nil
		}
	}
	return sdk.Series{}, fmt.Errorf("the ledger keeps no series %q", text)
}
