package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// mongoTime is a date as MongoDB's Extended JSON writes it, in each of its forms:
// {"$date": "2026-03-01T00:00:00Z"}, {"$date": {"$numberLong": "1772323200000"}},
// {"$date": 1772323200000}.
type mongoTime struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *mongoTime) UnmarshalJSON(text []byte) error {
	var wrapped struct {
		Date json.RawMessage `json:"$date"`
	}
	if err := json.Unmarshal(text, &wrapped); err != nil || len(wrapped.Date) == 0 {
		return errors.New(`a date is not written as {"$date": …}`)
	}
	var said string
	if json.Unmarshal(wrapped.Date, &said) == nil {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999Z0700"} {
			if at, err := time.Parse(layout, said); err == nil {
				t.Time = at
				return nil
			}
		}
		return fmt.Errorf("%q is no date", said)
	}
	var millis mongoCount
	if err := millis.UnmarshalJSON(wrapped.Date); err != nil {
		return fmt.Errorf("a date: %w", err)
	}
	t.Time = time.UnixMilli(int64(millis))
	return nil
}

// mongoCount is a whole number in any form of Extended JSON: 744,
// {"$numberInt": "744"}, and the same with $numberLong or, as long as it is
// whole, $numberDouble.
type mongoCount int64

// UnmarshalJSON implements [json.Unmarshaler].
func (c *mongoCount) UnmarshalJSON(text []byte) error {
	said := string(text)
	var wrapped map[string]string
	if json.Unmarshal(text, &wrapped) == nil {
		if len(wrapped) != 1 {
			return errors.New("a number is not written as one of Extended JSON")
		}
		for kind, value := range wrapped {
			if kind != "$numberInt" && kind != "$numberLong" && kind != "$numberDouble" {
				return fmt.Errorf("%q is no kind of number", kind)
			}
			said = value
		}
	}
	number, err := strconv.ParseInt(said, 10, 64)
	if err != nil {
		real, errReal := strconv.ParseFloat(said, 64)
		if number = int64(real); errReal != nil || float64(number) != real {
			return fmt.Errorf("%q is no whole number", said)
		}
	}
	*c = mongoCount(number)
	return nil
}
