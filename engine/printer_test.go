package main

import (
	"strings"
	"testing"
)

// A table that the terminal is too narrow for becomes blocks, which say nothing
// of what is zero; piped, it stays a table however wide it is.
func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	type row struct{ name, note, dead string }
	columns := []column[row]{
		{"NAME", func(r row) string { return r.name }},
		{"NOTE", func(r row) string { return r.note }},
		{"DEAD LETTERS", func(r row) string { return r.dead }},
	}
	items := []row{{"one", "a word", "0"}, {"two", "", "3"}}
	const table = "NAME  NOTE    DEAD LETTERS\none   a word  0\ntwo   -       3\n"
	const blocks = "NAME  one\nNOTE  a word\n\nNAME          two\nDEAD LETTERS  3\n"
	for width, want := range map[int]string{0: table, 26: table, 25: blocks} {
		var out strings.Builder
		if err := printFitting(&out, width, items, columns...); err != nil || out.String() != want {
			t.Errorf("in %d columns: %v\n%s", width, err, out.String())
		}
	}
}
