package lister

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/entitlement"
	"github.com/datadis-engine/datadis/sdk"
)

// complete turns a listing into results by distributor. Distributors that
// failed, or that left out supplies they listed before, are asked again, each
// alone: lists come short without warning, and this call may be repeated
// (datadis-api.md 8.5).
func (t *task) complete(ctx context.Context, session *datadis.Session, listing datadis.Listing) (entitlement.Listing, error) {
	known, err := t.Entitlement.Current(ctx, t.entitlement())
	if err != nil {
		return entitlement.Listing{}, err
	}
	all := entitlement.Listing{At: t.Now(), Whole: true, Distributors: make(map[sdk.Distributor]entitlement.Result)}
	t.add(&all, listing, "")
	for _, pause := range t.Pauses {
		again := doubtful(known, all)
		if len(again) == 0 {
			break
		}
		t.log.Info("distributors are asked again, alone", "distributors", again)
		if err := wait(ctx, pause); err != nil {
			return all, err
		}
		for _, distributor := range again {
			if err := t.alone(ctx, session, &all, distributor); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// doubtful lists the distributors whose answer is not to be believed yet.
func doubtful(known []entitlement.Effective, l entitlement.Listing) []sdk.Distributor {
	again := make(map[sdk.Distributor]bool)
	for distributor := range entitlement.Suspicious(known, l) {
		again[distributor] = true
	}
	for distributor, result := range l.Distributors {
		if result.Failed {
			again[distributor] = true
		}
	}
	return slices.Sorted(maps.Keys(again))
}

// alone asks one distributor. If it fails, so did what it said before: it keeps
// what it listed in earlier runs.
func (t *task) alone(ctx context.Context, session *datadis.Session, all *entitlement.Listing, distributor sdk.Distributor) error {
	listing, err := session.Supplies(ctx, t.user.NIF, distributor)
	switch {
	case ctx.Err() != nil, errors.Is(err, datadis.ErrBadCredentials), errors.Is(err, datadis.ErrThrottled):
		return err
	case errors.Is(err, datadis.ErrUnauthorised):
		listing = datadis.Listing{} // this distributor has no supply for the account
	case err != nil:
		t.log.Warn("distributor failed", "distributor", distributor, "error", err)
		all.Distributors[distributor] = entitlement.Result{Failed: true, Supplies: all.Distributors[distributor].Supplies}
		return nil
	}
	t.add(all, listing, distributor)
	return nil
}

// add notes what a call said: of every distributor that it names, or of the
// one that was asked alone.
func (t *task) add(all *entitlement.Listing, l datadis.Listing, alone sdk.Distributor) {
	named := make(map[sdk.Distributor]entitlement.Result)
	if alone != "" {
		named[alone] = entitlement.Result{}
	}
	for _, s := range l.Current() {
		if s.Distributor == "" || !validCUPS.MatchString(string(s.CUPS)) {
			t.log.Warn("supply left out: it has no distributor, or what is listed as its CUPS cannot be one", "cups", s.CUPS)
			continue
		}
		result := named[s.Distributor]
		result.Supplies = append(result.Supplies, entitlement.Supply{
			CUPS: s.CUPS, Distributor: s.Distributor, PointType: s.PointType,
			PostalCode: s.PostalCode, ValidFrom: s.ValidFrom, Raw: s.Raw,
		})
		named[s.Distributor] = result
	}
	for _, distributor := range l.Failed() {
		if distributor == "" {
			t.log.Warn("a distributor without a code failed; its supplies may be missing")
			continue
		}
		named[distributor] = entitlement.Result{Failed: true, Supplies: unite(all.Distributors[distributor].Supplies, named[distributor].Supplies)}
	}
	maps.Copy(all.Distributors, named)
}

// unite is what came of a distributor in two calls, by the later one where both
// have a supply.
func unite(earlier, later []entitlement.Supply) []entitlement.Supply {
	all := slices.Clone(later)
	for _, s := range earlier {
		same := func(other entitlement.Supply) bool { return other.CUPS.Key() == s.CUPS.Key() }
		if !slices.ContainsFunc(later, same) {
			all = append(all, s)
		}
	}
	return all
}

// validCUPS is what can be a CUPS. A wrong check letter is no reason to leave a
// supply out (datadis-api.md 9.1); a text that could break a key or a path is.
var validCUPS = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)

// wait pauses, unless the context ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
