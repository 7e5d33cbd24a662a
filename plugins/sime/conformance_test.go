package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"github.com/datadis-engine/datadis/plugins/internal/neo4jtest"
	"github.com/datadis-engine/datadis/sdk/conformance"
	"github.com/datadis-engine/datadis/sdk/fixture"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// TestConformance tries the binary as the engine would run it, as a source and
// as a harmonizer. The account of the kit's supplies is one that is asked, so
// that a run's end has something to decide. It is alone with the graph, which is
// emptied for each trial: the other tests begin after it.
func TestConformance(t *testing.T) {
	const encrypted = "tLS/3YDDeDb/ese45Ovl2g==IfbvqFHWwv1dCEv6LoUuUQ==8WUJ9MA0nQOLQ92E+0BFpw==" // "pw"
	s := neo4jtest.Shared(t)
	s.Query(t, `CREATE (:ConformanceUser {username: 'B00000000', Password: $encrypted, self: true, authorized_nif: ['12345678Z', '87654321X']})`,
		map[string]any{"encrypted": encrypted})
	text, err := json.Marshal(map[string]any{
		"plugin": "sime", "label": "ConformanceUser", "secret_password": "a made-up secret", "sources": []string{fixture.SourceName},
		"neo4j": map[string]any{"uri": s.URI("bolt"), "username": neo4jtest.User, "password": neo4jtest.Password, "database": "neo4j"},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config_trial.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	graph := s.Driver(t)
	sdktest.Conformance(t, sdktest.Build(t, ".", "sime"), conformance.Options{
		Config: path,
		EmptyStore: func(ctx context.Context) error {
			_, err := driver.ExecuteQuery(ctx, graph, "MATCH (n) WHERE n:Resource OR n:DatadisSighting DETACH DELETE n", nil,
				driver.EagerResultTransformer, driver.ExecuteQueryWithDatabase("neo4j"))
			return err
		},
	})
}
