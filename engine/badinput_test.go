package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/datadis-engine/datadis/engine/internal/badinput"
)

// badInputs are the sections of docs/bad-input.md, and where their cases lie.
var badInputs = []struct {
	title, about string
	files        []string
}{
	{
		"Configuration", "All problems are told at once, each with the place that it stands at; nothing is started.",
		[]string{"internal/settings/" + badinput.File},
	},
	{
		"Lists of users", "The plugin `file` reads CSV and JSON. A bad row costs nothing but itself; nothing is concluded from a list that ends too early.",
		[]string{"../plugins/file/testdata/bad"},
	},
	{
		"Answers of Datadis", "What came is kept as it came, if there was a body at all; nothing that is known is lowered by it.",
		[]string{"internal/datadis/" + badinput.File},
	},
	{
		"Records of Kafka", "The record goes to `datadis.dead` with the reason in its headers, and the next one is read.",
		[]string{"internal/envelope/" + badinput.File},
	},
	{
		"Items and entries of Redis", "The item goes to the dead letters; `engine dead` shows it. A broken entry of the ledger costs no other supply.",
		[]string{"internal/job/" + badinput.File, "internal/ledger/" + badinput.File},
	},
	{
		"Messages of plugins", "The call fails as the plugin's own fault, and is tried again; what it was about is isolated, and goes to `datadis.dead`.",
		[]string{"../sdk/internal/wire/" + badinput.File},
	},
}

const badInputHead = `# Bad input

What is said about input that is wrong. Each sentence is what the engine or the plugin really says: tests feed them the
input, and this page is made of what they answer (go test -update). Whatever is wrong costs nothing but itself.
`

// docs/bad-input.md shows what the tables of the packages say.
func TestBadInputPage(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	page.WriteString(badInputHead)
	total := 0
	for _, s := range badInputs {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| input | what is said |\n|---|---|\n", s.title, s.about)
		n := 0
		for _, file := range s.files {
			for _, c := range badCases(t, file) {
				if i := strings.IndexFunc(c.Says, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
					t.Errorf("%s: the sentence has the control character %q", c.Name, c.Says[i])
				}
				fmt.Fprintf(&page, "| %s | %s |\n", cell(c.Name), cell(c.Says))
				n++
			}
		}
		if n < 5 {
			t.Errorf("%s: only %d cases", s.title, n)
		}
		total += n
	}
	if total < 60 {
		t.Errorf("only %d cases", total)
	}
	const file = "../docs/bad-input.md"
	if *update {
		if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != page.String() {
		t.Errorf("%s is not what the packages say (%v); run with -update", file, err)
	}
}

// badCases reads a file of cases, or a folder with a golden file for each.
func badCases(t *testing.T, path string) (cases []badinput.Case) {
	t.Helper()
	if filepath.Ext(path) == ".txt" {
		return badinput.Read(t, path)
	}
	files, err := filepath.Glob(path + "/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := badinput.Case{Name: strings.TrimSuffix(filepath.Base(file), ".golden")}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "good: ") {
				c.Says += line
			}
		}
		c.Says = strings.TrimSpace(c.Says)
		cases = append(cases, c)
	}
	return cases
}

// cell is a text as a cell of a table has it.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", "<br>", "<", "&lt;", "*", "\\*").Replace(text)
}
