package datadis

import (
	"strconv"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/go-json-experiment/json/jsontext"
)

// tariffPeriods is how many tariff periods there are at most.
const tariffPeriods = 6

// decodeReactive reads the body of a reactive energy answer: a reading per
// tariff period and month, which lasts the month. A period without a value has
// no reading. Negative energy is capacitive.
func decodeReactive(body []byte, shape Shape) ([]*sdk.Chunk, Report, error) {
	chunks := make([]*sdk.Chunk, 0, shape.To-shape.From+1)
	for m := shape.From; m <= shape.To; m++ {
		chunks = append(chunks, newChunk(shape, m))
	}
	var report Report
	failures, err := document(body, "reactiveEnergy", func(dec *jsontext.Decoder) error {
		if kind := dec.PeekKind(); kind != '{' && kind != 'n' {
			return misplaced(dec, "an object")
		}
		f, _, err := readFields(dec)
		if err != nil || f == nil {
			return err
		}
		rows := f.list("energy")
		report.Rows = len(rows)
		if !shape.isOurs(f["cups"]) {
			report.Foreign = len(rows)
			return nil
		}
		for _, value := range rows {
			reactiveMonth(value, shape, chunks, &report)
		}
		return nil
	})
	if err != nil {
		return nil, Report{}, err
	}
	report.Errors = failures
	for _, chunk := range chunks {
		chunk.Reactive.Close(chunk.Len())
		closeFlags(chunk)
	}
	return chunks, report, nil
}

// reactiveMonth puts one month of the answer into its chunk.
func reactiveMonth(value jsontext.Value, shape Shape, chunks []*sdk.Chunk, report *Report) {
	var f fields
	if value.Kind() == '{' {
		f, _ = parseFields(value) // it was parsed before, as part of the whole
	}
	m, ok := parseMonth(f.text("date"))
	if !ok {
		report.Bad++
		return
	}
	if !shape.asked(m) {
		report.Outside++
		return
	}
	chunk := chunks[m-shape.From]
	if chunk.Len() > 0 {
		report.Duplicates++
		for i := range chunk.Flags {
			chunk.Flags[i] |= sdk.Duplicate
		}
		return
	}
	start := monthStart(m, shape.zone())
	span := uint32(monthStart(m+1, shape.zone()) - start)
	for period := uint8(1); period <= tariffPeriods; period++ {
		value, has, readable := f.number("energy_p" + strconv.Itoa(int(period)))
		if !has && readable {
			continue
		}
		i := chunk.Len()
		var flags sdk.Flags
		if !readable || !chunk.Reactive.Set(i, value) {
			flags = sdk.Unreadable
		}
		chunk.Starts = append(chunk.Starts, start)
		chunk.Spans = append(chunk.Spans, span)
		chunk.Periods = append(chunk.Periods, period)
		chunk.Flags = append(chunk.Flags, flags)
	}
}

// parseMonth reads 2024/01, and dates of a day within a month.
func parseMonth(text string) (sdk.Month, bool) {
	if len(text) == 7 {
		text += text[4:5] + "01"
	}
	d, ok := parseDate([]byte(text))
	if !ok {
		return 0, false
	}
	return sdk.NewMonth(int(d/10000), time.Month(d/100%100)), true
}
