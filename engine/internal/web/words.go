package web

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/view"
)

// errNothing says that there is no such page.
var errNothing = errors.New("there is nothing here")

// Grouped writes a number with a mark between thousands.
func Grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// many is a number with what it counts, in the plural unless it is one.
func many(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return Grouped(n) + " " + more
}

// clock is an instant in full; "" for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// ago is how long an instant is past, in one unit.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return "just now"
	default:
		return Took(d) + " ago"
	}
}

// Took is a duration in one or two units, as people say it.
func Took(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// Left says when a run will be done, as far as that is known; "" if it is not.
func Left(p view.Pace) string {
	if p.Seconds <= 0 {
		return ""
	}
	if p.Seconds < 10 {
		if p.AtLeast {
			return "at least a few seconds left"
		}
		return "a few seconds left"
	}
	left := Took(time.Duration(p.Seconds * float64(time.Second)))
	if p.AtLeast {
		return "at least " + left + " left"
	}
	return "about " + left + " left"
}

// rate writes a speed with the digits that mean something.
func rate(perSecond float64) string {
	switch {
	case perSecond <= 0:
		return ""
	case perSecond < 1:
		return fmt.Sprintf("%.1f per minute", 60*perSecond)
	default:
		return fmt.Sprintf("%.1f per second", perSecond)
	}
}
