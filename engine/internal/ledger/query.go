package ledger

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Query is a guarded call: Datadis does not answer an identical one within 24
// hours.
type Query struct {
	Account     string // its id
	CUPS        sdk.CUPS
	Distributor sdk.Distributor
	PointType   int
	Series      sdk.Series
	From, To    sdk.Month
}

// Key is what Datadis compares (datadis-api.md 8.3), as a short hash. Maximum
// power and reactive energy share their keys, whatever the point type.
func (q Query) Key() QueryKey {
	kind := q.Series.String() + fmt.Sprintf("/%d", q.PointType)
	if q.Series.Property == sdk.Power || q.Series.Property == sdk.Reactive {
		kind = "power"
	}
	text := strings.Join([]string{
		q.Account, string(q.CUPS.Key()), string(q.Distributor), kind, q.From.String(), q.To.String(),
	}, "\x00")
	sum := sha256.Sum256([]byte(text))
	return QueryKey(base64.RawURLEncoding.EncodeToString(sum[:queryKeyBytes]))
}

// QueryKey names a query within the book of its CUPS. 48 bits tell the few
// queries of one day apart.
type QueryKey string

const (
	queryKeyBytes  = 6
	queryKeyLength = 8 // in base64
)

// Attempt is what is known of a query that was made lately.
type Attempt struct {
	Outcome Outcome
	At      time.Time // of the outcome; while there is none, of the intent
	Count   int       // intents since the record was opened
	Raw     Location  // of the answer, with OutcomeKept
}

// Outcome is what became of a query.
type Outcome uint8

// The outcomes. Their numbers are stored.
const (
	OutcomeIntended Outcome = iota // it was about to be made; nothing else is known
	OutcomeAnswered                // with data, without, or with something unreadable
	OutcomeRefused                 // as repeated, not authorised, or wrong
	OutcomeFailed                  // and may be made again
	OutcomeKept                    // answered, and in the raw topic, but not recorded yet
)

var outcomeNames = []string{"intended", "answered", "refused", "failed", "kept"}

// String names the outcome.
func (o Outcome) String() string { return name(outcomeNames, uint8(o)) }

// MarshalText implements [encoding.TextMarshaler].
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Outcome) UnmarshalText(text []byte) error {
	return parseName(outcomeNames, string(text), "outcome", (*uint8)(o))
}

// until is how long the query must not be repeated; zero if it may be.
func (a Attempt) until(repeatAfter time.Duration) time.Time {
	switch a.Outcome {
	case OutcomeAnswered, OutcomeRefused, OutcomeKept:
		return a.At.Add(repeatAfter)
	}
	return time.Time{}
}

// queryPrefix starts the field of a query.
const queryPrefix = "?"

func (k QueryKey) field() string { return queryPrefix + string(k) }

// parseQuery reads a field; false if it is not that of a query.
func parseQuery(field string) (QueryKey, bool) {
	key, ok := strings.CutPrefix(field, queryPrefix)
	return QueryKey(key), ok && len(key) == queryKeyLength
}

// An attempt in the store: version<<4 | outcome, the count, four bytes of epoch
// seconds, big endian, and of one whose answer is kept, partition and offset.
const attemptVersion = 1

func (a Attempt) encode() []byte {
	count := byte(min(max(a.Count, 0), math.MaxUint8))
	b := appendTime([]byte{attemptVersion<<4 | byte(a.Outcome), count}, a.At)
	if a.Outcome == OutcomeKept {
		b = a.Raw.append(b)
	}
	return b
}

func decodeAttempt(data []byte) (Attempt, error) {
	r := reader{data: data}
	head := r.byte()
	if r.err == nil && head>>4 != attemptVersion {
		return Attempt{}, fmt.Errorf("%w (%d; this one knows %d)", ErrVersion, head>>4, attemptVersion)
	}
	a := Attempt{Outcome: Outcome(head & 0xf), Count: int(r.byte()), At: r.time()}
	if r.err == nil && a.Outcome == OutcomeKept {
		a.Raw = r.location()
	}
	if r.err != nil || len(r.data) > 0 || int(a.Outcome) >= len(outcomeNames) {
		return Attempt{}, errMalformed
	}
	return a, nil
}
