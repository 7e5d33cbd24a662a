package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestMain lets the test binary play the engine, so that tests can start it as
// a process of its own; see engineProcess.
func TestMain(m *testing.M) {
	switch os.Getenv("ENGINE_TEST_AS") {
	case "engine":
		dieAt(os.Getenv("ENGINE_TEST_CRASH"))
		main()
	case "stubborn": // a command that takes no notice of the first signal
		ctx, stop := untilSignal(context.Background())
		defer stop()
		fmt.Println("started")
		<-ctx.Done()
		fmt.Println("cancelled:", context.Cause(ctx))
		select {}
	}
	os.Exit(m.Run())
}

// shell is where a test types commands.
type shell struct {
	dir     string
	environ []string
}

func newShell(t *testing.T, config string) *shell {
	t.Helper()
	s := &shell{dir: t.TempDir()}
	if config != "" {
		s.environ = append(s.environ, "CONF_FILE="+s.write(t, "config.json", config))
	} else {
		s.environ = append(s.environ, "CONF_FILE="+s.write(t, "config.json", "{}"))
	}
	return s
}

func (s *shell) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// result is what a command left.
type result struct {
	code           int
	stdout, stderr string
}

// engine runs a command line in this process.
func (s *shell) engine(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := newApp(&stdout, &stderr, s.environ)
	a.binDir = "/opt/engine"
	code := a.execute(t.Context(), args)
	return result{code, s.clean(stdout.String()), s.clean(stderr.String())}
}

// clean replaces the test's folder, whose name differs each time.
func (s *shell) clean(text string) string { return strings.ReplaceAll(text, s.dir, "DIR") }

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typed  string
		stderr string
	}{
		{"doctr", "engine: \"doctr\" is no command of engine; did you mean doctor?\n"},
		{"nothing-like-it", "engine: \"nothing-like-it\" is no command of engine\n"},
		{"secret new-kye", "engine: \"new-kye\" is no command of engine secret; did you mean new-key?\n"},
		{"version now", "engine: unknown command \"now\" for \"engine version\" (see `engine version --help`)\n"},
		{"version --outptu json", "engine: unknown flag: --outptu (see `engine version --help`)\n"},
		{"version --output yaml", "engine: invalid argument \"yaml\" for \"--output\" flag: \"yaml\" is neither table nor json (see `engine version --help`)\n"},
		{"--nope version", "engine: unknown flag: --nope (see `engine --help`)\n"},
		{"secret new-key --id 0", "engine: --id 0 is no id; use 1 to 255\n"},
		{"doctor now", "engine: \"now\" is unexpected (see `engine doctor --help`)\n"},
		{"doctor --config=a b", "engine: \"b\" is unexpected (see `engine doctor --help`)\n"},
		{"doctor --config --env", "engine: if any flags in the group [config env] are set none of the others can be; [config env] were all set (see `engine doctor --help`)\n"},
		{"-p last", "engine: -p alone is not enough; type `engine run --policy last`, or producer or consumer in the place of run\n"},
		{"-p last -l everything", "engine: -l everything is unknown; type `engine producer` or `engine consumer`\n"},
		{"--log-level loud doctor --env", "engine: --log-level: log.level: loud is none of debug, info, warn, error\n"},
		{"--config DIR/none doctor --env", "engine: --config: the configuration DIR/none cannot be read: no such file or directory\n"},
	} {
		t.Run(c.typed, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, "")
			got := s.engine(t, strings.Fields(strings.ReplaceAll(c.typed, "DIR", s.dir))...)
			if want := (result{codeUsage, "", c.stderr}); got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestWithoutACommandTheHelpIsOnStderr(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"", "secret"} {
		got := newShell(t, "").engine(t, strings.Fields(typed)...)
		if got.code != codeUsage || got.stdout != "" || !strings.Contains(got.stderr, "Usage:") {
			t.Errorf("engine %s: %+v", typed, got)
		}
	}
}

func TestHelpIsAResult(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"--help", "help", "help secret", "doctor --help", "completion bash"} {
		got := newShell(t, "").engine(t, strings.Fields(typed)...)
		if got.code != codeDone || got.stderr != "" || got.stdout == "" {
			t.Errorf("engine %s: %+v", typed, got)
		}
	}
}

func TestCommandsAreDescribedAndNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, cmd := range newRoot(newApp(io.Discard, io.Discard, nil)).Commands() {
		if seen[cmd.Name()] {
			t.Errorf("%s is there twice", cmd.Name())
		}
		if seen[cmd.Name()] = true; cmd.Short == "" {
			t.Errorf("%s is not described", cmd.Name())
		}
	}
}

func TestWarningsAreShownOnce(t *testing.T) {
	t.Parallel()
	s := newShell(t, "")
	s.environ = append(s.environ, "DATADIS_BASE_URL=https://x")
	got := s.engine(t, "doctor", "--config")
	want := "engine: warning: DATADIS_BASE_URL: is no setting and was ignored; did you mean DATADIS_DATADIS_BASE_URL?\n"
	if got.code != codeDone || got.stderr != want {
		t.Errorf("got %+v", got)
	}
}

// withProducer is a tree of commands whose producer only says how it was called.
func withProducer(a *app, there bool) *cobra.Command {
	root := newRoot(a)
	for _, cmd := range root.Commands() {
		if cmd.Name() == "producer" {
			root.RemoveCommand(cmd)
		}
	}
	if there {
		cmd := &cobra.Command{Use: "producer", RunE: func(cmd *cobra.Command, args []string) error {
			policy, _ := cmd.Flags().GetString("policy")
			fmt.Fprintln(a.stdout, "producer", policy, args, cmd.Context() != nil)
			return nil
		}}
		cmd.Flags().String("policy", "last", "")
		root.AddCommand(cmd)
	}
	return root
}

func TestOlderFlagsRunTheCommandAndSayWhatToType(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"-p repair -l producer", "-l producer -p repair"} {
		var stdout, stderr bytes.Buffer
		root := withProducer(newApp(&stdout, &stderr, nil), true)
		root.SetArgs(strings.Fields(typed))
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := stdout.String(), "producer repair [] true\n"; got != want {
			t.Errorf("engine %s ran %q, want %q", typed, got, want)
		}
		if got, want := stderr.String(), "engine: -p and -l are the older way; type `engine producer --policy repair`\n"; got != want {
			t.Errorf("engine %s said %q, want %q", typed, got, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(&interruption{signal: os.Interrupt})
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want int
	}{
		"done":                       {t.Context(), nil, codeDone},
		"failed":                     {t.Context(), errors.New("x"), codeFailed},
		"usage, wrapped":             {t.Context(), fmt.Errorf("x: %w", wrongUsage(errors.New("y"))), codeUsage},
		"strict":                     {t.Context(), strictly(errors.New("2 logins were rejected")), codeStrict},
		"drained after a signal":     {cancelled, nil, codeDone},
		"cut short by a signal":      {cancelled, fmt.Errorf("x: %w", context.Canceled), codeInterrupted},
		"the signal as the cause":    {cancelled, context.Cause(cancelled), codeInterrupted},
		"failed while a signal came": {cancelled, errors.New("x"), codeFailed},
		"cancelled without a signal": {t.Context(), context.Canceled, codeFailed},
	} {
		if got := exitCode(c.ctx, c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}

func TestEachProblemIsALine(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	a := newApp(io.Discard, &stderr, nil)
	a.report(t.Context(), wrongUsage(errors.Join(errors.New("one"), errors.Join(errors.New("two"), errors.New("three")))), codeUsage)
	a.report(t.Context(), fmt.Errorf("four: %w", errors.Join(errors.New("five"))), codeFailed)
	a.report(t.Context(), &exitError{code: codeFailed}, codeFailed)
	if got, want := stderr.String(), "engine: one\nengine: two\nengine: three\nengine: four: five\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	s := newShell(t, "")
	if got := s.engine(t, "version"); got.code != codeDone || !strings.HasPrefix(got.stdout, "engine ") || strings.Count(got.stdout, "\n") != 4 {
		t.Errorf("as text: %+v", got)
	}
	got := s.engine(t, "version", "--output", "json")
	for _, name := range []string{`"version": "`, `"commit": "`, `"go": "go1.`, `"protocol": 1`} {
		if !strings.Contains(got.stdout, name) {
			t.Errorf("as JSON, without %s: %+v", name, got)
		}
	}
}

// engineProcess starts this test binary as the engine, or what else TestMain
// knows.
func engineProcess(t *testing.T, as string, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(environ, "ENGINE_TEST_AS="+as, "GOCOVERDIR="+t.TempDir())
	t.Cleanup(func() {
		if cmd.Process != nil {
			_ = cmd.Process.Kill() // it has ended, unless the test failed
			_ = cmd.Wait()
		}
	})
	return cmd
}

func TestFirstSignalCancelsSecondExits(t *testing.T) {
	t.Parallel()
	cmd := engineProcess(t, "stubborn", nil)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, want := range []string{"started", "cancelled: interrupted by the signal terminated"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != codeInterrupted {
		t.Errorf("exit code %d (%v)", code, err)
	}
}

func TestInterruptedCommandExits130(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var stderr bytes.Buffer
	cmd := engineProcess(t, "engine", []string{"DATADIS_DATADIS_BASE_URL=http://" + silent.Addr().String(), "DATADIS_DATA_DIR=" + t.TempDir()},
		"doctor", "--timeout", "10m")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	connection, err := silent.Accept() // the doctor is waiting now
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != codeInterrupted || stderr.String() != "engine: interrupted by the signal interrupt\n" {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}
