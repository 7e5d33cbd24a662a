package vault_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/vault"
)

func sealer(t *testing.T, ids ...uint8) *vault.Sealer {
	t.Helper()
	keys := make([]vault.Key, len(ids))
	for i, id := range ids {
		var err error
		if keys[i], err = vault.NewKey(id); err != nil {
			t.Fatal(err)
		}
	}
	s, err := vault.NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Only a key that is missing is told of: not what is broken, and not what can
// be decrypted.
func TestMissingKeysAreTold(t *testing.T) {
	t.Parallel()
	here, elsewhere := sealer(t, 1, 2), sealer(t, 7)
	var missing []uint8
	here.OnMissing(func(key uint8) { missing = append(missing, key) })
	own, err := here.Seal([]byte("text"), "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := here.Open(own, "p"); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Open(own, "another purpose"); !errors.Is(err, vault.ErrBroken) {
		t.Errorf("another purpose: %v", err)
	}
	other, err := elsewhere.Seal([]byte("text"), "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := here.Open(other, "p"); !errors.Is(err, vault.ErrUnknownKey) {
		t.Errorf("another key: %v", err)
	}
	if !slices.Equal(missing, []uint8{7}) {
		t.Errorf("told of %v", missing)
	}
}
