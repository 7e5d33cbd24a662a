//go:build !linux

package host

import (
	"errors"
	"syscall"
)

// niceThread does nothing: apply does it.
func (l Limits) niceThread() error { return nil }

// apply limits a process that has just been started, as far as the system lets
// another process do so.
func (l Limits) apply(pid int) error {
	var failures []error
	if l.Nice > 0 {
		failures = append(failures, syscall.Setpriority(syscall.PRIO_PGRP, pid, l.Nice))
	}
	if l.AddressSpace > 0 || l.OpenFiles > 0 {
		failures = append(failures, errors.New("address_space and open_files cannot be limited on this system"))
	}
	return errors.Join(failures...)
}

// oomKills is not told on this system.
func oomKills() int64 { return -1 }
