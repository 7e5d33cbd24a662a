package ledger

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// View is a chunk's cell as people read it, and as it is exported.
type View struct {
	CUPS        sdk.CUPS          `json:"cups"` // in the form of its Key
	Series      string            `json:"series"`
	Month       sdk.Month         `json:"month"`
	State       State             `json:"state"`
	Covered     int               `json:"covered"`
	Expected    int               `json:"expected"`
	Tries       int               `json:"tries_left"`
	Class       Class             `json:"error,omitempty"`
	Alone       bool              `json:"alone,omitempty"`
	LastAttempt time.Time         `json:"last_attempt,omitzero"`
	LastAnswer  time.Time         `json:"last_answer,omitzero"`
	Hash        string            `json:"hash,omitempty"` // 16 hexadecimal digits
	Revision    uint32            `json:"revision,omitempty"`
	Raw         *Location         `json:"raw,omitempty"`
	Sources     map[string]uint32 `json:"sources,omitempty"` // the revision that each has
}

// QueryView is a query of the last day as people read it, and as it is
// exported.
type QueryView struct {
	CUPS    sdk.CUPS  `json:"cups"`
	Query   QueryKey  `json:"query"`
	Outcome Outcome   `json:"outcome"`
	At      time.Time `json:"at"`
	Count   int       `json:"count"`
	Raw     *Location `json:"raw,omitempty"` // where a kept answer lies
}

// Views lists all chunks of the book, oldest months first.
func (b *Book) Views() []View {
	b.mu.Lock()
	defer b.mu.Unlock()
	views := make([]View, 0, len(b.cells))
	for _, key := range slices.SortedFunc(maps.Keys(b.cells), compareKeys) {
		views = append(views, b.view(key, b.cells[key].clone()))
	}
	return views
}

func (b *Book) view(key Key, c Cell) View {
	v := View{
		CUPS: b.cups, Series: key.Series.String(), Month: key.Month,
		State: c.State, Covered: c.Covered, Expected: c.Expected, Tries: c.Tries,
		Class: c.Class, Alone: c.Alone, LastAttempt: c.LastAttempt, LastAnswer: c.LastAnswer,
		Revision: c.Revision, Raw: c.Raw,
	}
	if c.Hash != 0 {
		v.Hash = fmt.Sprintf("%016x", c.Hash)
	}
	for i, revision := range c.delivered {
		if revision == 0 || i >= len(b.sources) {
			continue
		}
		if v.Sources == nil {
			v.Sources = make(map[string]uint32)
		}
		v.Sources[b.sources[i]] = revision
	}
	return v
}

// QueryViews lists the queries of the last day, the latest first.
func (b *Book) QueryViews() []QueryView {
	b.mu.Lock()
	defer b.mu.Unlock()
	views := make([]QueryView, 0, len(b.queries))
	for _, key := range slices.Sorted(maps.Keys(b.queries)) {
		a := b.queries[key]
		view := QueryView{CUPS: b.cups, Query: key, Outcome: a.Outcome, At: a.At, Count: a.Count}
		if a.Outcome == OutcomeKept {
			view.Raw = &a.Raw
		}
		views = append(views, view)
	}
	slices.SortStableFunc(views, func(a, b QueryView) int { return b.At.Compare(a.At) })
	return views
}

// cell checks a row that people may have written, and gives what it says.
func (v View) cell() (Key, Cell, error) {
	series, err := ParseSeries(v.Series)
	key := Key{series, v.Month}
	c := Cell{
		State: v.State, Covered: v.Covered, Expected: v.Expected, Tries: v.Tries,
		Class: v.Class, Alone: v.Alone, LastAttempt: v.LastAttempt, LastAnswer: v.LastAnswer,
		Revision: v.Revision, Raw: v.Raw,
	}
	problems := []error{err, v.check()}
	if err == nil {
		_, err = key.field()
		problems = append(problems, err)
	}
	if v.Hash != "" {
		c.Hash, err = strconv.ParseUint(v.Hash, 16, 64)
		if err != nil {
			problems = append(problems, fmt.Errorf("hash %q is not a hexadecimal number of 64 bits", v.Hash))
		}
	}
	return key, c, errors.Join(problems...)
}

// check finds what no cell can say.
func (v View) check() error {
	var problems []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	inRange := func(name string, value, limit int) {
		require(value >= 0 && value <= limit, "%s is %d, not between 0 and %d", name, value, limit)
	}
	inRange("covered", v.Covered, math.MaxInt32)
	inRange("expected", v.Expected, math.MaxInt32)
	inRange("tries_left", v.Tries, math.MaxUint8)
	content := v.State == Partial || v.State == Complete
	require(content == (v.Covered > 0), "state %s does not go with %d covered steps", v.State, v.Covered)
	require(!content || v.Revision > 0, "state %s needs a revision", v.State)
	require(v.Raw == nil || v.Raw.Partition >= 0 && v.Raw.Offset >= 0, "the place of the raw copy is negative")
	for name, at := range map[string]time.Time{"last_attempt": v.LastAttempt, "last_answer": v.LastAnswer} {
		require(at.IsZero() || storable(at), "%s is not between 1970 and 2106", name)
	}
	for source, revision := range v.Sources {
		require(sourceName.MatchString(source), "%q is no name of a source", source)
		require(revision <= v.Revision, "source %s has revision %d of %d", source, revision, v.Revision)
	}
	return errors.Join(problems...)
}

// storable tells whether a time fits the four bytes that the ledger has for it.
func storable(t time.Time) bool { return t.Unix() > 0 && t.Unix() <= math.MaxUint32 }
