package vault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/vault"
	"github.com/datadis-engine/datadis/sdk"
)

// keeper is a deployment whose keys change.
type keeper struct {
	*testing.T
	client redis.UniversalClient
	keys   []vault.Key // by id, from 1
}

func newKeeper(t *testing.T, client redis.UniversalClient) *keeper {
	k := &keeper{T: t, client: client}
	for id := range uint8(3) {
		key, err := vault.NewKey(id + 1)
		if err != nil {
			t.Fatal(err)
		}
		k.keys = append(k.keys, key)
	}
	return k
}

func (k *keeper) sealer(ids ...uint8) *vault.Sealer {
	k.Helper()
	var keys []vault.Key
	for _, id := range ids {
		keys = append(keys, k.keys[id-1])
	}
	s, err := vault.NewSealer(keys...)
	if err != nil {
		k.Fatal(err)
	}
	return s
}

func (k *keeper) keep() vault.Keep {
	kept := store.NewRedis(k.client, "dd:")
	return vault.Keep{Store: kept, Users: k.client, List: kept.Keys}
}

// account is an id that only the key of the ids gives.
func (k *keeper) account(s *vault.Sealer) (string, error) {
	ids, err := vault.LoadIdentities(k.Context(), store.NewRedis(k.client, "dd:"), s)
	if err != nil {
		return "", err
	}
	return ids.Account("12345678Z", ""), nil
}

func (k *keeper) credentials(s *vault.Sealer, run string) *vault.Credentials {
	return vault.NewCredentials(k.client, s, run, time.Hour)
}

func (k *keeper) put(s *vault.Sealer, run, login string) {
	k.Helper()
	if err := k.credentials(s, run).Put(k.Context(), login, "user of "+login, sdk.NewSecret("password of "+login)); err != nil {
		k.Fatal(err)
	}
}

func (k *keeper) usage() vault.Usage {
	k.Helper()
	u, err := k.keep().Look(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	return u
}

// After a rotation a process that has the new key alone knows all that was
// known, and logins live as long as they would have.
func TestRotate(t *testing.T) {
	t.Parallel()
	redistest.EachAndCluster(t, func(t *testing.T, b *redistest.Backend) {
		k := newKeeper(t, b.Open(t, 0))
		old := k.sealer(1)
		account, err := k.account(old)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			k.put(old, "r1", fmt.Sprint(i))
			k.put(old, "r2", fmt.Sprint(i))
		}
		both := k.sealer(2, 1)
		k.put(both, "r2", "new")
		rotated, err := k.keep().Rotate(t.Context(), both)
		if err != nil || !rotated.Identities || rotated.Logins != 6 || len(rotated.Failed) > 0 {
			t.Fatalf("%+v, %v", rotated, err)
		}
		if u := k.usage(); u.Needs(1) || u.Identities != 2 || u.Logins[2] != 7 {
			t.Errorf("afterwards: %+v", u)
		}
		only := k.sealer(2)
		if got, err := k.account(only); err != nil || got != account {
			t.Errorf("the account is %q, was %q: %v", got, account, err)
		}
		got, err := k.credentials(only, "r1").Get(t.Context(), "2")
		if err != nil || got.Username != "user of 2" || got.Password.Reveal() != "password of 2" {
			t.Errorf("a login: %v, %v", got, err)
		}
		if left := b.Admin(t, 0).PTTL(t.Context(), "dd:{u:r1}:cred").Val(); left <= 0 || left > time.Hour {
			t.Errorf("the logins live for %s", left)
		}
		if again, err := k.keep().Rotate(t.Context(), both); err != nil || again.Identities || again.Logins != 0 {
			t.Errorf("a second time: %+v, %v", again, err)
		}
	})
}

// What a key that is not there encrypted stays as it is, and is told.
func TestRotateWithoutAKey(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, b *redistest.Backend) {
		k := newKeeper(t, b.Client(t))
		if _, err := k.account(k.sealer(3)); err != nil {
			t.Fatal(err)
		}
		k.put(k.sealer(3), "r", "a")
		k.put(k.sealer(1), "r", "b")
		rotated, err := k.keep().Rotate(t.Context(), k.sealer(2, 1))
		if err != nil || rotated.Identities || rotated.Logins != 1 || len(rotated.Failed) != 2 {
			t.Fatalf("%+v, %v", rotated, err)
		}
		for _, one := range rotated.Failed {
			if !errors.Is(one, vault.ErrUnknownKey) {
				t.Error(one)
			}
		}
		if u := k.usage(); u.Identities != 3 || u.Logins[3] != 1 || u.Logins[2] != 1 {
			t.Errorf("afterwards: %+v", u)
		}
	})
}

// A run that ends in the middle of a rotation stays without logins.
func TestRotateBringsNothingBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, b *redistest.Backend) {
		k := newKeeper(t, b.Client(t))
		for i := range 5 {
			k.put(k.sealer(1), "r", fmt.Sprint(i))
		}
		keep := k.keep()
		walk := keep.List
		var erase redis.Hook = eraser{func(ctx context.Context) error { return k.credentials(k.sealer(1), "r").Erase(ctx) }}
		keep.List = func(ctx context.Context, prefix string, visit func(string) error) error {
			return walk(ctx, prefix, func(key string) error {
				k.client.AddHook(erase)
				return visit(key)
			})
		}
		rotated, err := keep.Rotate(t.Context(), k.sealer(2, 1))
		if err != nil || rotated.Logins != 0 {
			t.Errorf("%+v, %v", rotated, err)
		}
		if n := k.client.Exists(t.Context(), "dd:{u:r}:cred").Val(); n != 0 {
			t.Error("erased logins came back")
		}
	})
}

// eraser ends the run once its logins have been read.
type eraser struct{ erase func(context.Context) error }

// DialHook implements [redis.Hook].
func (eraser) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (eraser) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements [redis.Hook].
func (e eraser) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && cmd.Name() == "hgetall" {
			err = e.erase(ctx)
		}
		return err
	}
}
