package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/datadis-engine/datadis/engine/internal/pin"
)

// trust compares the plugins with the lock file, and looks at who may change
// them. What is wrong refuses a plugin if the engine is locked, else it is a
// warning.
func (h *Host) trust(list []Candidate) {
	lock, err := h.lock()
	known := openSums(h.config.StateDir)
	defer known.save()
	var all sync.WaitGroup
	for i := range list {
		c := &list[i]
		if c.Status != OK {
			continue
		}
		if err != nil {
			h.doubt(c, Unpinned, err.Error())
			continue
		}
		all.Go(func() { h.compare(c, lock, known) })
	}
	all.Wait()
}

// lock is the lock file; nil if there is none, and none is needed.
func (h *Host) lock() (*pin.File, error) {
	if h.config.Lock == "" && !h.config.Locked {
		return nil, nil
	}
	lock, err := pin.Load(h.config.Lock)
	if errors.Is(err, fs.ErrNotExist) {
		if !h.config.Locked {
			return nil, nil
		}
		return nil, fmt.Errorf("there is no lock file %s; `engine plugins lock` writes it", h.config.Lock)
	}
	return lock, err
}

// doubt notes why a plugin is not to be trusted.
func (h *Host) doubt(c *Candidate, status Status, reason string) {
	if h.config.Locked && c.Status == OK {
		c.Status, c.Reason = status, reason
		return
	}
	c.Warnings = append(c.Warnings, reason)
}

func (h *Host) compare(c *Candidate, lock *pin.File, known *sums) {
	if lock != nil {
		h.comparePin(c, lock, known)
	}
	for _, path := range []string{filepath.Dir(c.Path), c.Path} {
		if problem := changeable(path); problem != "" {
			h.doubt(c, Unsafe, problem)
			return
		}
	}
}

func (h *Host) comparePin(c *Candidate, lock *pin.File, known *sums) {
	name := filepath.Base(lock.Path)
	pinned, ok := lock.Find(c.Name)
	if !ok {
		h.doubt(c, Unpinned, fmt.Sprintf("%s has no %s for %s; if you trust it: engine plugins lock", name, c.Name, pin.Here))
		return
	}
	found, err := known.of(c.Path)
	switch {
	case err != nil:
		h.doubt(c, Unpinned, "it cannot be read: "+err.Error())
	case found != pinned.SHA256:
		h.doubt(c, Modified, fmt.Sprintf("its SHA-256 is %s, %s expects %s; if you trust it: engine plugins lock", found, name, pinned.SHA256))
	default:
		c.pinned = pinned.SHA256
	}
}

// changeable says why others than the engine's user and root could exchange
// what is at the path; "" if they cannot.
func changeable(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Sprintf("others may write to %s; chmod go-w %s", path, path)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return fmt.Sprintf("%s belongs to user %d, who could exchange it; it should be root's or the engine's own", path, owner.Uid)
	}
	return ""
}

// runnable is the file to start for a plugin: where the engine is locked, a
// private copy that was checked, which is to be released.
func (h *Host) runnable(c *Candidate) (string, *copied, error) {
	if !h.config.Locked {
		return c.Path, nil, nil
	}
	private, err := h.copyOf(c.Path, c.pinned)
	if err != nil {
		var mismatch *MismatchError
		if errors.As(err, &mismatch) {
			err = fmt.Errorf("%s: %w; it was exchanged after it was found", Modified, mismatch)
		}
		return "", nil, err
	}
	return private.path, private, nil
}
