package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// actorBinary builds the plugin of the host's tests, which is called as its
// file is, once.
var actorBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "datadis-actor-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "actor")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./internal/host/testdata/actor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", &buildError{"actor", string(out), err}
	}
	return path, nil
})

// actors makes a folder with n plugins, their manifests and an instance of each.
func actors(tb testing.TB, n int) (environ []string, dir string) {
	tb.Helper()
	binary, err := actorBinary()
	if err != nil {
		tb.Fatal(err)
	}
	dir = tb.TempDir()
	for _, name := range []string{"bin", "conf"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	for i := range n {
		path := filepath.Join(dir, "bin", fmt.Sprintf("datadis-plugin-p%02d", i))
		if err := os.Link(binary, path); err != nil {
			tb.Fatal(err)
		}
		if out, err := exec.Command(path, "manifest", "-w").CombinedOutput(); err != nil {
			tb.Fatalf("%v\n%s", err, out)
		}
		config := filepath.Join(dir, "conf", fmt.Sprintf("config_p%02d.json", i))
		if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return []string{
		"DATADIS_PLUGINS_PATHS=" + filepath.Join(dir, "bin"), "DATADIS_PLUGINS_CONFIG_DIR=" + filepath.Join(dir, "conf"),
		"DATADIS_PLUGINS_LOCK=" + filepath.Join(dir, "plugins.lock.json"), "DATADIS_DATA_DIR=" + filepath.Join(dir, "data"),
	}, dir
}

// BenchmarkPluginsList is `engine plugins list` with 20 plugins, from their
// manifests (budget: 100 ms); with the lock file their binaries are hashed too, if
// they have changed.
func BenchmarkPluginsList(b *testing.B) {
	environ, dir := actors(b, 20)
	list := func(b *testing.B, args ...string) {
		for b.Loop() {
			if code := newApp(io.Discard, os.Stderr, environ).execute(b.Context(), append([]string{"plugins", "list"}, args...)); code != codeDone {
				b.Fatal(code)
			}
		}
	}
	b.Run("manifests", func(b *testing.B) { list(b) })
	if code := newApp(io.Discard, os.Stderr, environ).execute(b.Context(), []string{"plugins", "lock"}); code != codeDone {
		b.Fatal(code)
	}
	b.Run("locked", func(b *testing.B) { list(b, "--locked") })
	// An engine has run here: what has not changed since is not read again.
	if err := os.MkdirAll(filepath.Join(dir, "data", "plugins"), 0o700); err != nil {
		b.Fatal(err)
	}
	if code := newApp(io.Discard, os.Stderr, environ).execute(b.Context(), []string{"plugins", "list", "--locked"}); code != codeDone {
		b.Fatal(code)
	}
	b.Run("locked and known", func(b *testing.B) { list(b, "--locked") })
}

// BenchmarkPluginsValidateDeep is `engine plugins validate --deep` with 20
// plugins, all of which are started (budget: 3 s).
func BenchmarkPluginsValidateDeep(b *testing.B) {
	environ, _ := actors(b, 20)
	for b.Loop() {
		if code := newApp(io.Discard, os.Stderr, environ).execute(b.Context(), []string{"plugins", "validate", "--deep"}); code != codeDone {
			b.Fatal(code)
		}
	}
}
