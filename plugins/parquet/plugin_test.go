package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// asPlugin has the test's own binary be the plugin.
const asPlugin = "PARQUET_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		return
	}
	os.Exit(m.Run())
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
	if manifest.Name != "parquet" || !slices.Equal(manifest.Kinds, []plugin.Kind{plugin.HarmonizerKind}) {
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
	if want := []string{"dir", "sources", "formats"}; !slices.Equal(keys, want) {
		t.Errorf("got the keys %q, want %q", keys, want)
	}
}

// TestExampleConfig has nothing wrong with the configuration that is shipped.
func TestExampleConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := os.ReadFile("config_parquet.example.json")
	if err != nil {
		t.Fatal(err)
	}
	var example struct {
		Plugin string `json:"plugin"` // the engine's own key
		Config
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&example); err != nil {
		t.Fatal(err)
	}
	c := example.Config
	if problems := c.check(sdk.Instance{Name: "parquet", Dir: dir}); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
}
