package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/datadis-engine/datadis/engine/internal/logging"
	"github.com/datadis-engine/datadis/engine/internal/settings"
)

// app is what every command works with: where to write, the environment, and
// the settings as flags, environment and file give them. Each call of run has
// one of its own.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	terminal       bool   // stdout is one: progress may be animated
	watched        bool   // stderr is one, also behind a bar: people read the log as it comes
	binDir         string // the folder of the engine's binary

	flags   globalFlags
	started bool // a command has begun: what goes wrong now is no wrong usage by itself
}

// globalFlags are the flags that every command takes.
type globalFlags struct {
	config    string
	logLevel  string
	logFormat string
	locked    bool
}

func newApp(stdout, stderr io.Writer, environ []string) *app {
	a := &app{stdin: os.Stdin, stdout: stdout, stderr: stderr, environ: environ, terminal: isTerminal(stdout), watched: isTerminal(stderr)}
	if executable, err := os.Executable(); err == nil {
		a.binDir = filepath.Dir(executable)
	}
	return a
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many columns the terminal has on which the result is shown; 0 if
// it is shown on none.
func (a *app) width() int {
	f, ok := a.stdout.(*os.File)
	if !ok || !a.terminal {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// settings reads the configuration. What is wrong with it is wrong usage; what
// looks wrong is a warning on stderr.
func (a *app) settings() (*settings.Settings, error) {
	s, warnings, err := settings.Load(a.options())
	for _, warning := range warnings {
		fmt.Fprintln(a.stderr, "engine: warning:", warning)
	}
	if err != nil {
		return nil, wrongUsage(err)
	}
	return s, nil
}

// serverSettings is settings for a command that shares its work over servers.
func (a *app) serverSettings() (*settings.Settings, error) {
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	if err := s.RequireServers(); err != nil {
		return nil, wrongUsage(err)
	}
	return s, safeFolder(s.DataDir) // what plugins log is kept there
}

func (a *app) options() settings.Options {
	o := settings.Options{
		File:       a.flags.config,
		Environ:    a.environ,
		PluginsDir: filepath.Join(a.binDir, "plugins"),
	}
	if a.flags.logLevel != "" {
		o.Flags = append(o.Flags, settings.Flag{Name: "--log-level", Key: "log.level", Value: a.flags.logLevel})
	}
	if a.flags.logFormat != "" {
		o.Flags = append(o.Flags, settings.Flag{Name: "--log-format", Key: "log.format", Value: a.flags.logFormat})
	}
	if a.flags.locked {
		o.Flags = append(o.Flags, settings.Flag{Name: "--locked", Key: "plugins.locked", Value: "true"})
	}
	return o
}

// logger writes to stderr as the settings say.
func (a *app) logger(s *settings.Settings) *slog.Logger {
	return logging.New(a.stderr, a.logOptions(s))
}

func (a *app) logOptions(s *settings.Settings) logging.Options {
	o := logging.Options{Format: logging.Format(s.Log.Format), Clear: s.Log.Identifiers == "clear"}
	if s.Log.Format == "auto" {
		o.Format = logging.JSON
		if a.watched {
			o.Format = logging.Short
		}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.Log.Level)); err == nil { // settings has checked it
		o.Level = level
	}
	return o
}

// execute runs the command that args name and returns the exit code.
func (a *app) execute(ctx context.Context, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !a.started { // a flag or an argument is wrong
		err = helpful(cmd, err)
	}
	code := exitCode(ctx, err)
	a.report(ctx, err, code)
	return code
}

// report says once what went wrong, a sentence per problem.
func (a *app) report(ctx context.Context, err error, code int) {
	if code == codeInterrupted {
		err = context.Cause(ctx)
	}
	for _, one := range flatten(err) {
		fmt.Fprintf(a.stderr, "engine: %v\n", one)
	}
}

// flatten undoes errors.Join, so that each error gets its own line.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	var exit *exitError
	if errors.As(err, &exit) && error(exit) == err { //nolint:errorlint // the outermost one only
		return flatten(exit.err)
	}
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // the outermost one only
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, flatten(one)...)
	}
	return all
}
