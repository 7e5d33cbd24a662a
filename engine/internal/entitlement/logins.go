package entitlement

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	restAfter = 3              // runs in a row that rejected a login
	restFor   = 24 * time.Hour // that it is not asked then

	loginPrefix = "n:"
	runPrefix   = "r:" // a field per run that rejected the login: when that was
)

// LoginStore is what Logins need of the store package.
type LoginStore interface {
	Store
	PutNew(ctx context.Context, key, field string, value []byte) (stored []byte, err error)
}

// Logins remembers logins that Datadis rejects. A login is known by its id, a
// keyed hash of user name and password, so that one with a new password starts
// afresh. Several processes may learn of one login at the same time.
type Logins struct {
	store LoginStore
	now   func() time.Time
}

// NewLogins returns Logins that lie in the store. A nil clock is the machine's.
func NewLogins(store LoginStore, now func() time.Time) *Logins {
	if now == nil {
		now = time.Now
	}
	return &Logins{store, now}
}

// rejection of a login by a run.
type rejection struct {
	field string
	at    time.Time
}

// Rejected records that a run had the login rejected, however often, and
// returns in how many runs that has happened since it was accepted. It does not
// count beyond three.
func (l *Logins) Rejected(ctx context.Context, login, run string) (streak int, err error) {
	key, err := key(loginPrefix, "id of a login", login)
	if err != nil {
		return 0, err
	}
	if !validID.MatchString(run) {
		return 0, fmt.Errorf("%q is no id of a run", run)
	}
	now := l.now().UTC().AppendFormat(nil, time.RFC3339)
	if _, err := l.store.PutNew(ctx, key, runPrefix+run, now); err != nil {
		return 0, fmt.Errorf("record that login %s was rejected: %w", login, err)
	}
	all, err := l.rejections(ctx, login)
	if err != nil || len(all) <= restAfter {
		return len(all), err
	}
	var old []string
	for _, r := range all[:len(all)-restAfter] {
		old = append(old, r.field)
	}
	if err := l.store.Put(ctx, key, nil, old...); err != nil {
		return 0, fmt.Errorf("record that login %s was rejected: %w", login, err)
	}
	return restAfter, nil
}

// Accepted forgets that the login was ever rejected.
func (l *Logins) Accepted(ctx context.Context, login string) error {
	key, err := key(loginPrefix, "id of a login", login)
	if err != nil {
		return err
	}
	if err := l.store.Delete(ctx, key); err != nil {
		return fmt.Errorf("record that login %s was accepted: %w", login, err)
	}
	return nil
}

// Resting tells whether a login must not be asked now, and until when: it was
// rejected in three runs in a row, the last time less than a day ago.
func (l *Logins) Resting(ctx context.Context, login string) (until time.Time, resting bool, err error) {
	all, err := l.rejections(ctx, login)
	if err != nil || len(all) < restAfter {
		return time.Time{}, false, err
	}
	until = all[len(all)-1].at.Add(restFor)
	if !l.now().Before(until) {
		return time.Time{}, false, nil
	}
	return until, true, nil
}

// rejections of a login, the latest last.
func (l *Logins) rejections(ctx context.Context, login string) ([]rejection, error) {
	key, err := key(loginPrefix, "id of a login", login)
	if err != nil {
		return nil, err
	}
	fields, err := l.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read how login %s fared: %w", login, err)
	}
	var all []rejection
	for field, value := range fields {
		if !strings.HasPrefix(field, runPrefix) {
			continue
		}
		at, err := time.Parse(time.RFC3339, string(value))
		if err != nil {
			return nil, fmt.Errorf("read how login %s fared: %w", login, err)
		}
		all = append(all, rejection{field, at})
	}
	slices.SortFunc(all, func(a, b rejection) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.field, b.field))
	})
	return all, nil
}
