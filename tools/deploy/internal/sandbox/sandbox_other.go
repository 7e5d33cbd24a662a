//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"os/exec"
)

// Spec, Overlay and Mount are those of Linux.
type (
	// Spec is what to run.
	Spec struct {
		Root         string
		Overlay      *Overlay
		ReadOnlyRoot bool
		Mounts       []Mount
		Dir          string
		UID, GID     int
		Groups       []int
		Env, Args    []string
	}
	// Overlay is a file system over another.
	Overlay struct{ Lower, Upper, Work string }
	// Mount is a folder that is put into the root file system.
	Mount struct {
		Source, Target string
		ReadOnly       bool
	}
)

var errLinux = errors.New("only Linux has what it takes")

// Main does nothing here.
func Main() {}

// Command fails here.
func Command(context.Context, Spec) (*exec.Cmd, error) { return nil, errLinux }

// Possible tells that nothing can be run here.
func Possible() error { return errLinux }
