package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/datadis-engine/datadis/engine/internal/pin"
)

// copies are private copies of binaries that were checked: what runs is what
// was checked, whatever happens to the file in the plugin folder meanwhile. A
// restart runs the same copy, so that an upgrade reaches only the next run.
type copies struct {
	mu    sync.Mutex
	known map[string]*copied // by name and sum
}

// copied is one of them.
type copied struct {
	path string
	sum  string
	key  string
	dir  *privateDir
	uses int
	all  *copies
}

// MismatchError is a binary that is not the one that is wanted.
type MismatchError struct {
	Path        string
	Want, Found string // SHA-256 in hex
}

// Error implements error.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s has SHA-256 %s, expected is %s", e.Path, e.Found, e.Want)
}

// copyOf is a private copy of a binary whose SHA-256 is the wanted one; "" takes
// any. It is there until everybody who asked for it has let go.
func (h *Host) copyOf(path, want string) (*copied, error) {
	h.copies.mu.Lock()
	defer h.copies.mu.Unlock()
	key := filepath.Base(path) + " " + want
	if c := h.copies.known[key]; c != nil {
		if found, _, err := pin.Sum(c.path); err != nil || found != c.sum {
			return nil, errors.Join(err, &MismatchError{c.path, c.sum, found})
		}
		c.uses++
		return c, nil
	}
	c, err := h.newCopy(path, want)
	if err != nil {
		return nil, err
	}
	if want != "" {
		c.key = key
		h.copies.known[key] = c
	}
	return c, nil
}

func (h *Host) newCopy(path, want string) (*copied, error) {
	dir, err := h.newPrivateDir()
	if err != nil {
		return nil, err
	}
	c := &copied{dir: dir, uses: 1, all: &h.copies}
	if err := c.fill(path, want); err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	return c, nil
}

// fill copies and checks in one go. The folder is named by what is in it.
func (c *copied) fill(path, want string) error {
	draft := filepath.Join(c.dir.path, "draft")
	if err := os.Mkdir(draft, 0o700); err != nil {
		return err
	}
	found, err := copyFile(path, filepath.Join(draft, filepath.Base(path)))
	if err != nil {
		return fmt.Errorf("copy the plugin: %w", err)
	}
	if want != "" && found != want {
		return &MismatchError{path, want, found}
	}
	final := filepath.Join(c.dir.path, "sha256-"+found)
	if err := errors.Join(os.Rename(draft, final), os.Chmod(final, 0o500)); err != nil {
		return err
	}
	c.sum, c.path = found, filepath.Join(final, filepath.Base(path))
	return nil
}

// copyFile copies a binary and returns the SHA-256 of what was copied. No
// process may be forked meanwhile: it would hold the file open for writing, and
// a file that somebody may write cannot be started.
func copyFile(from, to string) (string, error) {
	source, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer func() { _ = source.Close() }()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(target, hash), source)
	return hex.EncodeToString(hash.Sum(nil)), errors.Join(err, target.Close())
}

// release lets go of the copy.
func (c *copied) release() {
	if c == nil {
		return
	}
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.uses--; c.uses > 0 {
		return
	}
	delete(c.all.known, c.key)
	_ = c.dir.remove()
}
