package host

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const (
	// maxJournal is the size in bytes at which a journal is set aside; one that
	// was set aside is kept, so that an instance takes up to twice as much.
	maxJournal = 2 << 20
	setAside   = ".1"
)

// JournalPath is where an instance's journal lies: what the plugin logged, and
// its falls. Older lines are in the same path with ".1" at its end.
func JournalPath(stateDir, instance string) string {
	return filepath.Join(stateDir, "logs", instance+".log")
}

// journal is a file of log lines that does not grow for ever. Several engines
// may write to the same.
type journal struct {
	path string

	mu   sync.Mutex
	file *os.File
}

var _ io.WriteCloser = (*journal)(nil)

func openJournal(path string) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	j := &journal{path: path}
	return j, j.open()
}

func (j *journal) open() error {
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	j.file = file
	return nil
}

// Write appends one line. Lines are lost where the disk is full: a plugin must
// not stop for its log.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return 0, os.ErrClosed
	}
	if err := j.turn(); err != nil {
		return 0, fmt.Errorf("turn over the log of a plugin: %w", err)
	}
	return j.file.Write(line)
}

// turn sets a full journal aside, unless another engine has done so.
func (j *journal) turn() error {
	mine, err := j.file.Stat()
	if err != nil || mine.Size() < maxJournal {
		return err
	}
	if err := syscall.Flock(int(j.file.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if named, err := os.Stat(j.path); err == nil && os.SameFile(mine, named) {
		if err := os.Rename(j.path, j.path+setAside); err != nil {
			return err
		}
	}
	full := j.file
	err = j.open()
	_ = full.Close() // and with it the lock
	return err
}

// Close implements io.Closer.
func (j *journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
