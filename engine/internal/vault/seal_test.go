package vault_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/redistest"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/store/storetest"
	"github.com/datadis-engine/datadis/engine/internal/vault"
	"github.com/datadis-engine/datadis/sdk"
)

func newKey(t *testing.T, id uint8) vault.Key {
	t.Helper()
	k, err := vault.NewKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func with(t *testing.T, keys ...vault.Key) *vault.Sealer {
	t.Helper()
	s, err := vault.NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t *testing.T, s *vault.Sealer, text, purpose string) []byte {
	t.Helper()
	sealed, err := s.Seal([]byte(text), purpose)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1)
	for _, text := range []string{"", "p&ss w%rd", strings.Repeat("ñ", 100_000)} {
		one, other := seal(t, s, text, "p"), seal(t, s, text, "p")
		if bytes.Equal(one, other) {
			t.Error("the same text is encrypted to the same bytes: who has the same password can be seen")
		}
		if text != "" && bytes.Contains(one, []byte(text)) {
			t.Error("the text can be read")
		}
		if got, err := s.Open(one, "p"); err != nil || string(got) != text {
			t.Errorf("opened %d bytes, %v", len(got), err)
		}
	}
}

// Whatever is not exactly what was encrypted, for the same purpose and under
// the same key, is refused.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1)
	sealed := seal(t, s, "text", "credentials r1 l1")
	for i := range sealed {
		tampered := slices.Clone(sealed)
		tampered[i] ^= 1
		want := vault.ErrBroken
		if i == 0 {
			want = vault.ErrUnknownKey // the id of the key
		}
		if got, err := s.Open(tampered, "credentials r1 l1"); !errors.Is(err, want) || got != nil {
			t.Errorf("byte %d changed: %q, %v", i, got, err)
		}
		if got, err := s.Open(sealed[:i], "credentials r1 l1"); !errors.Is(err, vault.ErrBroken) || got != nil {
			t.Errorf("cut to %d bytes: %q, %v", i, got, err)
		}
	}
	for _, purpose := range []string{"", "credentials r1 l2", "credentials r2 l1", "credentials r1 l1 "} {
		if _, err := s.Open(sealed, purpose); !errors.Is(err, vault.ErrBroken) {
			t.Errorf("for the purpose %q: %v", purpose, err)
		}
	}
	if _, err := sealer(t, 1).Open(sealed, "credentials r1 l1"); !errors.Is(err, vault.ErrBroken) {
		t.Errorf("with another key of the same id: %v", err)
	}
}

// Keys are changed by putting a new one first: the first encrypts, all decrypt,
// and processes that have only the old one can still be read.
func TestOrderOfKeys(t *testing.T) {
	t.Parallel()
	old, fresh := newKey(t, 1), newKey(t, 2)
	before, during, after := with(t, old), with(t, fresh, old), with(t, fresh)
	byOld, byBoth := seal(t, before, "old", "p"), seal(t, during, "new", "p")
	if byOld[0] != 1 || byBoth[0] != 2 {
		t.Errorf("encrypted with keys %d and %d, want 1 and 2", byOld[0], byBoth[0])
	}
	for _, c := range []struct {
		name   string
		sealer *vault.Sealer
		sealed []byte
		want   error
	}{
		{"old by both", during, byOld, nil},
		{"new by both", during, byBoth, nil},
		{"new by the new one", after, byBoth, nil},
		{"old by the new one", after, byOld, vault.ErrUnknownKey},
		{"new by the old one", before, byBoth, vault.ErrUnknownKey},
	} {
		if _, err := c.sealer.Open(c.sealed, "p"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := vault.NewSealer(); err == nil || !strings.Contains(err.Error(), "secret new-key") {
		t.Errorf("without a key: %v, want what makes one", err)
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	raw := bytes.Repeat([]byte{0xfb}, vault.KeySize)
	var first vault.Key
	for i, text := range []string{
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), "\n " + hex.EncodeToString(raw) + "\n",
	} {
		key, err := vault.ParseKey(3, text)
		if err != nil {
			t.Errorf("spelling %d: %v", i, err)
			continue
		}
		if i == 0 {
			first = key
		}
		if key != first || key.ID != 3 {
			t.Errorf("spelling %d is another key", i)
		}
	}
	for _, text := range []string{"", "hunter2", hex.EncodeToString(raw[:31]), base64.StdEncoding.EncodeToString(append(raw, 1))} {
		_, err := vault.ParseKey(3, text)
		if err == nil || text != "" && strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "key 3") {
			t.Errorf("a wrong key of %d characters: %v", len(text), err)
		}
	}
}

// However a key is printed, it shows its id and nothing else.
func TestKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	key := newKey(t, 9)
	nested := struct{ Key vault.Key }{key}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("text", "key", key, "list", []vault.Key{key}, "nested", nested)
	}
	text, err := json.Marshal(nested)
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		printed += fmt.Sprintf(verb+verb+verb, key, &key, []vault.Key{key}) + "\n"
	}
	raw, err := base64.StdEncoding.DecodeString(key.Text())
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{key.Text(), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), string(raw), strings.Trim(fmt.Sprint(raw), "[]"), fmt.Sprintf("%#v", raw[:4])[7:20]}
	for _, secret := range shown {
		if strings.Contains(printed, secret) {
			t.Errorf("the key is printed:\n%s", printed)
		}
	}
	if !strings.Contains(printed, "key 9") {
		t.Errorf("the id is not printed:\n%s", printed)
	}
}

// Credentials come back to whoever has the key, for their own run and login,
// until the run is over; nothing of them can be read in Redis.
func TestCredentials(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, b *redistest.Backend) {
		client := b.Client(t)
		s := sealer(t, 1)
		ctx := t.Context()
		run1 := vault.NewCredentials(client, s, "r1", time.Hour)
		run2 := vault.NewCredentials(client, s, "r2", time.Hour)
		for _, login := range []string{"l1", "l2"} {
			if err := run1.Put(ctx, login, "user of "+login, sdk.NewSecret("hunter2 "+login)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := run1.Get(ctx, "l2")
		if err != nil || got.Username != "user of l2" || got.Password.Reveal() != "hunter2 l2" {
			t.Errorf("read %q, %v", got.Username, err)
		}
		if printed := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(printed, "hunter2") {
			t.Errorf("printed as %s", printed)
		}
		const key = "dd:{u:r1}:cred"
		stored, err := client.HGetAll(ctx, key).Result()
		if err != nil || len(stored) != 2 {
			t.Fatalf("stored %d logins, %v", len(stored), err)
		}
		for login, sealed := range stored {
			if strings.Contains(sealed, "hunter2") || strings.Contains(sealed, "user of") {
				t.Errorf("the credentials of %s can be read in Redis", login)
			}
		}
		if life, err := b.Admin(t, 0).PTTL(ctx, key).Result(); err != nil || life <= 0 || life > time.Hour {
			t.Errorf("they live %s, %v", life, err)
		}

		refused := func(what string, c *vault.Credentials, login string, want error) {
			t.Helper()
			if got, err := c.Get(ctx, login); !errors.Is(err, want) || got.Username != "" || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %+v, %v, want %v", what, got, err, want)
			}
		}
		refused("unknown login", run1, "l3", vault.ErrNoCredentials)
		refused("another run", run2, "l1", vault.ErrNoCredentials)
		refused("unknown key", vault.NewCredentials(client, sealer(t, 2), "r1", time.Hour), "l1", vault.ErrUnknownKey)
		refused("wrong key", vault.NewCredentials(client, sealer(t, 1), "r1", time.Hour), "l1", vault.ErrBroken)
		// Whoever may write to Redis cannot have one login answer for another.
		if err := client.HSet(ctx, "dd:{u:r2}:cred", "l1", stored["l1"]).Err(); err != nil {
			t.Fatal(err)
		}
		refused("moved to another run", run2, "l1", vault.ErrBroken)
		if err := client.HSet(ctx, key, "l2", stored["l1"]).Err(); err != nil {
			t.Fatal(err)
		}
		refused("moved to another login", run1, "l2", vault.ErrBroken)

		if err := run1.Erase(ctx); err != nil {
			t.Fatal(err)
		}
		refused("erased", run1, "l1", vault.ErrNoCredentials)
		if err := run1.Erase(ctx); err != nil {
			t.Errorf("erasing again: %v", err)
		}
	})
}

// The key of the ids is made once: every process, and every later start, has
// the same ids, also after the encryption keys changed places.
func TestIdentities(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s store.Store) {
		old, fresh := newKey(t, 1), newKey(t, 2)
		load := func(keys ...vault.Key) *vault.Identities {
			t.Helper()
			ids, err := vault.LoadIdentities(t.Context(), s, with(t, keys...))
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		first := load(old)
		for _, other := range []*vault.Identities{load(old), load(fresh, old)} {
			if first.Login("u", "p") != other.Login("u", "p") || first.Account("u", "n") != other.Account("u", "n") {
				t.Error("another process has other ids")
			}
		}
		_, err := vault.LoadIdentities(t.Context(), s, with(t, fresh))
		if !errors.Is(err, vault.ErrUnknownKey) || !strings.Contains(err.Error(), "secrets.keys") {
			t.Errorf("without the key that it was made with: %v", err)
		}
	})
}

// Ids tell apart what is different, and show nothing.
func TestIDs(t *testing.T) {
	t.Parallel()
	load := func() *vault.Identities {
		ids, err := vault.LocalIdentities(t.Context(), storetest.Bolt(t))
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	ids, elsewhere := load(), load()
	all := []string{
		ids.Login("u", "p"), ids.Login("u", "q"), ids.Login("up", ""), ids.Login("", "up"), ids.Account("u", "p"), ids.Account("u", ""),
		elsewhere.Login("u", "p"),
	}
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) {
		t.Errorf("only %d of %d ids differ: %v", n, len(all), all)
	}
	for _, id := range all {
		if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Errorf("the id is %q", id)
		}
	}
}
