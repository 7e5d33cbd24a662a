package datadis

import (
	"time"
)

// date is a calendar day, as year×10000 + month×100 + day, so that dates
// compare as numbers.
type date int32

// parseDate reads 2026/03/29, and 2026-03-29 as some fields have it.
func parseDate(text []byte) (date, bool) {
	if len(text) != 10 || text[4] != text[7] || text[4] != '/' && text[4] != '-' {
		return 0, false
	}
	year, ok1 := digits(text[:4])
	month, ok2 := digits(text[5:7])
	day, ok3 := digits(text[8:])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	return date(year*10000 + month*100 + day), true
}

// daysIn is how many days a month has.
func daysIn(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month/8)%2
}

// midnight is when the day begins.
func (d date) midnight(zone *time.Location) time.Time { return d.plus(0, zone) }

// plus is the midnight so many days after the day.
func (d date) plus(days int, zone *time.Location) time.Time {
	return time.Date(int(d/10000), time.Month(d/100%100), int(d%100)+days, 0, 0, 0, 0, zone)
}

// maxLabel is the greatest label that any convention has: 24:45.
const maxLabel = 24*60 + 45

// parseLabel reads the time of a row as minutes: 01:00, 24:00, 0:00.
func parseLabel(text []byte) (int, bool) {
	if len(text) == 8 && string(text[5:]) == ":00" {
		text = text[:5] // seconds, if there ever are any
	}
	colon := len(text) - 3
	if colon < 1 || colon > 2 || text[colon] != ':' {
		return 0, false
	}
	hour, ok1 := digits(text[:colon])
	minute, ok2 := digits(text[colon+1:])
	label := hour*60 + minute
	if !ok1 || !ok2 || minute > 59 || label > maxLabel {
		return 0, false
	}
	return label, true
}

// digits reads a few decimal digits.
func digits(text []byte) (int, bool) {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(text) > 0
}
