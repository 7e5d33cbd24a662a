package store_test

import (
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/store"
)

func TestRedisPrefixKeepsStoresApart(t *testing.T) {
	t.Parallel()
	client := redistest.Mini(t).Client(t)
	one, other := store.NewRedis(client, "one:"), store.NewRedis(client, "other:")
	put(t, one, "k", "f", "1")
	expect(t, other, "k", nil)
	if keys := list(t, other, ""); len(keys) != 0 {
		t.Errorf("one store lists the keys of the other: %q", keys)
	}
	if keys := list(t, one, ""); len(keys) != 1 || keys[0] != "k" {
		t.Errorf("listed %q, want the key as it was written", keys)
	}
}

func TestErrorsNameNoKey(t *testing.T) {
	t.Parallel()
	client := redistest.Mini(t).Client(t)
	must(t, client.Set(t.Context(), "p:ES0031000000000001BJ", "a string, not a hash", 0).Err())
	_, err := store.NewRedis(client, "p:").Get(t.Context(), "ES0031000000000001BJ")
	if err == nil || strings.Contains(err.Error(), "0031") {
		t.Errorf("got %v, want an error without the key: CUPS are personal data", err)
	}
}
