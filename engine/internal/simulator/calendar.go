package simulator

import (
	"time"
	_ "time/tzdata" // containers may bring no zone files
)

// madrid is the zone of every date and label.
var madrid = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		panic(err) // it is linked in
	}
	return zone
}()

// month is a month of Madrid's calendar.
type month struct {
	year int
	of   time.Month
}

func monthOf(t time.Time) month {
	y, m, _ := t.In(madrid).Date()
	return month{y, m}
}

// parseMonth reads YYYY/MM, and nothing that is merely similar.
func parseMonth(text string) (month, bool) {
	if len(text) != len("2006/01") {
		return month{}, false
	}
	t, err := time.Parse("2006/01", text)
	return month{t.Year(), t.Month()}, err == nil
}

func (m month) String() string { return m.day(1).Format("2006/01") }

// day is the midnight at which a day of the month begins; 0 and below, and
// days past the last, count on into the neighbouring months.
func (m month) day(n int) time.Time {
	return time.Date(m.year, m.of, n, 0, 0, 0, 0, madrid)
}

// plus is the month n months later.
func (m month) plus(n int) month {
	return monthOf(time.Date(m.year, m.of+time.Month(n), 1, 12, 0, 0, 0, madrid))
}

func (m month) before(o month) bool {
	return m.year < o.year || m.year == o.year && m.of < o.of
}

func (m month) start() time.Time { return m.day(1) }
func (m month) end() time.Time   { return m.plus(1).day(1) }

// monthsBack is how many months, the current one included, can be asked for.
const monthsBack = 24

// oldest is the first month that can be asked for at a time.
func oldest(now time.Time) month { return monthOf(now).plus(1 - monthsBack) }

// midnight is the beginning of the day, in Madrid, that t lies in.
func midnight(t time.Time) time.Time {
	y, m, d := t.In(madrid).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, madrid)
}

// wallMinutes is how many minutes a clock on a wall in Madrid is past midnight.
func wallMinutes(t time.Time) int {
	h, m, _ := t.In(madrid).Clock()
	return h*60 + m
}
