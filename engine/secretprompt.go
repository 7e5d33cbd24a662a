package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxHidden bounds what a file named by mistake can cost.
const maxHidden = 1 << 20

// hiddenInput is where a value comes from that must not stand on a command
// line, which other users of the machine can read, and shells remember.
type hiddenInput struct {
	name      string // what it is, and what its flags begin with
	file, env string
}

// flags adds --<name>-file and --<name>-env.
func (h *hiddenInput) flags(cmd *cobra.Command, what string) {
	file, env := h.name+"-file", h.name+"-env"
	cmd.Flags().StringVar(&h.file, file, "", "`file` that holds "+what)
	cmd.Flags().StringVar(&h.env, env, "", "`name` of the environment variable that holds "+what)
	cmd.MarkFlagsMutuallyExclusive(file, env)
}

// named tells whether a flag says where the value is.
func (h *hiddenInput) named() bool { return h.file != "" || h.env != "" }

// read gets the value: from where a flag says, else from standard input; on a
// terminal it asks, without showing what is typed. One line end at the end is
// none of the value's.
func (h *hiddenInput) read(ctx context.Context, a *app) (string, error) {
	switch {
	case h.env != "":
		value, ok := a.variable(h.env)
		if !ok {
			return "", wrongUsage(fmt.Errorf("--%s-env: the environment variable %s is not set", h.name, h.env))
		}
		return value, nil
	case h.file != "":
		f, err := os.Open(h.file)
		if err != nil {
			return "", wrongUsage(fmt.Errorf("--%s-file: %w", h.name, err))
		}
		defer f.Close() // only read from: closing it cannot lose anything
		return h.readAll(f)
	}
	if terminal, ok := a.asks(); ok {
		return a.typed(ctx, terminal, h.name)
	}
	return h.readAll(a.stdin)
}

func (h *hiddenInput) readAll(r io.Reader) (string, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxHidden+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the %s: %w", h.name, err)
	case len(content) > maxHidden:
		return "", fmt.Errorf("the %s is longer than %d bytes", h.name, maxHidden)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), nil
}

// variable looks up an environment variable; the last one of a name counts.
func (a *app) variable(name string) (string, bool) {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(a.environ[i], "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}

// typed reads a line that is not shown. If it is interrupted, the terminal shows
// again what is typed.
func (a *app) typed(ctx context.Context, terminal int, what string) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", fmt.Errorf("asking for the %s: %w", what, err)
	}
	fmt.Fprintf(a.stderr, "%s: ", what)
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		answers <- answer{text, err}
	}()
	select {
	case got := <-answers:
		fmt.Fprintln(a.stderr)
		if got.err != nil {
			return "", fmt.Errorf("asking for the %s: %w", what, got.err)
		}
		return string(got.text), nil
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(terminal, before))
	}
}
