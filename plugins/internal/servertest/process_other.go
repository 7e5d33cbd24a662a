//go:build !linux

package servertest

import "syscall"

// dieWithParent is for Linux only; elsewhere servers end with the test.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
