//go:build !linux

package main

import "syscall"

// keepPrivate keeps the memory of this process out of core files.
func keepPrivate() {
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}
