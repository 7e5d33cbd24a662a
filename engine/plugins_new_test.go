package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A new plugin is tested, built, installed and listed without an edit and
// without a network: everything that it needs, the engine was built with.
func TestANewPluginWorksAsItIs(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"go", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s", tool)
		}
	}
	for _, kind := range []string{"source", "harmonizer"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, `{"plugins": {"paths": ["bin"], "config_dir": "secrets"}}`)
			dir := filepath.Join(s.dir, "acme")
			if r := s.engine(t, "plugins", "new", kind, "acme", "--dir", dir); r.code != 0 || !strings.Contains(r.stdout, "make test") {
				t.Fatalf("%+v", r)
			}
			for _, target := range []string{"test", "build"} {
				typed(t, dir, "make", target)
			}
			onlyTheSDK(t, dir)
			if text := typed(t, dir, "gofmt", "-l", "main.go", "plugin.go", "plugin_test.go"); text != "" {
				t.Errorf("gofmt would change %s", text)
			}
			install(t, s, dir)
			r := s.engine(t, "plugins", "list", "--output", "json")
			var rows []struct{ Instance, Version, Status, Reason string }
			if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil {
				t.Fatal(err)
			}
			if len(rows) != 1 || rows[0].Instance != "acme" || rows[0].Status != "ok" || rows[0].Version != "0.1.0" {
				t.Errorf("%s", r.stdout)
			}
		})
	}
}

// typed runs a command in a folder, without a network for the go command.
func typed(t *testing.T, dir string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "MAKE") }),
		"GOPROXY=off", "GOFLAGS=-buildvcs=false", "GOTOOLCHAIN=local")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return string(out)
}

// onlyTheSDK looks at what the plugin is built of.
func onlyTheSDK(t *testing.T, dir string) {
	t.Helper()
	for line := range strings.Lines(typed(t, dir, "go", "list", "-deps", "-test", "./...")) {
		for _, word := range []string{"kafka", "redis", "datadis/engine/"} {
			if strings.Contains(strings.ToLower(line), word) {
				t.Errorf("it is built with %s", line)
			}
		}
	}
}

// install puts the binary, its manifest and its example configuration where the
// engine looks.
func install(t *testing.T, s *shell, dir string) {
	t.Helper()
	for from, to := range map[string]string{
		"bin/datadis-plugin-acme":      "bin/datadis-plugin-acme",
		"bin/datadis-plugin-acme.json": "bin/datadis-plugin-acme.json",
		"config_acme.example.json":     "secrets/config_acme.json",
	} {
		text, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(s.dir, to)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}
