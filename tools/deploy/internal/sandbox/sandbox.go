//go:build linux

// Package sandbox runs a process as a container runtime does: in a root file
// system of its own, with the mounts, the user and the environment it is given,
// and nothing else. Linux only, and only as root; [Possible] tells.
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Spec is what to run.
type Spec struct {
	Root         string   // the folder that becomes /
	Overlay      *Overlay // where Root is to be mounted first; nil: it is as it is
	ReadOnlyRoot bool
	Mounts       []Mount
	Dir          string // working directory within
	UID, GID     int
	Groups       []int
	Env          []string // all of it
	Args         []string // the first is a path within
}

// Overlay is a file system over another: what is written to it lies in Upper.
type Overlay struct{ Lower, Upper, Work string }

// Mount is a folder that is put into the root file system.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

// variable carries the Spec to the process that sets everything up.
const variable = "DEPLOY_SANDBOX"

// Main must be called first of all in TestMain: in a process that [Command]
// started it becomes that command, and does not return.
func Main() {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return
	}
	var spec Spec
	err := json.Unmarshal([]byte(text), &spec)
	if err == nil {
		err = spec.enter()
	}
	fmt.Fprintln(os.Stderr, "sandbox:", err)
	os.Exit(125)
}

// Command is a command that runs the Spec. When its context ends it is told to
// terminate, and killed half a minute later.
func Command(ctx context.Context, spec Spec) (*exec.Cmd, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = []string{variable + "=" + string(text)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	return cmd, nil
}

// Possible tells why nothing can be run here; nil if it can. Containers of
// build systems often allow no mounts, or none of this kind.
func Possible() error {
	if os.Getuid() != 0 {
		return errors.New("only root can mount")
	}
	dir, err := os.MkdirTemp("", "sandbox-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	trial := Spec{
		Root:    filepath.Join(dir, "root"),
		Overlay: &Overlay{Lower: "/", Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")},
		Dir:     "/", UID: 65532, GID: 65532, ReadOnlyRoot: true, Args: []string{"/bin/true"},
	}
	for _, name := range []string{trial.Root, trial.Overlay.Upper, trial.Overlay.Work} {
		if err := os.Mkdir(name, 0o755); err != nil {
			return err
		}
	}
	cmd, err := Command(context.Background(), trial)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("this system does not allow what a container runtime does: %w %s", err, out)
	}
	return nil
}

// enter turns this process into the command.
func (s Spec) enter() error {
	runtime.LockOSThread()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leave the system's mounts: %w", err)
	}
	if err := s.mountRoot(); err != nil {
		return err
	}
	mounts := append([]Mount{{Source: "/proc", Target: "/proc"}, {Source: "/dev", Target: "/dev"}}, s.Mounts...)
	for _, m := range mounts {
		if err := m.bind(s.Root); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	if s.ReadOnlyRoot {
		if err := unix.Mount("", s.Root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("make the root read-only: %w", err)
		}
	}
	if err := errors.Join(unix.Chroot(s.Root), unix.Chdir(s.Dir)); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	if err := s.become(); err != nil {
		return err
	}
	return fmt.Errorf("start %s: %w", s.Args[0], unix.Exec(s.Args[0], s.Args, s.Env))
}

func (s Spec) mountRoot() error {
	if o := s.Overlay; o != nil {
		options := "lowerdir=" + o.Lower + ",upperdir=" + o.Upper + ",workdir=" + o.Work
		if err := unix.Mount("overlay", s.Root, "overlay", 0, options); err != nil {
			return fmt.Errorf("mount the overlay: %w", err)
		}
		return nil
	}
	if err := unix.Mount(s.Root, s.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount the root: %w", err)
	}
	return nil
}

// bind puts the mount below root. Like a container runtime it makes the place
// where there is none.
func (m Mount) bind(root string) error {
	target := filepath.Join(root, m.Target)
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.Source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if !m.ReadOnly {
		return nil
	}
	return unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}

// become gives up root and every way back to it.
func (s Spec) become() error {
	if s.UID == 0 {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	for capability := uintptr(0); capability <= unix.CAP_LAST_CAP; capability++ {
		_ = unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0) // one that this kernel does not know
	}
	if err := errors.Join(unix.Setgroups(s.Groups), unix.Setgid(s.GID), unix.Setuid(s.UID)); err != nil {
		return fmt.Errorf("become user %d: %w", s.UID, err)
	}
	return nil
}
