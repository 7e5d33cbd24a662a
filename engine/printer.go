package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// printer writes a command's result as a table or as JSON. Tables are plain
// text in aligned columns: no colour, and nothing is cut off.
type printer struct {
	out    io.Writer
	format string // table or json
}

// outputFlag adds --output to a command and returns what prints its result.
func (a *app) outputFlag(cmd *cobra.Command) *printer {
	p := &printer{out: a.stdout}
	cmd.Flags().Var((*outputFormat)(&p.format), "output", "`format` of the result: table or json")
	p.format = "table"
	cmd.Flags().Lookup("output").DefValue = "table"
	return p
}

// outputFormat is the value of --output.
type outputFormat string

// Set implements [pflag.Value].
func (o *outputFormat) Set(text string) error {
	if text != "table" && text != "json" {
		return fmt.Errorf("%q is neither table nor json", text)
	}
	*o = outputFormat(text)
	return nil
}

// String implements [pflag.Value].
func (o *outputFormat) String() string { return string(*o) }

// Type implements [pflag.Value].
func (o *outputFormat) Type() string { return "format" }

// column is a title and how an item fills the cell below it.
type column[T any] struct {
	title string
	cell  func(T) string
}

// printList prints the items, a row each. As JSON they are an array, never
// null, of whatever T marshals to.
func printList[T any](p *printer, items []T, columns ...column[T]) error {
	if p.format == "json" {
		if items == nil {
			items = []T{}
		}
		return p.json(items)
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.title
	}
	row(table, titles)
	for _, item := range items {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = c.cell(item)
		}
		row(table, cells)
	}
	return table.Flush()
}

// printOne prints a single result: its JSON, or what text writes.
func printOne(p *printer, item any, text func(w io.Writer) error) error {
	if p.format == "json" {
		return p.json(item)
	}
	return text(p.out)
}

func (p *printer) json(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// row writes a line of cells. A line must stay a line, whatever a cell holds.
func row(w io.Writer, cells []string) {
	clean := strings.NewReplacer("\t", " ", "\n", " ", "\r", "")
	for i, cell := range cells {
		if cells[i] = clean.Replace(cell); cells[i] == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// printFitting prints a table; where it is too wide for the terminal, a block for
// each item instead, without what is zero or nothing. A width of 0 fits all.
func printFitting[T any](w io.Writer, width int, items []T, columns ...column[T]) error {
	var table bytes.Buffer
	if err := printList(&printer{out: &table}, items, columns...); err != nil {
		return err
	}
	fits := true
	for line := range strings.Lines(table.String()) {
		fits = fits && (width == 0 || utf8.RuneCountInString(strings.TrimRight(line, " \n")) <= width)
	}
	if fits {
		_, err := table.WriteTo(w)
		return err
	}
	blocks := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, item := range items {
		if i > 0 {
			fmt.Fprintln(blocks)
		}
		for _, c := range columns {
			if cell := c.cell(item); cell != "" && cell != "0" {
				row(blocks, []string{c.title, cell})
			}
		}
	}
	return blocks.Flush()
}
