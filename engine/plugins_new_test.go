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

// A new plugin is tested, built, installed and listed by the commands of the
// tutorial, without an edit and without a network: everything that it needs, the
// engine was built with.
func TestTheTutorialWorksAsItIs(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"go", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s", tool)
		}
	}
	commands := tutorial(t)
	for _, kind := range []string{"source", "harmonizer"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, `{"plugins": {"paths": ["bin"], "config_dir": "secrets"}}`)
			for _, dir := range []string{"bin", "secrets"} {
				if err := os.Mkdir(filepath.Join(s.dir, dir), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			w := &walk{t: t, s: s, dir: s.dir}
			for _, command := range commands {
				w.do(strings.Replace(command, "plugins new harmonizer", "plugins new "+kind, 1))
			}
			w.mustBeListed()
			w.mustBeSmall()
		})
	}
}

// tutorial is what docs/plugins/tutorial.md has one type.
func tutorial(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/plugins/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for line := range strings.Lines(string(text)) {
		typed, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		word, _, _ := strings.Cut(typed, " ")
		if ok && slices.Contains([]string{"engine", "cd", "make", "cp"}, word) {
			commands = append(commands, typed)
		}
	}
	if len(commands) < 7 {
		t.Fatalf("the tutorial has only %q", commands)
	}
	return commands
}

// walk follows the tutorial.
type walk struct {
	t   *testing.T
	s   *shell
	dir string
}

func (w *walk) do(command string) {
	w.t.Helper()
	words := strings.Fields(strings.ReplaceAll(command, "<plugins.config_dir>", filepath.Join(w.s.dir, "secrets")))
	switch words[0] {
	case "cd":
		w.dir = filepath.Join(w.dir, words[1])
	case "engine":
		w.engine(words[1:])
	default:
		typed(w.t, w.dir, words...)
	}
}

// engine runs the engine where the walk is.
func (w *walk) engine(args []string) {
	w.t.Helper()
	cmd := engineProcess(w.t, "engine", append(w.s.environ, "PATH="+os.Getenv("PATH"), "HOME="+w.s.dir), args...)
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("engine %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// mustBeListed wants the instance and nothing else.
func (w *walk) mustBeListed() {
	w.t.Helper()
	r := w.s.engine(w.t, "plugins", "list", "--output", "json")
	var rows []struct{ Instance, Version, Status string }
	if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil {
		w.t.Fatal(err)
	}
	if len(rows) != 1 || rows[0].Instance != "acme" || rows[0].Status != "ok" || rows[0].Version != "0.1.0" {
		w.t.Errorf("%s", r.stdout)
	}
}

// mustBeSmall looks at what the plugin is built of, and at how it is written.
func (w *walk) mustBeSmall() {
	w.t.Helper()
	for line := range strings.Lines(typed(w.t, w.dir, "go", "list", "-deps", "-test", "./...")) {
		for _, word := range []string{"kafka", "redis", "datadis/engine/"} {
			if strings.Contains(strings.ToLower(line), word) {
				w.t.Errorf("it is built with %s", line)
			}
		}
	}
	if text := typed(w.t, w.dir, "gofmt", "-l", "main.go", "plugin.go", "plugin_test.go"); text != "" {
		w.t.Errorf("gofmt would change %s", text)
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
