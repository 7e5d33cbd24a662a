package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const actorManifest = `{
  "name": "actor", "version": "1.2.3", "summary": "Acts.", "kinds": ["source", "harmonizer"], "protocol": 1, "license": "MIT",
  "config_schema": {
    "type": "object", "additionalProperties": false, "required": ["path"],
    "properties": {
      "path": {"type": "string", "description": "The file.", "examples": ["users.csv"]},
      "token": {"type": "string", "x-secret": true}
    }
  }
}`

// withPlugins has a plugin with a manifest, which must not be started, one that
// is none, and instances with and without mistakes.
func withPlugins(t *testing.T) *shell {
	t.Helper()
	s := newShell(t, `{"plugins": {"paths": ["bin"], "config_dir": "secrets"}}`)
	for _, dir := range []string{"bin", "secrets"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range map[string]string{
		"datadis-plugin-actor": "touch " + s.dir + "/started",
		"datadis-plugin-spare": "touch " + s.dir + "/started",
		"datadis-plugin-page":  "echo '<html>404</html>'",
	} {
		if err := os.Chmod(s.write(t, "bin/"+name, "#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.write(t, "bin/datadis-plugin-actor.json", actorManifest)
	s.write(t, "bin/datadis-plugin-spare.json", strings.Replace(actorManifest, `"actor"`, `"spare"`, 1))
	s.write(t, "bin/README.md", "")
	s.write(t, "secrets/config_actor.json", `{"path": "a.csv", "token": "hunter2"}`)
	s.write(t, "secrets/config_north.json", `{"plugin": "actor", "pth": "b.csv"}`)
	s.write(t, "secrets/config_south.json", `{"plugin": "nowhere"}`)
	return s
}

func TestPluginsList(t *testing.T) {
	t.Parallel()
	s := withPlugins(t)
	got := s.engine(t, "plugins", "list")
	want := `INSTANCE  PLUGIN     KINDS              VERSION  PROTO  STATUS          REASON
actor     actor      source,harmonizer  1.2.3    1      ok              -
north     actor      source,harmonizer  1.2.3    1      invalid-config  /path: is missing; /pth: is not known; known are path, token
south     nowhere    -                  -        -      no-plugin       there is no datadis-plugin-nowhere in DIR/bin
-         README.md  -                  -        -      ignored         the name does not begin with datadis-plugin-
-         page       -                  -        -      failed          no handshake; it printed "<html>404</html>"
-         spare      source,harmonizer  1.2.3    1      not-configured  no config_<name>.json names it
`
	if got != (result{codeDone, want, ""}) {
		t.Errorf("code %d\n%s\n%s", got.code, got.stdout, got.stderr)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "started")); err == nil {
		t.Error("a plugin with a manifest was started")
	}

	var rows []pluginRow
	got = s.engine(t, "plugins", "list", "--output", "json")
	if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil || len(rows) != 6 || rows[1].Status != "invalid-config" {
		t.Errorf("%v\n%s", err, got.stdout)
	}
}

func TestPluginsInspect(t *testing.T) {
	t.Parallel()
	s := withPlugins(t)
	for _, name := range []string{"actor", "north"} { // a plugin, and an instance of it
		got := s.engine(t, "plugins", "inspect", name)
		for _, part := range []string{"actor 1.2.3: Acts.", "actor, north", "path    string  yes", "token   secret", `"path": "users.csv"`} {
			if !strings.Contains(got.stdout, part) {
				t.Errorf("%s: no %q in\n%s", name, part, got.stdout)
			}
		}
		if strings.Contains(got.stdout, "hunter2") || got.code != codeDone {
			t.Errorf("%+v", got)
		}
	}
	got := s.engine(t, "plugins", "inspect", "actor", "--output", "json")
	var shown inspected
	if err := json.Unmarshal([]byte(got.stdout), &shown); err != nil || shown.Version != "1.2.3" || len(shown.ExampleConfig) == 0 {
		t.Errorf("%v\n%s", err, got.stdout)
	}
	for name, want := range map[string]string{"nobody": "there is no plugin or instance", "page": "<html>404</html>"} {
		if got := s.engine(t, "plugins", "inspect", name); got.code == codeDone || !strings.Contains(got.stderr, want) {
			t.Errorf("%+v", got)
		}
	}
}
