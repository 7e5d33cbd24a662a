//go:build !unix

package kafkatest

import "syscall"

// ownGroup is for Unix only.
func ownGroup() *syscall.SysProcAttr { return nil }
