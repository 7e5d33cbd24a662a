package servertest

import "syscall"

// dieWithParent makes a process end with the test binary even where that is
// killed and cleans nothing up.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
