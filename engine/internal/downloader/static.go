package downloader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/sdk"
)

// static publishes supply and contract, once for each account that sees the
// supply, unless that was done lately.
func (t *task) static(ctx context.Context) error {
	for _, access := range t.device.Accesses {
		fresh, err := t.Statics.Fresh(ctx, t.cups, access.Account, access.Sources)
		if err != nil {
			return err
		}
		if fresh {
			continue
		}
		if err := t.describe(ctx, access); err != nil || t.cool > 0 {
			return err
		}
	}
	return nil
}

// describe publishes the static data of one account. A contract that cannot be
// had now does not hold the supply back: the next run asks for it again.
func (t *task) describe(ctx context.Context, access job.Access) error {
	s, err := t.session(ctx, access)
	if err != nil {
		return err
	}
	var contracts []datadis.Contract
	failure := s.err
	if failure == nil {
		contracts, failure = s.Contracts(ctx, access.NIF, access.CUPS, access.Distributor)
	}
	if ctx.Err() != nil {
		return failure
	}
	if e := (*datadis.Error)(nil); errors.Is(failure, datadis.ErrThrottled) && errors.As(failure, &e) {
		t.cool = max(e.RetryAfter, restAfterThrottle) // the supply comes back for it
		return nil
	}
	if failure != nil {
		t.log.Warn("supply published without its contract", "account", access.Account, "error", failure)
	}
	supply, err := t.supply(access, s.username, contracts)
	if err != nil {
		return err
	}
	if err := t.Outlet.Supply(ctx, supply); err != nil {
		return fmt.Errorf("publish static data: %w", err)
	}
	crash.Here(crash.StaticPublished)
	for _, source := range access.Sources {
		t.counts.Count(job.PerSource(job.Static, source), 1)
	}
	if failure != nil {
		return nil
	}
	return t.Statics.Published(ctx, t.cups, access.Account, access.Sources)
}

// supply is what is known of the supply through an account.
func (t *task) supply(access job.Access, username sdk.NIF, contracts []datadis.Contract) (*sdk.Supply, error) {
	rows, err := datadis.DecodeSupplies(slices.Concat([]byte("["), access.Supply, []byte("]")))
	if err != nil || len(rows.Supplies) != 1 {
		return nil, fmt.Errorf("read the listed supply: %w", err)
	}
	supply := rows.Supplies[0]
	supply.Run, supply.Sources, supply.FetchedAt = t.Run, access.Sources, t.Now().UTC().Truncate(time.Second)
	supply.Username, supply.AuthorizedNIF = username, access.NIF
	supply.Measurements = t.gathered()
	for _, c := range contracts {
		supply.Contracts = append(supply.Contracts, c.Contract)
	}
	supply.Raw, err = merged(access.Supply, contracts)
	return &supply, err
}

// gathered lists the series of which anything was ever published.
func (t *task) gathered() []sdk.Series {
	var series []sdk.Series
	for _, key := range t.book.Keys() {
		if cell, _ := t.book.Cell(key); cell.HasContent() && !slices.Contains(series, key.Series) {
			series = append(series, key.Series)
		}
	}
	return ledger.SortSeries(series)
}

// merged is Datadis's own fields of a supply and its current contract, and all
// contracts as a list.
func merged(supply json.RawMessage, contracts []datadis.Contract) (json.RawMessage, error) {
	fields := make(map[string]json.RawMessage)
	add := func(object json.RawMessage) error {
		var own map[string]json.RawMessage
		if err := json.Unmarshal(object, &own); err != nil {
			return fmt.Errorf("read static data: %w", err)
		}
		for name, value := range own {
			if _, known := fields[name]; !known { // the listing knows the supply better than its contract does
				fields[name] = value
			}
		}
		return nil
	}
	if err := add(supply); err != nil {
		return nil, err
	}
	all := make([]json.RawMessage, len(contracts))
	for i, c := range contracts {
		all[i] = c.Raw
	}
	if current := current(contracts); current >= 0 {
		if err := add(contracts[current].Raw); err != nil {
			return nil, err
		}
	}
	list, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("list contracts: %w", err)
	}
	fields["contracts"] = list
	return json.Marshal(fields)
}

// current is the index of the contract that is open, else of the latest; -1 if
// there is none.
func current(contracts []datadis.Contract) int {
	best := -1
	for i, c := range contracts {
		if best < 0 || better(c, contracts[best]) {
			best = i
		}
	}
	return best
}

func better(a, b datadis.Contract) bool {
	if a.EndDate.IsZero() != b.EndDate.IsZero() {
		return a.EndDate.IsZero()
	}
	return a.StartDate.After(b.StartDate)
}
