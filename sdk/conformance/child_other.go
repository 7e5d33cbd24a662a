//go:build !unix

package conformance

import (
	"os"
	"syscall"
)

func childAttributes() *syscall.SysProcAttr { return nil }

func descendants(int) []int { return nil }

func alive(int) bool { return false }

func residentSize(int) int64 { return 0 }

func signalGroup(pid int, s syscall.Signal) { signalOne(pid, s) }

// signalOne ends the process, which is all that this system can do to it.
func signalOne(pid int, _ syscall.Signal) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func groupAlive(int) bool { return false }
