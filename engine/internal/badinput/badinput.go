// Package badinput lets tests keep what is said about bad input, for people to
// read in docs/bad-input.md. It is for tests, and linked into no binary.
package badinput

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// File is where a package keeps its cases.
const File = "testdata/bad-input.txt"

// Case is an input that is wrong, and the sentences that it gives.
type Case struct{ Name, Says string }

// Golden compares the cases of a package with its [File], or rewrites it. Each
// must say something that a person can read, and none of the secrets that are in
// the inputs.
func Golden(t *testing.T, update bool, cases []Case, secrets ...string) {
	t.Helper()
	var text strings.Builder
	for _, c := range cases {
		if err := check(c, secrets); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		fmt.Fprintf(&text, "%s\n", c.Name)
		for line := range strings.SplitSeq(c.Says, "\n") {
			fmt.Fprintf(&text, "\t%s\n", line)
		}
	}
	if update {
		if err := os.MkdirAll(filepath.Dir(File), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(File, []byte(text.String()), 0o644); err != nil { //nolint:gosec // it is committed
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("%s differs; run with -update if that is meant\ngot\n%s\nwant\n%s", File, text.String(), want)
	}
}

// longest is how long a sentence may be: people read it in a terminal.
const longest = 400

func check(c Case, secrets []string) error {
	for line := range strings.SplitSeq(c.Says, "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			return errors.New("it says nothing")
		case len(line) > longest:
			return fmt.Errorf("it says too much: %d bytes", len(line))
		}
	}
	for _, sign := range append(secrets, "%!", "0x", "runtime error", "goroutine", "<nil>", " proto:", " json:", "Go value", "Go struct") {
		if strings.Contains(c.Says, sign) {
			return fmt.Errorf("%q is not for people: %s", sign, c.Says)
		}
	}
	return nil
}

// Read reads the cases of a file.
func Read(t testing.TB, path string) []Case {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []Case
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		says, more := strings.CutPrefix(line, "\t")
		switch last := len(cases) - 1; {
		case !more:
			cases = append(cases, Case{Name: line})
		case cases[last].Says == "":
			cases[last].Says = says
		default:
			cases[last].Says += "\n" + says
		}
	}
	return cases
}
