package plugin

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteOptions prints options as a table for a terminal.
func WriteOptions(out io.Writer, options []Option) error {
	if len(options) == 0 {
		_, err := fmt.Fprintln(out, "It has no options.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "KEY\tTYPE\tREQUIRED\tDEFAULT\tDESCRIPTION")
	for _, o := range options {
		_, _ = fmt.Fprintln(w, strings.Join(o.cells(), "\t"))
	}
	return w.Flush()
}

// WriteOptionsMarkdown prints options as a table for a README.
func WriteOptionsMarkdown(out io.Writer, options []Option) error {
	w := &strings.Builder{}
	if len(options) == 0 {
		w.WriteString("It has no options.\n")
	} else {
		w.WriteString("| key | type | required | default | meaning |\n|---|---|---|---|---|\n")
	}
	clean := strings.NewReplacer("|", `\|`, "\n", " ")
	for _, o := range options {
		cells := o.cells()
		for i := range cells {
			cells[i] = clean.Replace(cells[i])
		}
		cells[0] = "`" + cells[0] + "`"
		if o.Default != "" {
			cells[3] = "`" + cells[3] + "`"
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
	_, err := io.WriteString(out, w.String())
	return err
}

// cells are the columns of an option's row.
func (o Option) cells() []string {
	required, value := "-", o.Default
	if o.Required {
		required = "yes"
	}
	if value == "" {
		value = "-"
	}
	meaning := o.Description
	if len(o.Enum) > 0 {
		meaning = strings.TrimSpace(meaning + " One of " + strings.Join(o.Enum, ", ") + ".")
	}
	return []string{o.Key, o.Type, required, value, meaning}
}
