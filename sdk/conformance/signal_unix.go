//go:build unix

package conformance

import "syscall"

// signalGroup sends a signal to a process and all that it has started.
func signalGroup(pid int, s syscall.Signal) {
	_ = syscall.Kill(-pid, s) // it may be gone already
}

func signalOne(pid int, s syscall.Signal) { _ = syscall.Kill(pid, s) }

// groupAlive tells whether anybody is left in the group of a process.
func groupAlive(pid int) bool { return syscall.Kill(-pid, 0) == nil }
