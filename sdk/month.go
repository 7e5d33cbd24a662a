package sdk

import (
	"fmt"
	"time"
	_ "time/tzdata" // the zone must be known in containers that bring no zone files
)

// Madrid is the zone whose months and days Datadis speaks of (datadis-api.md
// 7.5).
var Madrid = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		panic(err) // the zone files are linked in
	}
	return zone
}()

// Month is a calendar month in Madrid, counted from January of year 0.
type Month int32

// MonthOf is the month that t lies in, in Madrid.
func MonthOf(t time.Time) Month {
	t = t.In(Madrid)
	return NewMonth(t.Year(), t.Month())
}

// NewMonth is the given month of the given year.
func NewMonth(year int, month time.Month) Month { return Month(year*12 + int(month) - 1) }

// ParseMonth reads "2026-03".
func ParseMonth(text string) (Month, error) {
	t, err := time.Parse("2006-01", text)
	if err != nil {
		return 0, fmt.Errorf("%q is no month; write it as YYYY-MM", text)
	}
	return NewMonth(t.Year(), t.Month()), nil
}

// Year is the month's year.
func (m Month) Year() int { return int(m) / 12 }

// Month is the month within the year.
func (m Month) Month() time.Month { return time.Month(int(m)%12 + 1) }

// Start is the month's first instant in Madrid.
func (m Month) Start() time.Time {
	return time.Date(m.Year(), m.Month(), 1, 0, 0, 0, 0, Madrid)
}

// End is the first instant after the month.
func (m Month) End() time.Time { return (m + 1).Start() }

// Hours is how many hours the month has: 743 for a March of 31 days, 745 for
// an October.
func (m Month) Hours() int { return int(m.End().Sub(m.Start()) / time.Hour) }

// String is "2026-03".
func (m Month) String() string { return fmt.Sprintf("%04d-%02d", m.Year(), int(m.Month())) }

// MarshalText implements [encoding.TextMarshaler].
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *Month) UnmarshalText(text []byte) error {
	month, err := ParseMonth(string(text))
	*m = month
	return err
}
