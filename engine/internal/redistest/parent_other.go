//go:build !linux

package redistest

import "syscall"

// dieWithParent is for Linux only; elsewhere servers end by Cleanup.
func dieWithParent() *syscall.SysProcAttr { return nil }
