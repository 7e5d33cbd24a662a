package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/datadis-engine/datadis/plugins/internal/postgrestest"
	"github.com/datadis-engine/datadis/sdk/conformance"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// TestConformance tries the binary as the engine would run it, on a schema that
// is made anew for each trial.
func TestConformance(t *testing.T) {
	t.Parallel()
	s := postgrestest.Shared(t)
	url := s.Database(t)
	config, err := json.Marshal(map[string]any{"plugin": "timescale", "url": url, "ca_file": s.CAFile(), "schema": "trial"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config_trial.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	db := postgrestest.Connect(t, url)
	sdktest.Conformance(t, sdktest.Build(t, ".", "timescale"), conformance.Options{
		Config: path,
		EmptyStore: func(ctx context.Context) error {
			_, err := db.Exec(ctx, "DROP SCHEMA IF EXISTS trial CASCADE")
			return err
		},
	})
}
