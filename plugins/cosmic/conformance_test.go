package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/datadis-engine/datadis/plugins/internal/neo4jtest"
	"github.com/datadis-engine/datadis/sdk/conformance"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// TestConformance tries the binary as the engine would run it, on users with
// encrypted passwords.
func TestConformance(t *testing.T) {
	t.Parallel()
	const encrypted = "tLS/3YDDeDb/ese45Ovl2g==IfbvqFHWwv1dCEv6LoUuUQ==8WUJ9MA0nQOLQ92E+0BFpw==" // "pw"
	s := neo4jtest.Shared(t)
	s.Query(t, "UNWIND range(1, 3) AS n CREATE (u:ConformanceUser {username: 'USER' + n, Password: $encrypted, self: true})",
		map[string]any{"encrypted": encrypted})
	text, err := json.Marshal(map[string]any{
		"plugin": "cosmic", "label": "ConformanceUser", "secret_password": "a made-up secret",
		"neo4j": map[string]any{"uri": s.URI("bolt"), "username": neo4jtest.User, "password": neo4jtest.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config_trial.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	sdktest.Conformance(t, sdktest.Build(t, ".", "cosmic"), conformance.Options{Config: path})
}
