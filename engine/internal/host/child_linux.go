package host

import "syscall"

// childAttributes put the process into a group of its own, and let the kernel
// end it with the thread that started it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
