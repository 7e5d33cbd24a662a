//go:build unix

package kafkatest

import "syscall"

// ownGroup keeps a process out of the terminal's group, whose signals are for
// the tests.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
