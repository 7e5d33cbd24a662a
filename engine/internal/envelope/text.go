package envelope

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const secondsPerDay = 24 * 60 * 60

// earliest and latest are the instants that a four-digit year can name.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
)

// appendText appends a JSON string. The text must be valid UTF-8; elsewhere a
// replacement character takes the place of what is not.
func appendText(to []byte, text string) []byte {
	to, _ = jsontext.AppendQuote(to, text)
	return to
}

// calendar writes instants, and remembers the day of the last one: most
// readings follow one of the same day.
type calendar struct {
	day  int64
	date [11]byte // "2022-03-27T"
}

// append appends "2022-03-27T01:00:00Z" for an instant between earliest and
// latest.
func (c *calendar) append(to []byte, seconds int64) []byte {
	day, second := seconds/secondsPerDay, seconds%secondsPerDay
	if second < 0 {
		day, second = day-1, second+secondsPerDay
	}
	if day != c.day || c.date[0] == 0 {
		time.Unix(seconds, 0).UTC().AppendFormat(c.date[:0], "2006-01-02T")
		c.day = day
	}
	to = append(to, c.date[:]...)
	to = append(appendTwo(to, second/3600), ':')
	to = append(appendTwo(to, second/60%60), ':')
	return append(appendTwo(to, second%60), 'Z')
}

func appendTwo(to []byte, n int64) []byte { return append(to, byte('0'+n/10), byte('0'+n%10)) }

// appendNames appends a list of texts that need no escapes.
func appendNames(to []byte, names []string) []byte {
	to = append(to, '[')
	for i, name := range names {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(to, '"')
		to = append(to, name...)
		to = append(to, '"')
	}
	return append(to, ']')
}
