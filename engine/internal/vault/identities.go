package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Identities makes ids of logins and accounts: keyed hashes, so that whoever
// sees an id cannot find out by trying whose it is.
type Identities struct{ key []byte }

// KeyStore keeps a field for good: of several writers the first one wins.
type KeyStore interface {
	PutNew(ctx context.Context, key, field string, value []byte) (stored []byte, err error)
}

// Where the key of the ids lies, and what it is encrypted for.
const (
	idKey     = "identities"
	idField   = "key"
	idPurpose = "datadis engine: key of ids"
)

// LoadIdentities reads the key of the ids, which is made once for all times:
// with another one, everything that is known of logins and accounts would be
// lost. It lies encrypted in the store.
func LoadIdentities(ctx context.Context, store KeyStore, sealer *Sealer) (*Identities, error) {
	fresh, err := newIDKey()
	if err != nil {
		return nil, err
	}
	sealed, err := sealer.Seal(fresh, idPurpose)
	if err != nil {
		return nil, err
	}
	stored, err := store.PutNew(ctx, idKey, idField, sealed)
	if err != nil {
		return nil, fmt.Errorf("read the key of the ids: %w", err)
	}
	key, err := sealer.Open(stored, idPurpose)
	if err != nil {
		return nil, fmt.Errorf("the key of the ids is %w; add the key that it was first started with to secrets.keys", err)
	}
	return &Identities{key}, nil
}

// LocalIdentities is LoadIdentities for one machine, whose encryption keys do
// not outlive the process: the key lies in a file that nobody else can read.
func LocalIdentities(ctx context.Context, store KeyStore) (*Identities, error) {
	fresh, err := newIDKey()
	if err != nil {
		return nil, err
	}
	key, err := store.PutNew(ctx, idKey, idField, fresh)
	if err != nil {
		return nil, fmt.Errorf("read the key of the ids: %w", err)
	}
	return &Identities{key}, nil
}

func newIDKey() ([]byte, error) {
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a key for ids: %w", err)
	}
	return key, nil
}

// Login is the id of a user name and password.
func (i *Identities) Login(username, password string) string {
	return i.id("login", username, password)
}

// Account is the id of a user name and an authorised NIF, which may be "".
func (i *Identities) Account(username, nif string) string { return i.id("account", username, nif) }

// id hashes texts so that no two lists of them run together.
func (i *Identities) id(texts ...string) string {
	mac := hmac.New(sha256.New, i.key)
	for _, text := range texts {
		_ = binary.Write(mac, binary.BigEndian, uint64(len(text))) // a hash does not fail
		_, _ = mac.Write([]byte(text))
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
