package datadis

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/go-json-experiment/json/jsontext"
)

// quarterMinutes is how long a maximum of power is measured.
const quarterMinutes = 15

// wattsFactor is how far above the contracted power a maximum must be to be
// taken for watts (datadis-api.md 4.5).
const wattsFactor = 10

// peak is a row of a maximum power answer.
type peak struct {
	month  sdk.Month // that it counts for
	start  int64     // of its quarter hour
	period uint8
	value  sdk.Decimal
	has    bool
	flags  sdk.Flags
}

// decodePower reads the body of a maximum power answer. Each month has at most
// one peak per tariff period: after a change of contract there may be several
// rows, and the highest is the month's.
func decodePower(body []byte, shape Shape) ([]*sdk.Chunk, Report, error) {
	var report Report
	var peaks []peak
	limit := wattsLimit(shape.ContractedPower)
	failures, err := document(body, "maxPower", func(dec *jsontext.Decoder) error {
		return array(dec, func(dec *jsontext.Decoder) error {
			f, _, err := readFields(dec)
			if err != nil {
				return err
			}
			report.Rows++
			if p, use := f.peak(shape, limit, &report); use {
				peaks = append(peaks, p)
			}
			return nil
		})
	})
	if err != nil {
		return nil, Report{}, err
	}
	report.Errors = failures
	peaks = highest(peaks, &report)
	chunks := make([]*sdk.Chunk, 0, shape.To-shape.From+1)
	for m := shape.From; m <= shape.To; m++ {
		chunk := newChunk(shape, m)
		for _, p := range peaks {
			if p.month == m {
				p.appendTo(chunk)
			}
		}
		chunk.Peak.Close(chunk.Len())
		closeFlags(chunk)
		chunks = append(chunks, chunk)
	}
	return chunks, report, nil
}

// peak is a row, and whether it is of use.
func (f fields) peak(shape Shape, limit float64, report *Report) (peak, bool) {
	day, dated := parseDate([]byte(f.text("date")))
	label, timed := parseLabel([]byte(f.text("time")))
	period := f.period("period")
	switch {
	case !shape.isOurs(f["cups"]):
		report.Foreign++
		return peak{}, false
	case !dated || !timed || period == 0:
		report.Bad++
		return peak{}, false
	case label > dayMinutes:
		report.Impossible++
		return peak{}, false
	}
	p := peak{period: period}
	p.start, p.flags = quarterEnding(day, int32(label), shape)
	p.month = monthAt(p.start, shape.zone())
	// The last quarter of a month ends, and so is dated, on the first of the
	// next. Where only that one was asked for, it is that month's peak to
	// Datadis.
	if listed := sdk.NewMonth(int(day/10000), time.Month(day/100%100)); !shape.asked(p.month) && shape.asked(listed) {
		p.month = listed
	}
	if !shape.asked(p.month) {
		report.Outside++
		return peak{}, false
	}
	p.value, p.has = f.kilowatts(limit, &p.flags)
	return p, true
}

// monthAt is the calendar month of a time in a zone.
func monthAt(at int64, zone *time.Location) sdk.Month {
	t := time.Unix(at, 0).In(zone)
	return sdk.NewMonth(t.Year(), t.Month())
}

// kilowatts is the row's value.
func (f fields) kilowatts(limit float64, flags *sdk.Flags) (sdk.Decimal, bool) {
	value, has, readable := f.number("maxPower")
	switch {
	case !readable:
		*flags |= sdk.Unreadable
	case has && limit > 0 && value.Float() > limit && value.Scale+3 <= sdk.MaxScale:
		value.Scale += 3
		*flags |= sdk.Watts
	}
	return value, has
}

// number is a value, whether there is one, and whether it could be read.
func (f fields) number(name string) (value sdk.Decimal, has, readable bool) {
	kind := f[name].Kind()
	if kind == 'n' || f[name] == nil {
		return sdk.Decimal{}, false, true
	}
	text := f.text(name)
	if text == "" && kind == '"' {
		return sdk.Decimal{}, false, true
	}
	value, err := sdk.ParseDecimal(text)
	return value, err == nil, err == nil
}

// period is the tariff period of a row, 1 to 6; 0 if there is none.
func (f fields) period(name string) uint8 {
	text := strings.ToUpper(f.text(name))
	switch text {
	case "PUNTA":
		return 1
	case "LLANO":
		return 2
	case "VALLE":
		return 3
	}
	text = strings.TrimPrefix(text, "P")
	if len(text) == 1 && '1' <= text[0] && text[0] <= '6' {
		return text[0] - '0'
	}
	return 0
}

// wattsLimit is the value above which a maximum is taken for watts; 0 if the
// contracted power is not known, which leaves everything as it is.
func wattsLimit(contracted []sdk.Decimal) float64 {
	greatest := 0.0
	for _, power := range contracted {
		greatest = max(greatest, power.Float())
	}
	return greatest * wattsFactor
}

// quarterEnding is when the quarter hour starts that ends at a local time. Only
// the day tells the hour that comes twice in autumn from its twin, and here it
// does not: the first is assumed.
func quarterEnding(day date, label int32, shape Shape) (int64, sdk.Flags) {
	zone := shape.zone()
	begin, end := day.midnight(zone).Unix(), day.plus(1, zone).Unix()
	var flags sdk.Flags
	if label%quarterMinutes != 0 {
		flags |= sdk.Assumed
	}
	switch {
	case label < quarterMinutes:
		return begin + int64(label-quarterMinutes)*60, flags | sdk.Midnight
	case end-begin == dayMinutes*60:
		return begin + int64(label-quarterMinutes)*60, flags
	}
	up := (label + quarterMinutes - 1) / quarterMinutes * quarterMinutes
	usual := changeLabels(shape.convention(), begin, end, quarterMinutes, quarterMinutes, zone)[up]
	also := changeLabels(other(shape.convention()), begin, end, quarterMinutes, quarterMinutes, zone)[up]
	if len(usual) != 1 || len(also) > 0 && !slices.Equal(usual, also) {
		flags |= sdk.Assumed
	}
	if len(usual) == 0 {
		usual = also
	}
	if len(usual) == 0 { // a time that the spring day does not have
		local := time.Date(int(day/10000), time.Month(day/100%100), int(day%100), 0, int(up), 0, 0, zone)
		return local.Unix() - quarterMinutes*60, flags
	}
	return usual[0] - int64(up-label)*60, flags
}

// highest keeps the greatest peak of each month and period, in time order.
func highest(peaks []peak, report *Report) []peak {
	slices.SortStableFunc(peaks, func(a, b peak) int {
		return cmp.Or(cmp.Compare(a.month, b.month), cmp.Compare(a.period, b.period))
	})
	kept := peaks[:0]
	for _, p := range peaks {
		n := len(kept) - 1
		if n < 0 || kept[n].month != p.month || kept[n].period != p.period {
			kept = append(kept, p)
			continue
		}
		report.Duplicates++
		if p.has && (!kept[n].has || p.value.Float() > kept[n].value.Float()) {
			kept[n] = p
		}
		kept[n].flags |= sdk.Duplicate
	}
	slices.SortStableFunc(kept, func(a, b peak) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.period, b.period))
	})
	return kept
}

// appendTo makes the peak the chunk's next reading.
func (p peak) appendTo(chunk *sdk.Chunk) {
	i := chunk.Len()
	chunk.Starts = append(chunk.Starts, p.start)
	chunk.Spans = append(chunk.Spans, quarterMinutes*60)
	chunk.Periods = append(chunk.Periods, p.period)
	if p.has && !chunk.Peak.Set(i, p.value) {
		p.flags |= sdk.Unreadable
	}
	chunk.Flags = append(chunk.Flags, p.flags)
}

// closeFlags drops the flags of a chunk whose readings are all plain.
func closeFlags(chunk *sdk.Chunk) {
	for _, flags := range chunk.Flags {
		if flags != 0 {
			return
		}
	}
	chunk.Flags = nil
}
