package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk/conformance"
)

// built compiles one of our plugins.
func built(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "datadis-plugin-"+name)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../plugins/"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

func TestShippedPluginsConform(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"parquet": "", "file": `{"plugin": "file", "path": "users.csv"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, "")
			args := []string{"plugins", "conformance", built(t, name), "--output", "json", "--junit", filepath.Join(s.dir, "report.xml")}
			if config != "" {
				s.write(t, "users.csv", "username,password,authorized_nifs,self,cups\n12345678Z,secret-of-z,,true,\nB00000000,secret-of-b,87654321X,,\n")
				args = append(args, "--config", s.write(t, "config_trial.json", config))
			}
			r := s.engine(t, args...)
			var report conformance.Report
			if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
				t.Fatalf("%v\n%+v", err, r)
			}
			if r.code != 0 || !report.Passed || report.Plugin != name {
				t.Errorf("%d: %v", r.code, report.Findings)
			}
			if text, err := os.ReadFile(filepath.Join(s.dir, "report.xml")); err != nil || !strings.Contains(string(text), `failures="0"`) {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

func TestAPluginThatBreaksPromisesFails(t *testing.T) {
	t.Parallel()
	s := newShell(t, "")
	path := filepath.Join(s.dir, "datadis-plugin-page")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '<html>404</html>'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := s.engine(t, "plugins", "conformance", path)
	if r.code != 1 || !strings.Contains(r.stdout, `handshake.stdout: it printed "<html>404</html>"`) || !strings.Contains(r.stderr, "breaks promises") {
		t.Errorf("%+v", r)
	}
	if r := s.engine(t, "plugins", "conformance", filepath.Join(s.dir, "none")); r.code != 1 || !strings.Contains(r.stderr, "no plugin to try") {
		t.Errorf("%+v", r)
	}
}
