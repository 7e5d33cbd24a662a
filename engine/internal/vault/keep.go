package vault

import (
	"context"
	_ "embed" // the script
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Keep is all that lies encrypted between processes: the key of the ids, for
// good, and the logins of the runs that are not over.
type Keep struct {
	// Store is where the key of the ids lies. Nil: it is not encrypted, as in
	// local mode.
	Store Store
	// Users is the Redis of the users queue, where logins lie. Nil: they live in
	// this process alone.
	Users redis.UniversalClient
	// List walks over the keys of Users that start with "dd:" and the prefix; it
	// hands them out without "dd:".
	List func(ctx context.Context, prefix string, visit func(key string) error) error
}

// Store is where the key of the ids lies.
type Store interface {
	Get(ctx context.Context, key string) (map[string][]byte, error)
	Put(ctx context.Context, key string, set map[string][]byte, del ...string) error
}

// Usage tells with which keys what is kept is encrypted.
type Usage struct {
	Identities uint8         // the key's id; 0: there is nothing yet
	Logins     map[uint8]int // key's id → how many logins
}

// Needs tells whether something is encrypted with a key.
func (u Usage) Needs(key uint8) bool { return u.Identities == key || u.Logins[key] > 0 }

// Rotated is what came of a rotation.
type Rotated struct {
	Identities bool // the key of the ids was encrypted anew
	Logins     int  // how many were
	// Failed says, for each thing that could not be encrypted anew, why.
	Failed []error
}

// Look tells what is encrypted with which key. It decrypts nothing.
func (k Keep) Look(ctx context.Context) (Usage, error) {
	usage := Usage{Logins: make(map[uint8]int)}
	sealed, err := k.identities(ctx)
	if err != nil {
		return usage, err
	}
	usage.Identities = keyOf(sealed)
	return usage, k.runs(ctx, func(_ string, logins map[string]string) error {
		for _, sealed := range logins {
			usage.Logins[keyOf([]byte(sealed))]++
		}
		return nil
	})
}

// keyOf is the id of the key that something was encrypted with; 0 for none.
func keyOf(sealed []byte) uint8 {
	if len(sealed) == 0 {
		return 0
	}
	return sealed[0]
}

// identities is the key of the ids as it lies there, nil if there is none.
func (k Keep) identities(ctx context.Context) ([]byte, error) {
	if k.Store == nil {
		return nil, nil
	}
	fields, err := k.Store.Get(ctx, idKey)
	if err != nil {
		return nil, fmt.Errorf("read the key of the ids: %w", err)
	}
	return fields[idField], nil
}

// runs visits the logins of each run that has some.
func (k Keep) runs(ctx context.Context, visit func(run string, logins map[string]string) error) error {
	if k.Users == nil {
		return nil
	}
	return k.List(ctx, credentialsStart, func(key string) error {
		run, ok := strings.CutSuffix(strings.TrimPrefix(key, credentialsStart), credentialsEnd)
		if !ok {
			return nil // a key of that run's queue
		}
		logins, err := k.Users.HGetAll(ctx, credentialsKey(run)).Result()
		if err != nil {
			return fmt.Errorf("read the logins of run %s: %w", run, err)
		}
		return visit(run, logins)
	})
}

// Rotate encrypts with the sealer's first key whatever is encrypted with
// another one. What cannot be decrypted stays as it is.
func (k Keep) Rotate(ctx context.Context, sealer *Sealer) (Rotated, error) {
	var r Rotated
	if err := k.rotateIdentities(ctx, sealer, &r); err != nil {
		return r, err
	}
	return r, k.runs(ctx, func(run string, logins map[string]string) error {
		for login, sealed := range logins {
			fresh, err := sealer.renew([]byte(sealed), loginPurpose(run, login))
			if err != nil {
				r.Failed = append(r.Failed, fmt.Errorf("a login of run %s is %w", run, err))
			}
			if fresh == nil {
				continue
			}
			changed, err := replace(ctx, k.Users, credentialsKey(run), login, sealed, fresh)
			if err != nil {
				return fmt.Errorf("encrypt a login of run %s anew: %w", run, err)
			}
			if changed {
				r.Logins++
			}
		}
		return nil
	})
}

func (k Keep) rotateIdentities(ctx context.Context, sealer *Sealer, r *Rotated) error {
	sealed, err := k.identities(ctx)
	if err != nil || sealed == nil {
		return err
	}
	fresh, err := sealer.renew(sealed, idPurpose)
	if err != nil {
		r.Failed = append(r.Failed, fmt.Errorf("the key of the ids is %w", err))
	}
	if fresh == nil {
		return nil
	}
	// Nobody changes it but another rotation, to the same under another key.
	if err := k.Store.Put(ctx, idKey, map[string][]byte{idField: fresh}); err != nil {
		return fmt.Errorf("encrypt the key of the ids anew: %w", err)
	}
	r.Identities = true
	return nil
}

// renew encrypts with the first key what another one encrypted; nil if there is
// nothing to do or it cannot be.
func (s *Sealer) renew(sealed []byte, purpose string) ([]byte, error) {
	if keyOf(sealed) == s.first {
		return nil, nil
	}
	text, err := s.Open(sealed, purpose)
	if err != nil {
		return nil, err
	}
	return s.Seal(text, purpose)
}

//go:embed replace.lua
var replaceSource string

var replaceScript = redis.NewScript(replaceSource)

// replace sets a field unless somebody has changed or erased it meanwhile: logins
// that are erased must not come back.
func replace(ctx context.Context, client redis.UniversalClient, key, field, old string, fresh []byte) (bool, error) {
	n, err := replaceScript.Run(ctx, client, []string{key}, field, old, fresh).Int()
	return n == 1, err
}
