package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/pin"
	"github.com/datadis-engine/datadis/engine/internal/simulator"
)

// yard is a folder with a plugin folder of its own, and a binary to install.
type yard struct {
	*shell
	bin, delivered string
}

func newYard(t *testing.T) *yard {
	t.Helper()
	binary, err := actorBinary()
	if err != nil {
		t.Fatal(err)
	}
	s := newShell(t, `{"plugins": {"paths": ["bin"], "config_dir": "conf", "lock": "plugins.lock.json"}, "data_dir": "data"}`)
	y := &yard{shell: s, bin: filepath.Join(s.dir, "bin"), delivered: filepath.Join(s.dir, "dist", "datadis-plugin-acme")}
	for _, dir := range []string{"dist", "conf"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	y.copyTo(t, binary, y.delivered)
	return y
}

func (y *yard) copyTo(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := pin.Replace(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
}

// want runs a command and looks at its exit code and at parts of its output.
func (y *yard) want(t *testing.T, code int, parts []string, args ...string) result {
	t.Helper()
	got := y.engine(t, append([]string{"plugins"}, args...)...)
	if got.code != code {
		t.Errorf("%v: exit code %d, want %d\n%s%s", args, got.code, code, got.stdout, got.stderr)
	}
	for _, part := range parts {
		if !strings.Contains(got.stdout+got.stderr, part) {
			t.Errorf("%v: no %q in\n%s%s", args, part, got.stdout, got.stderr)
		}
	}
	return got
}

func (y *yard) sum(t *testing.T, path string) string {
	t.Helper()
	sum, _, err := pin.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// The whole way of a plugin: installed, pinned, verified, exchanged by somebody,
// refused, and accepted again.
func TestAPluginIsInstalledPinnedAndVerified(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	good := y.sum(t, y.delivered)
	y.write(t, "conf/config_acme.json", `{"word": "hello"}`)
	y.want(t, codeUsage, []string{"plugins.lock.json", "`engine plugins lock` writes it"}, "verify")
	y.want(t, codeFailed, []string{"there is no plugin in"}, "lock")
	y.want(t, codeDone, []string{"acme 1.2.3 (source,harmonizer) is installed", good}, "install", y.delivered, "--sha256", strings.ToUpper(good))
	installed := filepath.Join(y.bin, "datadis-plugin-acme")
	if info, err := os.Stat(installed); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", info, err)
	}
	y.want(t, codeDone, []string{"acme      acme    source,harmonizer  1.2.3    1      ok      -"}, "list")
	y.want(t, codeFailed, []string{"not up to date"}, "lock", "--check")
	y.want(t, codeDone, []string{"acme    " + pin.Here, good, "added"}, "lock")
	y.want(t, codeDone, []string{"same"}, "lock", "--check")
	y.want(t, codeDone, []string{"ok"}, "verify")
	y.want(t, codeDone, []string{"as the lock file says"}, "inspect", "acme")

	appendByte(t, installed)
	bad := y.sum(t, installed)
	for _, args := range [][]string{{"list", "--locked"}, {"verify"}, {"validate", "--locked"}} {
		code := codeFailed
		if args[0] == "list" {
			code = codeDone
		}
		y.want(t, code, []string{"modified", good, bad, "plugins.lock.json"}, args...)
	}
	y.want(t, codeDone, []string{"ok      its SHA-256 is " + bad}, "list")
	y.want(t, codeDone, []string{"another than the lock file says: " + good}, "inspect", "acme")

	// Installed anew it is pinned anew, and trusted.
	y.want(t, codeDone, []string{"it replaces 1.2.3", "pinned in"}, "install", y.delivered)
	y.want(t, codeDone, []string{"ok"}, "verify", "acme")
	y.want(t, codeDone, []string{"ok"}, "validate", "--deep", "--locked")
	y.want(t, codeUsage, []string{`there is no "nobody"`}, "verify", "nobody")
}

func appendByte(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := pin.Replace(path, append(content, '!'), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestInstallRefuses(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 11) + "\x16" + strings.Repeat("\x00", 60) // s390x
	other := filepath.Join(y.dir, "dist", "acme")
	y.copyTo(t, y.delivered, other)
	for _, name := range []string{"page", "mainframe"} {
		text := map[string]string{"page": "<html>404</html>", "mainframe": elf}[name]
		if err := os.Chmod(y.write(t, "dist/datadis-plugin-"+name, text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	wrong := strings.Repeat("ab", 32)
	for _, c := range []struct {
		code  int
		parts []string
		args  []string
	}{
		{codeFailed, []string{wrong, y.sum(t, y.delivered)}, []string{y.delivered, "--sha256", wrong}},
		{codeUsage, []string{"--sha256 12 is no SHA-256"}, []string{y.delivered, "--sha256", "12"}},
		{codeFailed, []string{"acme is no name of a plugin"}, []string{other}},
		{codeFailed, []string{"cannot be started"}, []string{filepath.Join(y.dir, "dist", "datadis-plugin-page")}},
		{codeFailed, []string{"is for linux/s390x, this is " + pin.Here}, []string{filepath.Join(y.dir, "dist", "datadis-plugin-mainframe")}},
		{codeFailed, []string{"no such file"}, []string{filepath.Join(y.dir, "dist", "datadis-plugin-none")}},
	} {
		y.want(t, c.code, c.parts, append([]string{"install"}, c.args...)...)
	}
	if left, err := os.ReadDir(y.bin); err == nil && len(left) > 0 {
		t.Errorf("the plugin folder has %v", left)
	}
}

// Binaries for other machines are pinned by their files.
func TestLockForAnotherPlatform(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.want(t, codeDone, nil, "install", y.delivered)
	y.want(t, codeDone, nil, "lock")
	foreign := filepath.Join(y.dir, "dist", "datadis-plugin-acme")
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 11) + "\xb7" + strings.Repeat("\x00", 60)
	machine := "linux/arm64"
	if runtime.GOARCH == "arm64" {
		elf, machine = strings.Replace(elf, "\xb7", "\x3e", 1), "linux/amd64"
	}
	if err := os.WriteFile(foreign, []byte(elf), 0o600); err != nil {
		t.Fatal(err)
	}
	y.want(t, codeDone, []string{machine, "added"}, "lock", foreign)
	y.want(t, codeDone, []string{"ok"}, "verify") // of this platform
	lock, err := pin.Load(filepath.Join(y.dir, "plugins.lock.json"))
	if err != nil || len(lock.Plugins["acme"]) != 2 {
		t.Errorf("%v %v", lock, err)
	}
}

func TestPluginsValidate(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.want(t, codeDone, nil, "install", y.delivered)
	y.write(t, "conf/config_acme.json", `{}`)
	y.write(t, "conf/config_off.json", `{"plugin": {"name": "acme", "disabled": true}}`)
	y.want(t, codeDone, []string{"disabled"}, "validate", "--deep")
	// What only the plugin itself can know.
	y.write(t, "conf/config_odd.json", `{"plugin": "acme", "word": "odd"}`)
	y.want(t, codeDone, nil, "validate")
	y.want(t, codeUsage, []string{"invalid-config", "/word: is odd", "1 of 3 instances"}, "validate", "--deep")
	y.want(t, codeDone, nil, "validate", "acme", "--deep")
	// A target that is not ready.
	y.write(t, "conf/config_down.json", `{"plugin": "acme", "fail": true}`)
	y.want(t, codeFailed, []string{"failed", "the database says no"}, "validate", "down", "--deep")
	y.write(t, "conf/config_bad.json", `{"plugin": "acme", "wrd": "x"}`)
	got := y.want(t, codeUsage, nil, "validate", "bad", "--output", "json")
	var rows []pluginRow
	if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil || len(rows) != 1 || rows[0].Status != "invalid-config" {
		t.Errorf("%v %+v", err, rows)
	}
}

// A plugin that somebody has exchanged is not started; all others do their
// work, and the command says what is missing.
func TestRunWithoutAModifiedPlugin(t *testing.T) {
	t.Parallel()
	s := newStage(t, simulator.Config{Seed: 31, Accounts: 1, Supplies: 1})
	s.write("users.csv", s.users())
	plugins, err := pluginsDir()
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{shell: &shell{dir: s.dir, environ: append(s.environ,
		"DATADIS_PLUGINS_PATHS="+s.path("bin"), "DATADIS_PLUGINS_LOCK="+s.path("lock.json"))}}
	for _, name := range []string{"file", "parquet"} {
		y.want(t, codeDone, nil, "install", filepath.Join(plugins, "datadis-plugin-"+name))
	}
	actor, err := actorBinary()
	if err != nil {
		t.Fatal(err)
	}
	y.copyTo(t, actor, s.path("bin/datadis-plugin-acme"))
	y.copyTo(t, actor, s.path("datadis-plugin-acme"))
	y.want(t, codeDone, nil, "install", s.path("datadis-plugin-acme"))
	y.want(t, codeDone, []string{"acme"}, "lock")
	s.write("plugins/config_north.json", `{"plugin": "file", "path": "../users.csv"}`)
	s.write("plugins/config_acme.json", `{}`)
	s.write("plugins/config_parquet.json", `{"dir": "../out"}`)
	good := y.sum(t, s.path("bin/datadis-plugin-acme"))
	appendByte(t, s.path("bin/datadis-plugin-acme"))
	bad := y.sum(t, s.path("bin/datadis-plugin-acme"))

	var stdout, stderr bytes.Buffer
	code := newApp(&stdout, &stderr, y.environ).execute(t.Context(), []string{"run", "--locked", "--output", "json"})
	if code != codeFailed || !strings.Contains(stderr.String(), "engine: plugin acme was not started: modified: its SHA-256 is "+bad+", lock.json expects "+good) {
		t.Errorf("exit code %d\n%s", code, stderr.String())
	}
	var result summary
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil || !strings.Contains(result.FailedSources["acme"], good) {
		t.Errorf("%v\n%s", err, stdout.String())
	}
	if d := s.difference("north"); !d.None() || d.Right == 0 {
		t.Errorf("of the others: %s", d)
	}
}

func TestPluginsLogs(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.want(t, codeDone, nil, "install", y.delivered)
	y.write(t, "conf/config_acme.json", `{}`)
	y.want(t, codeFailed, []string{"nothing is kept of acme", "instance=acme"}, "logs", "acme")
	y.want(t, codeFailed, []string{`no log of an instance "nobody"`}, "logs", "nobody")
	y.want(t, codeUsage, []string{"--since yesterday is no time"}, "logs", "acme", "--since", "yesterday")
	if err := os.MkdirAll(filepath.Join(y.dir, "data/plugins/logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	y.write(t, "data/plugins/logs/acme.log.1", `{"time":"2026-01-01T00:00:00Z","level":"INFO","msg":"older","instance":"acme"}`+"\n")
	y.write(t, "data/plugins/logs/acme.log",
		`{"time":"2026-02-01T00:00:00Z","level":"ERROR","msg":"plugin fell","error":"exit status 7","restarts":2,"last":["no more memory"],"stack":"panic: x\nmain.go"}`+"\ntorn\n"+
			`{"time":"2026-03-01T00:00:00Z","level":"INFO","msg":"plugin started again","instance":"acme"}`+"\nhalf a li")
	got := y.want(t, codeDone, nil, "logs", "acme")
	want := "2026-01-01 00:00:00.000 INFO  older\n" +
		"2026-02-01 00:00:00.000 ERROR plugin fell error=exit status 7 restarts=2\n    last: no more memory\n    panic: x\n    main.go\n" +
		"2026-03-01 00:00:00.000 INFO  plugin started again\n"
	if got.stdout != want {
		t.Errorf("%s\nwant\n%s", got.stdout, want)
	}
	if got := y.want(t, codeDone, nil, "logs", "acme", "--since", "2026-02-15T00:00:00Z"); got.stdout != want[strings.Index(want, "2026-03"):] {
		t.Errorf("%s", got.stdout)
	}
	if got := y.want(t, codeDone, nil, "logs", "acme", "--output", "json"); strings.Count(got.stdout, "\n") != 3 {
		t.Errorf("%s", got.stdout)
	}
}

// What is logged while somebody follows comes once and whole, even if the file
// is set aside meanwhile.
func TestFollowingALogThatIsSetAside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "acme.log")
	var out bytes.Buffer
	l := &pluginLog{out: &out, json: true, path: path}
	add := func(text string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.WriteString(text)
		if closed := file.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
	}
	add(`{"msg":"1"}` + "\n" + `{"msg":`)
	if err := l.print(); err != nil {
		t.Fatal(err)
	}
	add(`"2"}` + "\n")
	if err := l.more(); err != nil {
		t.Fatal(err)
	}
	add(`{"msg":"3"}` + "\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	add(`{"msg":"4"}` + "\n")
	for range 2 {
		if err := l.more(); err != nil {
			t.Fatal(err)
		}
	}
	if want := "{\"msg\":\"1\"}\n{\"msg\":\"2\"}\n{\"msg\":\"3\"}\n{\"msg\":\"4\"}\n"; out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}
