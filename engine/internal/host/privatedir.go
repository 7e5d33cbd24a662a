package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	dirPattern = "dd-*"
	lockName   = "engine.lock"
	// fresh is how old a folder without a lock may be before it counts as left
	// behind: its engine may just be about to lock it.
	fresh = time.Minute
	// maxSocketPath is how long the path of a socket may be; Linux allows 108
	// bytes, other systems 104.
	maxSocketPath = 104
)

// privateDir is a folder for one process: its socket, its temporary files, its
// working directory. The lock within says that its engine lives.
type privateDir struct {
	path string
	lock *os.File
}

// newPrivateDir makes a folder whose path is short enough for a socket below
// it. The first one also removes what killed engines left behind.
func (h *Host) newPrivateDir() (*privateDir, error) {
	base := h.config.RuntimeDir
	if base == "" {
		base = os.TempDir()
	}
	h.sweep.Do(func() { sweep(base) })
	path, err := os.MkdirTemp(base, dirPattern)
	if err != nil {
		return nil, fmt.Errorf("make the plugin's private folder: %w", err)
	}
	const below = len("/plugin-dir4294967295/plugin4294967295")
	if len(path)+below > maxSocketPath {
		return nil, errors.Join(os.Remove(path),
			fmt.Errorf("the temporary folder %s is too long a path for sockets; set TMPDIR to a shorter one", base))
	}
	lock, err := os.Create(filepath.Join(path, lockName))
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the plugin's private folder: %w", err), os.RemoveAll(path))
	}
	return &privateDir{path, lock}, nil
}

func (d *privateDir) remove() error {
	return errors.Join(removeAll(d.path), d.lock.Close())
}

// removeAll removes a folder, and those in it that nobody may write to.
func removeAll(dir string) error {
	copies, _ := filepath.Glob(filepath.Join(dir, "sha256-*")) // the pattern is good
	for _, one := range copies {
		_ = os.Chmod(one, 0o700) // else RemoveAll says what is wrong
	}
	return os.RemoveAll(dir)
}

// sweep removes the folders of engines that were killed. What cannot be removed
// is somebody else's.
func sweep(base string) {
	dirs, err := filepath.Glob(filepath.Join(base, dirPattern))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		if abandoned(dir) {
			_ = removeAll(dir)
		}
	}
}

// abandoned tells whether nobody holds the folder's lock any more.
func abandoned(dir string) bool {
	lock, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return false // not ours, or about to be locked
	}
	defer func() { _ = lock.Close() }()
	info, err := lock.Stat()
	if err != nil || time.Since(info.ModTime()) < fresh {
		return false
	}
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
