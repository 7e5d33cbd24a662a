// Package servertest starts the database servers that the tests of the plugins
// run on: real ones, each with a folder of its own, on loopback and free ports.
// It is linked into no binary.
package servertest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Required names the environment variable that lists the servers whose absence
// fails a test, instead of skipping it: "postgres,mariadb".
const Required = "DATADIS_TEST_REQUIRE"

// Missing skips a test whose server is not installed, or fails it if that
// server is required.
func Missing(t testing.TB, server, install string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv(Required), ","), server) {
		t.Fatalf("%s was not found here, and %s asks for it: %s", server, Required, install)
	}
	t.Skipf("skipped: %s is not installed (%s)", server, install)
}

// Find looks for a program in the PATH, and then in folders, which may be
// patterns. The last match, so the newest version, wins.
func Find(program string, folders ...string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	found := ""
	for _, folder := range folders {
		matches, _ := filepath.Glob(filepath.Join(folder, program)) // it fails for bad patterns only
		if len(matches) > 0 {
			found = matches[len(matches)-1]
		}
	}
	return found
}

// Owner is who a server runs as: nobody but root is changed for another user,
// since these servers refuse to run as root.
type Owner struct{ uid, gid int }

// Folder makes a folder for a server and says who is to run it. It is not below
// t.TempDir, which another user could not enter.
func Folder(name string) (string, Owner, error) {
	owner := Owner{os.Getuid(), os.Getgid()}
	if owner.uid == 0 {
		owner = Owner{65534, 65534} // nobody
	}
	dir, err := os.MkdirTemp("", "datadis-"+name+"-")
	if err != nil {
		return "", owner, err
	}
	return dir, owner, os.Chown(dir, owner.uid, owner.gid)
}

// Own makes a file the owner's alone, as keys have to be.
func (o Owner) Own(path string) error {
	return errors.Join(os.Chown(path, o.uid, o.gid), os.Chmod(path, 0o600))
}

// Run runs a program to its end, as the owner.
func (o Owner) Run(dir, path string, args ...string) error {
	cmd := o.command(dir, path, args)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(path), err, out)
	}
	return nil
}

func (o Owner) command(dir, path string, args []string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "LC_ALL=C"}
	cmd.SysProcAttr = dieWithParent()
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}
	}
	return cmd
}

// Process is a server that runs.
type Process struct {
	process *os.Process
	Ended   chan struct{} // closed when it is gone
	log     string
}

// Start starts a server, which writes into a log in dir.
func (o Owner) Start(dir, path string, args ...string) (*Process, error) {
	p := &Process{Ended: make(chan struct{}), log: filepath.Join(dir, "log")}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := o.command(dir, path, args)
	cmd.Stdout, cmd.Stderr = log, log
	started := make(chan error)
	go func() {
		// Where the process dies with its parent, the parent is this thread.
		runtime.LockOSThread()
		defer close(p.Ended)
		err := cmd.Start()
		_ = log.Close() // the process has it now
		started <- err
		if err == nil {
			_ = cmd.Wait() // how a stopped process ended is of no interest
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.process = cmd.Process
	return p, nil
}

// Stop ends the server with a signal, and waits for it.
func (p *Process) Stop(signal syscall.Signal) {
	_ = p.process.Signal(signal) // it fails only if the process is gone
	select {
	case <-p.Ended:
	case <-time.After(20 * time.Second):
		_ = p.process.Kill()
		<-p.Ended
	}
}

// Await waits until the server answers.
func (p *Process) Await(answers func() error) error {
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		err := answers()
		if err == nil {
			return nil
		}
		select {
		case <-p.Ended:
			return fmt.Errorf("the server ended:\n%s", p.Log())
		case <-deadline.C:
			p.Stop(syscall.SIGKILL)
			return fmt.Errorf("the server does not answer: %w\n%s", err, p.Log())
		case <-poll.C:
		}
	}
}

// Log is what the server wrote.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// FreePort is a port that nobody listens on now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
