// Package entitlement remembers which supplies an account may see: the last
// good listing of each account and distributor. It also remembers which logins
// Datadis keeps rejecting.
//
// Listings come short without warning. A distributor that failed today leaves
// what it listed before; one that answered without a supply ends it; a login
// that is rejected ends all of its own. What the ledger knows of a supply is not
// touched by any of this.
package entitlement

import (
	"context"
	"fmt"
	"regexp"
)

// Store is what a Register needs of the store package, which says what its
// methods promise.
type Store interface {
	Get(ctx context.Context, key string) (map[string][]byte, error)
	Put(ctx context.Context, key string, set map[string][]byte, del ...string) error
	Delete(ctx context.Context, key string) error
	Keys(ctx context.Context, prefix string, visit func(key string) error) error
}

// validID is what the ids of accounts, logins and runs, and the codes of
// distributors, consist of. They become parts of keys.
var validID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// key joins a prefix and an id from outside.
func key(prefix, what, id string) (string, error) {
	if !validID.MatchString(id) {
		return "", fmt.Errorf("%q is no %s", id, what)
	}
	return prefix + id, nil
}
