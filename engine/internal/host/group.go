package host

import "syscall"

// signalGroup sends a signal to a process and all that it has started.
func signalGroup(pid int, s syscall.Signal) {
	_ = syscall.Kill(-pid, s) // it may be gone already
}
