//go:build !linux

package host

import "syscall"

// childAttributes put the process into a group of its own. That it does not
// outlive the engine is left to its stdin, which closes.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
