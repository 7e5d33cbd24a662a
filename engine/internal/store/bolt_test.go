package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/store"
)

func TestBoltKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "folder", "store.db")
	first := openBolt(t, path)
	put(t, first, "k", "f", "1")
	must(t, first.Close())

	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, want that only its owner reads it", info.Mode())
	}
	second := openBolt(t, path)
	expect(t, second, "k", map[string]string{"f": "1"})
	must(t, second.Close())
}

func TestBoltIsWrittenByOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	writer := openBolt(t, path)
	for what, open := range map[string]func(string) (*store.Bolt, error){
		"writer": store.OpenBolt, "reader": store.OpenBoltReadOnly,
	} {
		if _, err := open(path); !errors.Is(err, store.ErrInUse) {
			t.Errorf("a second %s got %v, want that the file is in use", what, err)
		}
	}
	put(t, writer, "k", "f", "1")
	must(t, writer.Close())

	// Readers may share it.
	for range 2 {
		reader, err := store.OpenBoltReadOnly(path)
		must(t, err)
		t.Cleanup(func() { must(t, reader.Close()) })
		expect(t, reader, "k", map[string]string{"f": "1"})
		if err := reader.Put(t.Context(), "k", map[string][]byte{"f": nil}); err == nil {
			t.Error("a reader wrote")
		}
	}
}

func TestBoltReadOnlyMakesNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.db")
	if _, err := store.OpenBoltReadOnly(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that there is no such file", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was made")
	}
}

func TestBoltRefusesAForeignFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notes.txt")
	must(t, os.WriteFile(path, []byte("not a database, but long enough to look like one"), 0o600))
	if b, err := store.OpenBolt(path); err == nil {
		t.Error("opened it", b.Close())
	}
}

func openBolt(t *testing.T, path string) *store.Bolt {
	t.Helper()
	b, err := store.OpenBolt(path)
	must(t, err)
	return b
}
