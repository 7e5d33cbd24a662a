// Package store keeps small hashes for good: a key, its fields, their bytes.
//
// There are two implementations that behave alike, and one suite that proves
// it: [Redis], shared by the processes of a cluster, and [Bolt], a file for the
// engine that runs alone. Who needs a store declares the part of it that it
// uses; [Store] is the whole.
//
// Keys may carry personal data, so no error of this package names one.
package store

import (
	"context"
	"errors"
	"strings"
)

// Store keeps hashes. Its methods may be called at the same time.
type Store interface {
	// Get reads all fields of a key: an empty map when there are none.
	Get(ctx context.Context, key string) (map[string][]byte, error)

	// Put sets and removes fields of one key, all or none of them. A field
	// must not be in both. A key without fields does not exist.
	Put(ctx context.Context, key string, set map[string][]byte, del ...string) error

	// PutNew sets a field unless it exists, and returns what it holds then: of
	// several callers the first one wins, and all learn its value.
	PutNew(ctx context.Context, key, field string, value []byte) (stored []byte, err error)

	// Delete removes a key with all of its fields, if it exists.
	Delete(ctx context.Context, key string) error

	// Keys calls visit once for each key that starts with prefix, in no order
	// that can be relied on, never twice at the same time. A key that comes or
	// goes meanwhile may be missed. An error of visit ends the walk and is
	// returned as it is; visit may use the store.
	Keys(ctx context.Context, prefix string, visit func(key string) error) error
}

// separator stands between key and field where a store knows flat keys only.
const separator = "\x00"

// errName refuses what no store could keep apart.
var errName = errors.New("a key and a field must not be empty or hold a zero byte")

// check refuses keys and fields that one of the stores could not keep.
func check(names ...string) error {
	for _, name := range names {
		if name == "" || strings.Contains(name, separator) {
			return errName
		}
	}
	return nil
}
