//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the file for this process, unless another one has it. Closing
// the file, or the end of the process, gives it back.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}
