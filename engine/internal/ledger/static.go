package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Statics remembers when the static data of a supply was published, by account
// and for which sources. It is published once a run, but not again by runs that
// follow each other within Config.RepeatAfter.
type Statics struct {
	store  Store
	config Config
}

// NewStatics returns the Statics that lie in the store.
func NewStatics(store Store, config Config) *Statics {
	return &Statics{store, New(store, config).config}
}

// staticPrefix starts the store's keys of Statics, one for each CUPS.
const staticPrefix = "s:"

// published is what is stored for an account.
type published struct {
	At      time.Time `json:"at"`
	Sources []string  `json:"sources"`
}

// Fresh tells whether the static data was published lately for all of the
// sources.
func (s *Statics) Fresh(ctx context.Context, cups sdk.CUPS, account string, sources []string) (bool, error) {
	key, err := staticKey(cups)
	if err != nil {
		return false, err
	}
	fields, err := s.store.Get(ctx, key)
	if err != nil {
		return false, fmt.Errorf("read what was published of %s: %w", cups.Masked(), err)
	}
	var last published
	if json.Unmarshal(fields[account], &last) != nil {
		return false, nil // never, or by an engine that wrote it differently
	}
	for _, source := range sources {
		if !slices.Contains(last.Sources, source) {
			return false, nil
		}
	}
	return s.config.Now().Before(last.At.Add(s.config.RepeatAfter)), nil
}

// Published records that the static data was published for the sources.
func (s *Statics) Published(ctx context.Context, cups sdk.CUPS, account string, sources []string) error {
	key, err := staticKey(cups)
	if err != nil {
		return err
	}
	value, err := json.Marshal(published{s.config.Now().UTC().Truncate(time.Second), sources})
	if err != nil {
		return fmt.Errorf("record what was published of %s: %w", cups.Masked(), err)
	}
	if err := s.store.Put(ctx, key, map[string][]byte{account: value}); err != nil {
		return fmt.Errorf("record what was published of %s: %w", cups.Masked(), err)
	}
	return nil
}

func staticKey(cups sdk.CUPS) (string, error) {
	key, err := storeKey(cups)
	if err != nil {
		return "", err
	}
	return staticPrefix + key[len(keyPrefix):], nil
}

// SortSeries puts series in the order in which they are listed.
func SortSeries(series []sdk.Series) []sdk.Series {
	slices.SortFunc(series, func(a, b sdk.Series) int { return rank(a) - rank(b) })
	return series
}
