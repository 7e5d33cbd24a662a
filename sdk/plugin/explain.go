package plugin

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// byHand is a command for people.
type byHand struct {
	name, about string
	run         func(b *binary, args []string, out, errs io.Writer) error
}

// byHands are the commands that a binary has.
func byHands() []byHand {
	return []byHand{
		{"describe", "what it is, as JSON", func(b *binary, _ []string, out, _ io.Writer) error { return b.printManifest(out) }},
		{"manifest [-w]", "the manifest; -w writes it beside the binary", (*binary).manifest},
		{"config [-format F]", "its options: table, markdown, schema or example", (*binary).config},
		{"conformance [-config FILE]", "try it against every promise of the protocol", (*binary).conformance},
		{"version", "", (*binary).version},
		{"help", "", func(b *binary, _ []string, out, _ io.Writer) error { return b.help(out) }},
	}
}

// command is what the binary does when a person starts it. It returns the exit
// code: 0 done, 1 failed, 2 wrong usage.
func (b *binary) command(args []string, out, errs io.Writer) int {
	name := "help"
	if len(args) > 0 {
		name, args = strings.TrimLeft(args[0], "-"), args[1:]
	}
	if name == "h" {
		name = "help"
	}
	var known []string
	for _, c := range byHands() {
		word, _, _ := strings.Cut(c.name, " ")
		known = append(known, word)
		if word == name {
			return exitCode(c.run(b, args, out, errs), errs)
		}
	}
	_, _ = fmt.Fprintf(errs, "unknown command %q; known are %s\n", name, strings.Join(known, ", "))
	return 2
}

func exitCode(err error, errs io.Writer) int {
	switch {
	case errors.Is(err, errUsage):
		return 2
	case err != nil:
		_, _ = fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}

var errUsage = errors.New("usage")

func (b *binary) printManifest(out io.Writer) error {
	manifest, err := b.description.Manifest()
	if err != nil {
		return err
	}
	_, err = out.Write(manifest)
	return err
}

// manifest prints the manifest, or writes it beside the binary.
func (b *binary) manifest(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("manifest", flag.ContinueOnError)
	flags.SetOutput(errs)
	write := flags.Bool("w", false, "write it beside the binary")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	if !*write {
		return b.printManifest(out)
	}
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	path = filepath.Join(filepath.Dir(path), FilePrefix+b.description.Name+".json")
	text, err := b.description.Manifest()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	_, err = fmt.Fprintln(out, path)
	return err
}

func (b *binary) help(out io.Writer) error {
	d := &b.description
	kinds := make([]string, len(d.Kinds))
	for i, kind := range d.Kinds {
		kinds[i] = string(kind)
	}
	file := FilePrefix + d.Name
	w := &strings.Builder{}
	fmt.Fprintf(w, "%s %s: %s\n\n", file, d.Version, d.Summary)
	fmt.Fprintf(w, "A plugin of the Datadis engine: %s, protocol %d. The engine starts it; by hand it only\nexplains itself.\n",
		strings.Join(kinds, " and "), d.Protocol)
	if d.Description != "" {
		fmt.Fprintf(w, "\n%s\n", d.Description)
	}
	options, err := Options(d.ConfigSchema)
	if err != nil {
		return err
	}
	example, err := Example(d.ConfigSchema)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nConfiguration, config_%s.json:\n\n", d.Name)
	if err := WriteOptions(w, options); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nFor example:\n\n%s\n", example)
	fmt.Fprintf(w, "\nTo install it, run \"engine plugins install %s\", or put the file into\nthe engine's plugins folder by hand; put the configuration into plugins.config_dir. Then\n\"engine plugins list\" shows it.\n", file)
	fmt.Fprintf(w, "\nCommands:\n")
	for _, c := range byHands() {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-28s%s", c.name, c.about), " "))
	}
	_, err = io.WriteString(out, w.String())
	return err
}
