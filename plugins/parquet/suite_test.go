package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk/sdktest"
)

func TestTheSuiteOfAllHarmonizers(t *testing.T) {
	t.Parallel()
	sdktest.Harmonizer(t, func(t *testing.T) sdktest.Fresh {
		w := newWorld(t, Config{Dir: "out", Formats: []string{"csv", "parquet"}})
		return sdktest.Fresh{Harmonizer: w.h, Snapshot: func(t *testing.T) any { return contents(t, w.dir) }}
	})
}

// contents is every table as text, by its path.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	tables := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".csv") {
			return err
		}
		text, err := os.ReadFile(path)
		tables[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}
