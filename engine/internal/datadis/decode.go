package datadis

import (
	"fmt"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Shape is what a body answers, and what decides where its labels leave the
// time open.
type Shape struct {
	CUPS        sdk.CUPS // rows of others are left out; "": all are taken
	Distributor sdk.Distributor
	Series      sdk.Series
	From, To    sdk.Month // both included; readings of others are left out

	// Convention of the distributor on change days; zero: its usual one.
	Convention Convention
	// ContractedPower in kW, per tariff period: by it watts are told from
	// kilowatts. Nil: nothing is taken for watts.
	ContractedPower []sdk.Decimal
	// Zone that the labels speak of; nil: Madrid, as everywhere so far.
	Zone *time.Location
}

// Shape is what an answer to the query has.
func (q Query) Shape() Shape {
	return Shape{CUPS: q.CUPS, Distributor: q.Distributor, Series: q.Series, From: q.From, To: q.To}
}

// zone is the zone of the labels.
func (s Shape) zone() *time.Location {
	if s.Zone == nil {
		return sdk.Madrid
	}
	return s.Zone
}

// asked tells whether a month is among those asked for.
func (s Shape) asked(m sdk.Month) bool { return s.From <= m && m <= s.To }

// expected is how many rows a complete answer has.
func (s Shape) expected() int {
	rows := 0
	for m := s.From; m <= s.To; m++ {
		rows += s.Series.Expected(m)
	}
	return rows
}

// Report counts what a body held and what became of it.
type Report struct {
	Rows       int // in the body
	Kept       int // readings in the chunks
	Flagged    int // of the kept ones, those that are not plain
	Bad        int // left out: no object, or no date or time that can be read
	Foreign    int // left out: of another supply
	Outside    int // left out: outside the months asked
	Impossible int // left out: a label that no interval of its day has
	Padding    int // left out: zeros in hours that a spring change day lacks
	Duplicates int // left out: another reading of the same interval was kept
	Errors     []DistributorError
}

// Failure is the error of the distributor if it gave that instead of data; nil
// if rows came, or if it just has none. Datadis counts such an answer as given.
func (r Report) Failure() error {
	if r.Rows > 0 {
		return nil
	}
	for _, e := range r.Errors {
		if e.Failure() {
			return &Error{Kind: ErrUnavailable, Endpoint: "measurements", Status: 200, MaybeRegistered: true, Err: e}
		}
	}
	return nil
}

// maxMonths is how many months a body is believed to cover at most.
const maxMonths = 1200

// Decode reads the body of an answer, of either version of the API: a chunk for
// every month asked, in order, empty where nothing came. Readings lie on their
// true intervals in UTC; what the labels leave open is flagged. A row that
// cannot be read costs nothing but itself; a body that is not what Datadis
// documents gives ErrUnreadable. Runs, sources, revisions and FetchedAt are the
// caller's to fill in.
func Decode(body []byte, shape Shape) ([]*sdk.Chunk, Report, error) {
	if shape.From > shape.To || shape.To-shape.From >= maxMonths {
		return nil, Report{}, fmt.Errorf("decode: the months %s to %s are no range", shape.From, shape.To)
	}
	var chunks []*sdk.Chunk
	var report Report
	var err error
	switch shape.Series {
	case sdk.EnergyHourly, sdk.EnergyQuarterHour:
		chunks, report, err = decodeConsumption(body, shape)
	case sdk.PowerMonthly:
		chunks, report, err = decodePower(body, shape)
	case sdk.ReactiveMonthly:
		chunks, report, err = decodeReactive(body, shape)
	default:
		err = fmt.Errorf("there is no series %s", shape.Series)
	}
	if err != nil {
		return nil, Report{}, fmt.Errorf("decode %s: %w", shape.Series, err)
	}
	for _, chunk := range chunks {
		chunk.Hash = Hash(chunk)
		report.Kept += chunk.Len()
		for _, flags := range chunk.Flags {
			if flags != 0 {
				report.Flagged++
			}
		}
	}
	return chunks, report, nil
}

// newChunk is an empty chunk of the shape's series.
func newChunk(shape Shape, month sdk.Month) *sdk.Chunk {
	return &sdk.Chunk{
		ID:     sdk.ChunkID(shape.CUPS, shape.Series, month),
		CUPS:   shape.CUPS,
		Series: shape.Series,
		Month:  month,
	}
}
