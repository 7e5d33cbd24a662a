package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"time"
)

// recording are the rows that Datadis once sent for a supply, by day, each as
// it was.
type recording struct {
	days map[string][]recordedRow // by YYYY/MM/DD
	last time.Time                // midnight of the last day
}

// recordedRow is a row and what of it has to be understood.
type recordedRow struct {
	raw             json.RawMessage
	CUPS            string       `json:"cups"`
	Date            string       `json:"date"`
	Time            string       `json:"time"`
	Consumption     *json.Number `json:"consumptionKWh"`
	Method          string       `json:"obtainMethod"`
	Surplus         *json.Number `json:"surplusEnergyKWh"`
	Generation      *json.Number `json:"generationEnergyKWh"`
	SelfConsumption *json.Number `json:"selfConsumptionEnergyKWh"`
}

// recordedWorld is the world of the supplies that a folder has rows of.
func recordedWorld(dir fs.FS, username, password string) (*world, error) {
	names, err := fs.Glob(dir, "*.json")
	if err != nil {
		return nil, fmt.Errorf("find recorded bodies: %w", err)
	}
	recordings := make(map[string]*recording)
	for _, name := range names {
		if err := readRecorded(dir, name, recordings); err != nil {
			return nil, fmt.Errorf("read recorded %s: %w", path.Base(name), err)
		}
	}
	if len(recordings) == 0 {
		return nil, errors.New("recorded: the folder has no .json file with rows of consumption")
	}
	w, err := compile(World{}, 0)
	if err != nil {
		return nil, err
	}
	w.anybody = &Login{username, password}
	for cups, rec := range recordings {
		if err := w.addRecorded(cups, rec); err != nil {
			return nil, fmt.Errorf("recorded supply: %w", err)
		}
	}
	slices.SortFunc(w.supplies, func(a, b *supply) int { return strings.Compare(a.CUPS, b.CUPS) })
	if username != "" {
		w.source.Logins = []Login{*w.anybody}
	}
	return w, nil
}

// readRecorded adds a file's rows, of a v1 or a v2 body.
func readRecorded(dir fs.FS, name string, into map[string]*recording) error {
	data, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(data, &rows); err != nil {
		var v2 struct {
			TimeCurve []json.RawMessage `json:"timeCurve"`
		}
		if json.Unmarshal(data, &v2) != nil {
			return err
		}
		rows = v2.TimeCurve
	}
	for i, raw := range rows {
		if err := addRow(raw, into); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	return nil
}

func addRow(raw json.RawMessage, into map[string]*recording) error {
	row := recordedRow{raw: raw}
	if err := json.Unmarshal(raw, &row); err != nil {
		return err
	}
	date, err := time.ParseInLocation(slashDate, row.Date, madrid)
	if err != nil || row.CUPS == "" {
		return errors.New("it has no cups or no date")
	}
	rec := into[row.CUPS]
	if rec == nil {
		rec = &recording{days: make(map[string][]recordedRow)}
		into[row.CUPS] = rec
	}
	rec.days[row.Date] = append(rec.days[row.Date], row)
	rec.last = later(rec.last, date)
	return nil
}

// addRecorded adds a supply with what its CUPS and its rows tell of it.
func (w *world) addRecorded(cups string, rec *recording) error {
	s := Supply{CUPS: cups, Distributor: "2", PointType: 5}
	for _, d := range w.companies() {
		if len(cups) >= 6 && fmt.Sprintf("%04d", d.company) == cups[2:6] {
			s.Distributor = d.Code
		}
	}
	first := rec.last.Format(slashDate)
	for date := range rec.days {
		first = min(first, date)
	}
	s.From = strings.ReplaceAll(first, "/", "-")
	if err := w.addSupply(s, 0); err != nil {
		return err
	}
	w.byCUPS[cups].recording = rec
	return nil
}

// lastRecorded is the last day that anything was recorded of; zero in a world
// that was not recorded.
func (w *world) lastRecorded() time.Time {
	var last time.Time
	for _, s := range w.supplies {
		if s.recording != nil {
			last = later(last, s.recording.last)
		}
	}
	return last
}

// rows are those of a query, in the order of days and, within a day, as sent.
func (r *recording) rows(from, to month) iter.Seq[recordedRow] {
	return func(yield func(recordedRow) bool) {
		for d := from.start(); d.Before(to.end()); d = d.AddDate(0, 0, 1) {
			for _, row := range r.days[d.Format(slashDate)] {
				if !yield(row) {
					return
				}
			}
		}
	}
}

// body is the array of the rows of a query, and how many there are. Quarters
// of an hour were not recorded.
func (r *recording) body(q query) ([]byte, int) {
	body, n := []byte{'['}, 0
	if !q.quarterHour {
		for row := range r.rows(q.from, q.to) {
			if n++; n > 1 {
				body = append(body, ',')
			}
			body = append(body, row.raw...)
		}
	}
	return append(body, ']'), n
}

// truth are the recorded hours, each in the interval of the day that its label
// belongs to under the distributor's convention. Rows whose labels do not
// occur on their day are left out.
func (r *recording) truth(s *supply, from, to month, step time.Duration) iter.Seq[Truth] {
	return func(yield func(Truth) bool) {
		if step != time.Hour {
			return
		}
		var date string
		var left []slot
		for row := range r.rows(from, to) {
			if row.Date != date {
				date = row.Date
				midnight, err := time.ParseInLocation(slashDate, date, madrid)
				if err != nil {
					continue // it was read when the folder was
				}
				left = s.company.slots(midnight, step)
			}
			i := slices.IndexFunc(left, func(at slot) bool { return string(s.company.appendLabel(nil, at.minute)) == row.Time })
			if i < 0 {
				continue
			}
			t := row.truth(left[i])
			left = left[i+1:]
			if !yield(t) {
				return
			}
		}
	}
}

func (r recordedRow) truth(at slot) Truth {
	text := func(n *json.Number) string {
		if n == nil {
			return ""
		}
		return n.String()
	}
	return Truth{
		CUPS: r.CUPS, Property: propertyEnergy, Resolution: "PT1H",
		Start: time.Unix(at.start, 0).UTC(), End: time.Unix(at.end, 0).UTC(),
		Value: text(r.Consumption), Surplus: text(r.Surplus), Generation: text(r.Generation),
		SelfConsumption: text(r.SelfConsumption), Method: r.Method,
	}
}
