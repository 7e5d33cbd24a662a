package ledger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// maxDocument is the longest document of the older ledger that is read: decades
// of blocks.
const maxDocument = 4 << 20

// Older says what came of importing the older ledger.
type Older struct {
	Documents  int `json:"documents"`  // read, each about one CUPS
	Imported   int `json:"imported"`   // chunks that are complete now, and delivered
	Known      int `json:"known"`      // chunks of which this ledger knows an answer: left as they were
	Incomplete int `json:"incomplete"` // blocks with fewer rows than steps: to be asked for
	Unproven   int `json:"unproven"`   // blocks with the rows, that are not shown to be complete: to be asked for
	Power      int `json:"power"`      // blocks of maximum power, which are never taken: to be asked for
	Failed     int `json:"failed"`     // documents that could not be read
}

// OlderOptions say how to import the older ledger.
type OlderOptions struct {
	// Sources that have got what the older ledger says is complete. Any other
	// gets it anew.
	Sources []string
	// DryRun writes nothing.
	DryRun bool
}

// Check finds names that no source can have.
func (o OlderOptions) Check() error {
	for _, source := range o.Sources {
		if !sourceName.MatchString(source) {
			return fmt.Errorf("%q is no name of a source", source)
		}
	}
	return nil
}

// maxProblems is how many documents that could not be read are reported.
const maxProblems = 20

// ImportOlder reads the ledger of the older ingestor, one document for each
// CUPS, as mongoexport writes them: a line each. What it takes over is only what
// is shown to be complete (see [block.complete]); the engine asks for all else.
// It changes nothing of which this ledger knows an answer, so importing again
// does no harm. A document that cannot be read does not hide the others: it is
// reported at the end. No run may be working on these CUPS.
func (l *Ledger) ImportOlder(ctx context.Context, r io.Reader, o OlderOptions) (Older, error) {
	if err := o.Check(); err != nil {
		return Older{}, err
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxDocument)
	in := olderImporter{ledger: l, options: o}
	var problems []error
	n := 0
	for lines.Scan() {
		n++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		err := in.document(ctx, text)
		var unreadable *documentError
		switch {
		case errors.As(err, &unreadable):
			if in.result.Failed++; len(problems) < maxProblems {
				problems = append(problems, fmt.Errorf("line %d: %w", n, err))
			}
		case err != nil:
			return in.result, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return in.result, fmt.Errorf("line %d: %w", n+1, err)
	}
	if more := in.result.Failed - len(problems); more > 0 {
		problems = append(problems, fmt.Errorf("and %d documents more", more))
	}
	return in.result, errors.Join(problems...)
}

// documentError is what is wrong with a document; others may be right.
type documentError struct{ err error }

func (e *documentError) Error() string { return "not a document of the older ledger: " + e.err.Error() }
func (e *documentError) Unwrap() error { return e.err }

// olderImporter counts what comes of the documents.
type olderImporter struct {
	ledger  *Ledger
	options OlderOptions
	result  Older
}

// olderDocument is all that the older ledger knows of a CUPS: blocks by their
// first and last day. What else a document holds, contracts for instance, is
// not the ledger's.
type olderDocument struct {
	CUPS         *sdk.CUPS        `json:"_id"`
	Hours        map[string]block `json:"data_1h"`
	QuarterHours map[string]block `json:"data_15m"`
	Power        map[string]block `json:"max_power"`
}

func parseDocument(text []byte) (olderDocument, error) {
	var d olderDocument
	err := json.Unmarshal(text, &d)
	switch {
	case err != nil:
		return d, &documentError{err}
	case d.CUPS == nil:
		return d, &documentError{errors.New("it has no _id")}
	case d.Hours == nil && d.QuarterHours == nil && d.Power == nil:
		return d, &documentError{errors.New("it has none of data_1h, data_15m and max_power")}
	}
	if _, err := storeKey(*d.CUPS); err != nil {
		return d, &documentError{fmt.Errorf("its _id is no CUPS: %w", err)}
	}
	return d, nil
}

// document takes over what one document shows, in one write.
func (in *olderImporter) document(ctx context.Context, text []byte) error {
	d, err := parseDocument(text)
	if err != nil {
		return err
	}
	book, err := in.ledger.Open(ctx, *d.CUPS)
	if err != nil {
		return err
	}
	change, counted := book.begin(), in.result
	counted.Documents++
	counted.Power += len(d.Power)
	for _, one := range []struct {
		series sdk.Series
		blocks map[string]block
	}{{sdk.EnergyHourly, d.Hours}, {sdk.EnergyQuarterHour, d.QuarterHours}} {
		for _, name := range slices.Sorted(maps.Keys(one.blocks)) {
			if err := in.block(book, change, &counted, one.series, name, one.blocks[name]); err != nil {
				return &documentError{fmt.Errorf("block %q: %w", name, err)}
			}
		}
	}
	if len(change.cells) > 0 && !in.options.DryRun {
		if err := book.commit(ctx, change); err != nil {
			return err
		}
	}
	in.result = counted
	return nil
}

// block decides about one block.
func (in *olderImporter) block(book *Book, c *change, counted *Older, series sdk.Series, name string, b block) error {
	first, last, err := b.days(name)
	if err != nil {
		return err
	}
	if b.Values == nil || b.Total == nil || *b.Values < 0 || *b.Total < 0 {
		return errors.New("it does not say how many values of what total it has")
	}
	key := Key{series, sdk.NewMonth(first.Year(), first.Month())}
	if _, err := key.field(); err != nil {
		return err
	}
	switch cell := c.cell(book, key); {
	case *b.Values < *b.Total:
		counted.Incomplete++
	case !b.complete(key, first, last, in.ledger.config.Now()):
		counted.Unproven++
	case cell.State.Answered():
		counted.Known++
	default:
		counted.Imported++
		return in.take(c, key, cell, *b.Total)
	}
	return nil
}

// take makes a chunk complete. Its content is not known, only that the sources
// have it: no hash, no raw copy.
func (in *olderImporter) take(c *change, key Key, cell Cell, total mongoCount) error {
	cell.State, cell.Class, cell.Alone = Complete, NoError, false
	cell.Covered, cell.Expected = int(total), int(total)
	cell.Revision++
	for _, source := range in.options.Sources {
		if err := c.deliver(&cell, source, cell.Revision); err != nil {
			return err
		}
	}
	c.cells[key] = cell
	return nil
}

// block is what the older ledger knows of one query. Its dates are of two kinds:
// those of the block are wall clocks of Madrid that were stored as if they were
// UTC, those of the values are true instants.
type block struct {
	HasStart *bool       `json:"has_ini_date"` // the start is the supply's own
	Start    *mongoTime  `json:"date_ini_block"`
	End      *mongoTime  `json:"date_end_block"`
	Values   *mongoCount `json:"values"` // rows of the last answer; 0 also if there was none
	Total    *mongoCount `json:"total"`  // steps that the block has
	Retries  *mongoCount `json:"retries"`
	Min      *mongoTime  `json:"date_min"` // start of the first value that came
	Max      *mongoTime  `json:"date_max"` // start of the last
}

// UnmarshalJSON implements [json.Unmarshaler]. A field that is not known might
// change the meaning of those that are.
func (b *block) UnmarshalJSON(text []byte) error {
	type plain block
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(b))
}

// days are the first and the last day of the block, as its name and its dates
// say.
func (b block) days(name string) (first, last time.Time, err error) {
	if b.Start == nil || b.End == nil {
		return first, last, errors.New("it has no date_ini_block and date_end_block")
	}
	first, last = b.Start.UTC(), b.End.UTC()
	if said := first.Format(time.DateOnly) + "~" + last.Format(time.DateOnly); said != name {
		return first, last, fmt.Errorf("its dates are %s", said)
	}
	return first, last, nil
}

// complete tells whether a block is shown to hold every step of a month that is
// over:
//
//   - it is the whole month, and its total is what the month has;
//   - there are as many rows as steps, not more;
//   - the first and the last row are the month's first and last step. That also
//     leaves out quarter-hours that were read a place too early.
func (b block) complete(key Key, first, last, now time.Time) bool {
	expected := int64(Expected(key, time.Time{}))
	wholeMonth := first.Day() == 1 && last.Year() == first.Year() && last.Month() == first.Month() && last.AddDate(0, 0, 1).Day() == 1
	return wholeMonth && over(key, now) &&
		int64(*b.Total) == expected && int64(*b.Values) == expected &&
		b.Min != nil && b.Min.Equal(key.Month.Start()) &&
		b.Max != nil && b.Max.Equal(key.Month.End().Add(-key.Series.Step()))
}
