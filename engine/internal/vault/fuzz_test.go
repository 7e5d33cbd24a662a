package vault_test

import (
	"errors"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/vault"
)

// FuzzSealer opens anything that may lie in Redis.
func FuzzSealer(f *testing.F) {
	key, err := vault.NewKey(1)
	if err != nil {
		f.Fatal(err)
	}
	sealer, err := vault.NewSealer(key)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := sealer.Seal([]byte("text"), "p")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(sealed[:10])
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := sealer.Open(data, "p"); err != nil && !errors.Is(err, vault.ErrBroken) && !errors.Is(err, vault.ErrUnknownKey) {
			t.Errorf("neither broken nor of another key: %v", err)
		}
	})
}

// FuzzParseKey reads anything as a key, and shows none of it.
func FuzzParseKey(f *testing.F) {
	key, err := vault.NewKey(1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(1), key.Text())
	f.Add(uint8(0), "")
	f.Add(uint8(255), "hunter2")
	f.Fuzz(func(t *testing.T, id uint8, text string) {
		k, err := vault.ParseKey(id, text)
		if err != nil {
			return
		}
		if again, err := vault.ParseKey(id, k.Text()); err != nil || again != k {
			t.Errorf("the key does not come back: %v", err)
		}
	})
}
