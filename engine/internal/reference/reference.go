package reference

import (
	"fmt"
	"io/fs"
	"strings"

	datadis "github.com/datadis-engine/datadis"
	"github.com/datadis-engine/datadis/sdk/conformance"
)

// files are the protocol's, in the order of reading.
var files = []string{"plugin", "source", "harmonizer", "chunk", "supply", "common"}

const head = `# Reference for authors of plugins

Made by ` + "`make generate`" + ` of the comments in ` + "`proto/plugin/v1`" + `, of the conformance kit, and of the plugins' own schemas. [tutorial.md](tutorial.md)
is where to begin, [protocol.md](protocol.md) tells how the two ends meet.

`

// Document is the whole of it. Options are the tables of the shipped plugins, by
// name, in order.
func Document(options []Options) (string, error) {
	w := &strings.Builder{}
	w.WriteString(head)
	for _, name := range files {
		text, err := fs.ReadFile(datadis.SDK, "proto/plugin/v1/"+name+".proto")
		if err != nil {
			return "", fmt.Errorf("reference: %w", err)
		}
		elements, err := parse(string(text))
		if err != nil {
			return "", fmt.Errorf("reference: %s.proto: %w", name, err)
		}
		fmt.Fprintf(w, "## %s.proto\n\n", name)
		for i := range elements {
			elements[i].write(w)
		}
	}
	w.WriteString("## Findings of the conformance kit\n\n| code | what it means |\n|---|---|\n")
	for _, code := range conformance.Codes {
		fmt.Fprintf(w, "| `%s` | %s |\n", code.Name, cell(code.Meaning))
	}
	w.WriteString("\n## Options of the plugins that are shipped\n")
	for _, o := range options {
		fmt.Fprintf(w, "\n### %s\n\n%s", o.Plugin, o.Table)
	}
	return w.String(), nil
}

// Options are a plugin's, as its command "config -format markdown" prints them.
type Options struct{ Plugin, Table string }

func (e *element) write(w *strings.Builder) {
	fmt.Fprintf(w, "### %s %s\n\n", e.kind, e.name)
	if e.doc != "" {
		w.WriteString(e.doc + "\n\n")
	}
	if len(e.members) == 0 {
		if e.doc == "" {
			w.WriteString("Empty.\n\n")
		}
		return
	}
	switch e.kind {
	case "service":
		w.WriteString("| call | messages | meaning |\n|---|---|---|\n")
	case "enum":
		w.WriteString("| value | number | meaning |\n|---|---|---|\n")
	default:
		w.WriteString("| field | type | number | meaning |\n|---|---|---|---|\n")
	}
	for _, m := range e.members {
		cells := []string{"`" + m.name + "`"}
		for _, text := range []string{m.kind, m.number} {
			if text != "" {
				cells = append(cells, cell(text))
			}
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(append(cells, cell(m.doc)), " | "))
	}
	w.WriteString("\n")
}

// cell is a text as a table takes it.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}
