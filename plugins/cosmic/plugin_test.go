package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/plugins/internal/neo4jtest"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
	"github.com/datadis-engine/datadis/sdk/sdktest"
)

// asPlugin has the test's own binary be the plugin.
const asPlugin = "COSMIC_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		return
	}
	os.Exit(neo4jtest.Run(m))
}

// TestSuite is that of all sources, on users of a real Neo4j.
func TestSuite(t *testing.T) {
	s := neo4jtest.Shared(t)
	const encrypted = "tLS/3YDDeDb/ese45Ovl2g==IfbvqFHWwv1dCEv6LoUuUQ==8WUJ9MA0nQOLQ92E+0BFpw==" // "pw"
	s.Query(t, "UNWIND $users AS u CREATE (n:DatadisSource) SET n = u", map[string]any{"users": []any{
		map[string]any{"username": "B00000000", "Password": encrypted, "self": true},
		map[string]any{"username": "A58818501", "Password": encrypted, "authorized_nif": []string{"X1234567L"}, "cups": []string{"ES0031000000000001BJ0F"}},
	}})
	c := Config{neo4j.SourceConfig{
		Neo4j:          neo4j.Config{URI: s.URI("bolt"), Username: neo4jtest.User, Password: sdk.NewSecret(neo4jtest.Password)},
		SecretPassword: sdk.NewSecret("a made-up secret"),
	}}
	sdktest.Source(t, func(t *testing.T) sdk.Source {
		users, route, err := neo4j.NewUsers(sdk.Instance{Name: "cosmic"}, c.SourceConfig, func(context.Context) *slog.Logger { return slog.New(slog.DiscardHandler) })
		if err != nil {
			t.Fatal(err)
		}
		if route.Topic != "datadis.cosmichbase" {
			t.Errorf("the topic is %s", route.Topic)
		}
		t.Cleanup(func() { _ = users.Close() }) // the test is over
		return users
	})
}

// TestDescribe starts the plugin by hand: it tells its name, role and keys.
func TestDescribe(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "describe")
	cmd.Env = append(os.Environ(), asPlugin+"=1")
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Name         string          `json:"name"`
		Kinds        []plugin.Kind   `json:"kinds"`
		ConfigSchema json.RawMessage `json:"config_schema"`
	}
	if err := json.Unmarshal(output, &manifest); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if manifest.Name != "cosmic" || !slices.Equal(manifest.Kinds, []plugin.Kind{plugin.SourceKind}) {
		t.Errorf("got %s", output)
	}
	options, err := plugin.Options(manifest.ConfigSchema)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range options {
		if !strings.ContainsAny(o.Key, "[.") { // not what lies within
			keys = append(keys, o.Key)
		}
	}
	if want := []string{"neo4j", "secret_password", "label", "topic", "tables", "row_keys", "extra"}; !slices.Equal(keys, want) {
		t.Errorf("got the keys %q, want %q", keys, want)
	}
}

// TestExampleConfig has nothing wrong with the configuration that is shipped.
func TestExampleConfig(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("config_cosmic.example.json")
	if err != nil {
		t.Fatal(err)
	}
	// The engine resolves these before the plugin sees them.
	text = bytes.ReplaceAll(text, []byte(`{"env": "COSMIC_NEO4J_PASSWORD"}`), []byte(`"p"`))
	text = bytes.ReplaceAll(text, []byte(`{"file": "/run/secrets/cosmic_password_secret"}`), []byte(`"s"`))
	var c Config
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	if problems := c.Check(sdk.Instance{Name: "cosmic"}); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
}
