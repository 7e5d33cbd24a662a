package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/store/storetest"
)

// TestStores runs every promise of the interface on every store.
func TestStores(t *testing.T) {
	t.Parallel()
	storetest.EachAndCluster(t, func(t *testing.T, s store.Store) {
		// The store is shared: each scenario has keys of its own.
		for name, scenario := range map[string]func(*testing.T, store.Store, string){
			"fields are set, replaced and removed":  putAndGet,
			"bytes come back as they were":          anyBytes,
			"the first writer of a field wins":      firstWins,
			"a deleted key is gone, others stay":    deleteOne,
			"keys are listed once, by their prefix": listKeys,
			"a walk ends with the error of visit":   stopWalk,
			"a visit may use the store":             writeInWalk,
			"names that cannot be kept are refused": badNames,
			"a cancelled context is an error":       cancelled,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				scenario(t, s, t.Name()+"/")
			})
		}
	})
}

func putAndGet(t *testing.T, s store.Store, prefix string) {
	key := prefix + "book"
	expect(t, s, key, nil)
	put(t, s, key, "a", "1", "b", "2")
	put(t, s, prefix+"bookend", "a", "other") // a longer key is another key
	expect(t, s, key, map[string]string{"a": "1", "b": "2"})

	must(t, s.Put(t.Context(), key, map[string][]byte{"a": []byte("3"), "c": []byte("4")}, "b", "unknown"))
	expect(t, s, key, map[string]string{"a": "3", "c": "4"})

	must(t, s.Put(t.Context(), key, nil)) // nothing to do is done
	must(t, s.Put(t.Context(), key, nil, "a", "c"))
	expect(t, s, key, nil)
	expect(t, s, prefix+"bookend", map[string]string{"a": "other"})
}

func anyBytes(t *testing.T, s store.Store, prefix string) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	values := map[string]string{"empty": "", "all": string(all), "?\xff\x01": "odd name", "number": "12345678901"}
	for field, value := range values {
		put(t, s, prefix+"k", field, value)
	}
	expect(t, s, prefix+"k", values)
}

func firstWins(t *testing.T, s store.Store, prefix string) {
	const writers = 8
	var wait sync.WaitGroup
	got := make([]string, writers)
	for i := range writers {
		wait.Go(func() {
			stored, err := s.PutNew(t.Context(), prefix+"k", "leader", fmt.Append(nil, i))
			if err != nil {
				t.Error(err)
			}
			got[i] = string(stored)
		})
	}
	wait.Wait()
	if distinct := slices.Compact(slices.Clone(got)); len(distinct) != 1 {
		t.Errorf("the writers learned %q, want one value for all", got)
	}
	expect(t, s, prefix+"k", map[string]string{"leader": got[0]})

	// An empty value is a value.
	put(t, s, prefix+"k", "blank", "")
	stored, err := s.PutNew(t.Context(), prefix+"k", "blank", []byte("late"))
	must(t, err)
	if len(stored) != 0 {
		t.Errorf("PutNew replaced an empty value by %q", stored)
	}
}

func deleteOne(t *testing.T, s store.Store, prefix string) {
	put(t, s, prefix+"a", "f", "1", "g", "2")
	put(t, s, prefix+"ab", "f", "3")
	must(t, s.Delete(t.Context(), prefix+"a"))
	must(t, s.Delete(t.Context(), prefix+"a"))
	expect(t, s, prefix+"a", nil)
	expect(t, s, prefix+"ab", map[string]string{"f": "3"})
}

func listKeys(t *testing.T, s store.Store, prefix string) {
	const keys = 1200 // more than one step of a walk
	want := make([]string, keys)
	var wait sync.WaitGroup
	for i := range want {
		want[i] = fmt.Sprintf("%sx*%04d", prefix, i)
		wait.Go(func() { put(t, s, want[i], "f", "1", "g", "2") })
	}
	wait.Wait()
	put(t, s, prefix+"xy0000", "f", "a star is no wildcard")
	if got := list(t, s, prefix+"x*"); !slices.Equal(got, want) {
		t.Errorf("listed %d keys, want %d", len(got), len(want))
	}
	if got := list(t, s, prefix+"none"); len(got) != 0 {
		t.Errorf("listed %q under a prefix without keys", got)
	}
}

func stopWalk(t *testing.T, s store.Store, prefix string) {
	for i := range 20 {
		put(t, s, fmt.Sprint(prefix, i), "f", "1")
	}
	enough, visits := errors.New("enough"), 0
	err := s.Keys(t.Context(), prefix, func(string) error {
		visits++
		return enough
	})
	if !errors.Is(err, enough) || visits != 1 {
		t.Errorf("the walk ended after %d visits with %v, want 1 and the visit's error", visits, err)
	}
}

func writeInWalk(t *testing.T, s store.Store, prefix string) {
	put(t, s, prefix+"a", "f", "1")
	put(t, s, prefix+"b", "f", "1")
	must(t, s.Keys(t.Context(), prefix, func(key string) error {
		return s.Put(t.Context(), key, map[string][]byte{"seen": nil})
	}))
	for _, key := range []string{"a", "b"} {
		expect(t, s, prefix+key, map[string]string{"f": "1", "seen": ""})
	}
}

func badNames(t *testing.T, s store.Store, prefix string) {
	for _, bad := range []string{"", "zero\x00byte"} {
		_, errGet := s.Get(t.Context(), bad)
		_, errNew := s.PutNew(t.Context(), prefix+"k", bad, nil)
		for call, err := range map[string]error{
			"Get":        errGet,
			"PutNew":     errNew,
			"Put key":    s.Put(t.Context(), bad, map[string][]byte{"f": nil}),
			"Put field":  s.Put(t.Context(), prefix+"k", map[string][]byte{bad: nil}),
			"Put delete": s.Put(t.Context(), prefix+"k", nil, bad),
			"Delete":     s.Delete(t.Context(), bad),
		} {
			if err == nil {
				t.Errorf("%s took the name %q", call, bad)
			}
		}
	}
	expect(t, s, prefix+"k", nil)
}

func cancelled(t *testing.T, s store.Store, prefix string) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errGet := s.Get(ctx, prefix+"k")
	_, errNew := s.PutNew(ctx, prefix+"k", "f", nil)
	for call, err := range map[string]error{
		"Get":    errGet,
		"PutNew": errNew,
		"Put":    s.Put(ctx, prefix+"k", map[string][]byte{"f": nil}),
		"Delete": s.Delete(ctx, prefix+"k"),
		"Keys":   s.Keys(ctx, prefix, func(string) error { return nil }),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s gave %v, want that it was cancelled", call, err)
		}
	}
}

// put sets fields from pairs of name and value.
func put(t *testing.T, s store.Store, key string, pairs ...string) {
	t.Helper()
	set := make(map[string][]byte)
	for i := 0; i < len(pairs); i += 2 {
		set[pairs[i]] = []byte(pairs[i+1])
	}
	if err := s.Put(t.Context(), key, set); err != nil {
		t.Error(err)
	}
}

func expect(t *testing.T, s store.Store, key string, want map[string]string) {
	t.Helper()
	fields, err := s.Get(t.Context(), key)
	must(t, err)
	got := make(map[string]string)
	for field, value := range fields {
		got[field] = string(value)
	}
	if fields == nil || !maps.Equal(got, want) {
		t.Errorf("the key holds %q, want %q", got, want)
	}
}

func list(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	var keys []string
	must(t, s.Keys(t.Context(), prefix, func(key string) error {
		keys = append(keys, key)
		return nil
	}))
	slices.Sort(keys)
	return keys
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
