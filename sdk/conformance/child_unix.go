//go:build unix && !linux

package conformance

import "syscall"

// childAttributes put the process into a group of its own.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// descendants are not known on this system; those in the group are ended with it.
func descendants(int) []int { return nil }

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// residentSize is not known on this system.
func residentSize(int) int64 { return 0 }
