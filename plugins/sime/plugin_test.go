package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/plugins/internal/mapping"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// byHand runs the plugin as a person would.
func byHand(t *testing.T, args ...string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), asPlugin+"=1")
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return string(output)
}

// TestDescribe starts the plugin by hand: it tells its name, roles and keys.
func TestDescribe(t *testing.T) {
	t.Parallel()
	var manifest struct {
		Name         string          `json:"name"`
		Kinds        []plugin.Kind   `json:"kinds"`
		ConfigSchema json.RawMessage `json:"config_schema"`
	}
	if err := json.Unmarshal([]byte(byHand(t, "describe")), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Name != "sime" || !slices.Equal(manifest.Kinds, []plugin.Kind{plugin.SourceKind, plugin.HarmonizerKind}) {
		t.Errorf("got %s %v", manifest.Name, manifest.Kinds)
	}
	options, err := plugin.Options(manifest.ConfigSchema)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range options {
		if !strings.ContainsAny(o.Key, "[") {
			keys = append(keys, o.Key)
		}
	}
	for _, want := range []string{"neo4j.uri", "neo4j.password", "secret_password", "label", "topic", "sources", "mapping", "gazetteer", "points_topic"} {
		if !slices.Contains(keys, want) {
			t.Errorf("the key %s is missing from %q", want, keys)
		}
	}
}

func TestPrintsItsMapping(t *testing.T) {
	t.Parallel()
	text := byHand(t, "mapping")
	if _, problems := mapping.Parse([]byte(text)); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestExampleConfig has nothing wrong with the configuration that is shipped.
func TestExampleConfig(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("config_sime.example.json")
	if err != nil {
		t.Fatal(err)
	}
	// The engine resolves these before the plugin sees them.
	text = bytes.ReplaceAll(text, []byte(`{"env": "SIME_NEO4J_PASSWORD"}`), []byte(`"p"`))
	text = bytes.ReplaceAll(text, []byte(`{"file": "/run/secrets/sime_password_secret"}`), []byte(`"s"`))
	var c Config
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	in := sdk.Instance{Name: "sime", Dir: t.TempDir()}
	if problems := c.Check(in); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
	if r := c.Route("sime"); r.Topic != "datadis.simehbase" {
		t.Errorf("the topic is %s", r.Topic)
	}
}

// TestBadConfig names the place in the mapping, and the key.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := strings.Replace(string(defaultMapping), "bigg:deviceName", "bgg:deviceName", 1)
	if err := os.WriteFile(dir+"/mapping.yaml", []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{Mapping: "mapping.yaml", Gazetteer: "none.csv", Sources: []string{"No"}, PointsTopic: "a b", MissingFor: -1}
	found := map[string]string{}
	for _, p := range c.Check(sdk.Instance{Name: "sime", Dir: dir}) {
		found[p.Path] += p.Message
	}
	for _, path := range []string{"/neo4j/uri", "/secret_password", "/gazetteer", "/sources/0", "/points_topic", "/missing_for"} {
		if found[path] == "" {
			t.Errorf("no problem at %s", path)
		}
	}
	if want := `mapping.yaml line 30: subjects/device/properties/bgg:deviceName: the prefix "bgg" is not declared in prefixes`; found["/mapping"] != want {
		t.Errorf("got %s\nwant %s", found["/mapping"], want)
	}
}
