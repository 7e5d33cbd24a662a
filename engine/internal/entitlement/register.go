package entitlement

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Keys and fields in the store: one key per account, and per distributor a
// field with what it listed last, and one that is there while it fails.
const (
	accountPrefix = "e:"
	listedPrefix  = "d:"
	failedPrefix  = "f:"
)

// Register keeps the last good listing of every account. Different accounts may
// be used at the same time; one account has one lister at a time.
type Register struct{ store Store }

// NewRegister returns a Register that lies in the store.
func NewRegister(store Store) *Register { return &Register{store} }

// Current is what an account may see, as far as is known, by CUPS.
func (r *Register) Current(ctx context.Context, account string) ([]Effective, error) {
	_, known, err := r.read(ctx, account)
	if err != nil {
		return nil, err
	}
	return effective(known), nil
}

// Accounts lists the accounts that something is known of, in order.
func (r *Register) Accounts(ctx context.Context) ([]string, error) {
	var accounts []string
	err := r.store.Keys(ctx, accountPrefix, func(key string) error {
		accounts = append(accounts, strings.TrimPrefix(key, accountPrefix))
		return nil
	})
	slices.Sort(accounts)
	return accounts, err
}

// Update takes a listing and tells what the account may see now.
func (r *Register) Update(ctx context.Context, account string, l Listing) (Change, error) {
	key, known, err := r.read(ctx, account)
	if err != nil {
		return Change{}, err
	}
	before := effective(known)
	set, del, err := apply(known, l)
	if err != nil {
		return Change{}, fmt.Errorf("listing of account %s: %w", account, err)
	}
	if err := r.store.Put(ctx, key, set, del...); err != nil {
		return Change{}, fmt.Errorf("keep the listing of account %s: %w", account, err)
	}
	after := effective(known)
	change := Change{Supplies: after, Added: without(after, before), Ended: without(before, after)}
	for _, distributor := range slices.Sorted(maps.Keys(known)) {
		if known[distributor].failed {
			change.Failed = append(change.Failed, distributor)
		}
	}
	return change, nil
}

// Revoke ends all that an account may see, since its login is rejected, and
// returns what that was.
func (r *Register) Revoke(ctx context.Context, account string) ([]sdk.CUPS, error) {
	key, known, err := r.read(ctx, account)
	if err != nil {
		return nil, err
	}
	if err := r.store.Delete(ctx, key); err != nil {
		return nil, fmt.Errorf("revoke account %s: %w", account, err)
	}
	return without(effective(known), nil), nil
}

// read gives what is known of an account, and where in the store.
func (r *Register) read(ctx context.Context, account string) (string, map[sdk.Distributor]listed, error) {
	key, err := key(accountPrefix, "id of an account", account)
	if err != nil {
		return "", nil, err
	}
	fields, err := r.store.Get(ctx, key)
	if err != nil {
		return "", nil, fmt.Errorf("read the listing of account %s: %w", account, err)
	}
	known := make(map[sdk.Distributor]listed)
	for field, value := range fields {
		distributor, ok := strings.CutPrefix(field, listedPrefix)
		if !ok {
			continue
		}
		l, err := decode(value)
		if err != nil {
			return "", nil, fmt.Errorf("read the listing of account %s, distributor %s: %w", account, distributor, err)
		}
		known[sdk.Distributor(distributor)] = l
	}
	for field := range fields {
		if distributor, ok := strings.CutPrefix(field, failedPrefix); ok {
			l := known[sdk.Distributor(distributor)]
			l.failed = true
			known[sdk.Distributor(distributor)] = l
		}
	}
	return key, known, nil
}

// apply updates what is known by a listing, and gives the fields to be written.
func apply(known map[sdk.Distributor]listed, l Listing) (set map[string][]byte, del []string, err error) {
	set = make(map[string][]byte)
	for distributor, result := range l.Distributors {
		if !validID.MatchString(string(distributor)) {
			return nil, nil, fmt.Errorf("%q is no code of a distributor", distributor)
		}
		now := listed{At: l.At.UTC(), Supplies: result.Supplies}
		if result.Failed {
			now = known[distributor].with(now)
			set[failedPrefix+string(distributor)] = l.At.UTC().AppendFormat(nil, time.RFC3339)
		} else {
			del = append(del, failedPrefix+string(distributor))
		}
		known[distributor] = now
		if result.Failed && len(result.Supplies) == 0 {
			continue // what was listed last stays as it is
		}
		set[listedPrefix+string(distributor)], err = now.encode()
		if err != nil {
			return nil, nil, fmt.Errorf("encode the supplies of distributor %s: %w", distributor, err)
		}
	}
	if !l.Whole {
		return set, del, nil
	}
	for distributor := range known {
		if _, named := l.Distributors[distributor]; !named {
			delete(known, distributor)
			del = append(del, listedPrefix+string(distributor), failedPrefix+string(distributor))
		}
	}
	return set, del, nil
}
