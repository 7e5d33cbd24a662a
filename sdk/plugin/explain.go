package plugin

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// command is what the binary does when a person starts it. It returns the exit
// code: 0 done, 1 failed, 2 wrong usage.
func (b *binary) command(args []string, out, errs io.Writer) int {
	name := "help"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	var err error
	switch name {
	case "help", "-h", "--help":
		err = b.help(out)
	case "version", "--version":
		_, err = fmt.Fprintf(out, "%s %s (protocol %d)\n", b.description.Name, b.description.Version, ProtocolVersion)
	case "describe":
		err = b.printManifest(out)
	case "manifest":
		err = b.manifest(args, out, errs)
	default:
		_, _ = fmt.Fprintf(errs, "unknown command %q; known are help, version, describe, manifest\n", name)
		return 2
	}
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
	fmt.Fprintf(w, "\nTo install it, put the file %s into the engine's plugins folder and the\nconfiguration into plugins.config_dir; then run \"engine plugins list\".\n", file)
	fmt.Fprintf(w, "\nCommands:\n  describe       what it is, as JSON\n  manifest [-w]  the manifest; -w writes it beside the binary\n  version\n  help\n")
	_, err = io.WriteString(out, w.String())
	return err
}

// WriteOptions prints options as a table.
func WriteOptions(out io.Writer, options []Option) error {
	if len(options) == 0 {
		_, err := fmt.Fprintln(out, "It has no options.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "KEY\tTYPE\tREQUIRED\tDEFAULT\tDESCRIPTION")
	for _, o := range options {
		required := "-"
		if o.Required {
			required = "yes"
		}
		value := o.Default
		if value == "" {
			value = "-"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.Key, o.Type, required, value, o.Description)
	}
	return w.Flush()
}
