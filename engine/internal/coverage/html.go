package coverage

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strconv"

	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/sdk"
)

//go:embed map.tmpl page.tmpl map.css
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"look": lookOf, "looks": func() []look { return looks }, "years": years, "class": class, "series": seriesName,
	"month": func(m sdk.Month) string { return m.Month().String()[:3] },
	"style": func() template.CSS { return Style },
}).ParseFS(files, "*.tmpl"))

// Style is what a page needs for Map to look right.
var Style = func() template.CSS {
	text, err := files.ReadFile("map.css")
	if err != nil {
		panic(err) // the file is compiled in
	}
	return template.CSS(text)
}()

// Fields that templates use.

// Sign shows the state in a cell.
func (l look) Sign() string { return l.sign }

// Means says what the state is.
func (l look) Means() string { return l.means }

// State is the state.
func (l look) State() ledger.State { return l.state }

// class is the state as a style knows it.
func class(s ledger.State) string { return "s-" + s.String() }

// seriesName is a series as people call it.
func seriesName(series string) string {
	switch series {
	case sdk.EnergyHourly.String():
		return "hours"
	case sdk.EnergyQuarterHour.String():
		return "quarter-hours"
	case sdk.PowerMonthly.String():
		return "power"
	case sdk.ReactiveMonthly.String():
		return "reactive"
	default:
		return series
	}
}

// year is a head over consecutive months.
type year struct {
	Name   string
	Months int
}

func years(months []sdk.Month) []year {
	var heads []year
	for _, m := range months {
		name := strconv.Itoa(m.Year())
		if n := len(heads); n > 0 && heads[n-1].Name == name {
			heads[n-1].Months++
			continue
		}
		heads = append(heads, year{name, 1})
	}
	for i, h := range heads {
		if h.Months == 1 { // its column is that narrow
			heads[i].Name = "’" + h.Name[len(h.Name)-2:]
		}
	}
	return heads
}

// Map is the report as a table for a page that has Style.
func Map(report Report) (template.HTML, error) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, "map.tmpl", report); err != nil {
		return "", fmt.Errorf("draw the coverage: %w", err)
	}
	return template.HTML(out.String()), nil //nolint:gosec // the template has escaped it
}

// HTML writes the report as a page of its own, which needs nothing else.
func HTML(w io.Writer, report Report) error {
	if err := templates.ExecuteTemplate(w, "page.tmpl", report); err != nil {
		return fmt.Errorf("write the coverage: %w", err)
	}
	return nil
}
