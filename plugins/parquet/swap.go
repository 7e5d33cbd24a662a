package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// swap replaces files, each of them whole. Every new content is on disk under a
// temporary name before the first takes its place, so that a crash leaves the
// old file or the new one, and a full disk nothing but the old ones.
type swap struct {
	root string // the folder that all files lie in
	disk disk

	mu    sync.Mutex // guards what follows: add and remove may run concurrently
	ready []staged   // in the order in which they were added
	gone  []string
}

// staged is a file that waits under a temporary name.
type staged struct{ temp, path string }

// disk is what tests take over to fill it, or to stop in mid-way.
type disk struct {
	create func(path string) (*os.File, error)
	rename func(from, to string) error
}

func osDisk() disk {
	return disk{
		create: func(path string) (*os.File, error) {
			return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		},
		rename: os.Rename,
	}
}

// tempFolder holds the temporary files of a source: on the same file system as
// the source's files, out of the way of people, and quick to look through.
const tempFolder = ".tmp"

// add writes what the file at path shall contain. Files take their places in
// the order in which one goroutine adds them.
func (s *swap) add(path string, content []byte) error {
	file := staged{temp: filepath.Join(s.tempFolderOf(path), rand.Text()), path: path}
	for _, dir := range []string{filepath.Dir(file.temp), filepath.Dir(path)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making a folder: %w", cause(err))
		}
	}
	f, err := s.disk.create(file.temp)
	if err != nil {
		return fmt.Errorf("creating a file: %w", cause(err))
	}
	s.mu.Lock()
	s.ready = append(s.ready, file)
	s.mu.Unlock()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(cause(err), cause(f.Close())); err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	return nil
}

// tempFolderOf is where a file waits: the source's folder is the first below
// the root.
func (s *swap) tempFolderOf(path string) string {
	below := strings.TrimPrefix(path, s.root+string(filepath.Separator))
	source, _, _ := strings.Cut(below, string(filepath.Separator))
	return filepath.Join(s.root, source, tempFolder)
}

// remove has commit remove the file at path, if there is one.
func (s *swap) remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = append(s.gone, path)
}

// commit puts the files in their places. It returns nil when all of that has
// reached the disk.
func (s *swap) commit() error {
	changed := map[string]bool{}
	for _, file := range s.ready {
		if err := s.disk.rename(file.temp, file.path); err != nil {
			return fmt.Errorf("putting a file in its place: %w", cause(err))
		}
		s.addFolders(changed, file.path)
	}
	for _, path := range s.gone {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing an outdated file: %w", cause(err))
		}
		s.addFolders(changed, path)
	}
	s.ready, s.gone = nil, nil
	return syncFolders(slices.Sorted(maps.Keys(changed)))
}

// addFolders adds the folders from the file's up to the root. Any of them may
// be new.
func (s *swap) addFolders(to map[string]bool, path string) {
	for dir := filepath.Dir(path); !to[dir]; dir = filepath.Dir(dir) {
		to[dir] = true
		if dir == s.root {
			return
		}
	}
}

// discard removes what was not put in its place. What it cannot remove is left
// to the next start.
func (s *swap) discard() {
	for _, file := range s.ready {
		_ = os.Remove(file.temp)
	}
	s.ready = nil
}

// syncFolders has the entries of folders written to disk, several at a time: a
// file system writes them together.
func syncFolders(dirs []string) error {
	errs := make([]error, len(dirs))
	inParallel(len(dirs), func(_, i int) { errs[i] = syncFolder(dirs[i]) })
	return errors.Join(errs...)
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // only a removal was due there
	}
	if err == nil {
		err = errors.Join(cause(f.Sync()), cause(f.Close()))
	}
	if err != nil {
		return fmt.Errorf("writing a folder: %w", cause(err))
	}
	return nil
}

// workers is how many files are written at a time. Most of the time goes into
// waiting for the disk, which takes several at once.
const workers = 8

// inParallel calls work with each number below n, on at most that many
// goroutines, and tells it which of them it runs on.
func inParallel(n int, work func(worker, i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for worker := range min(workers, n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(worker, i)
			}
		})
	}
	group.Wait()
}

// removeTemporary removes what a crash left behind.
func removeTemporary(root string) error {
	sources, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("looking for temporary files: %w", cause(err))
	}
	for _, source := range sources {
		if err := os.RemoveAll(filepath.Join(root, source.Name(), tempFolder)); err != nil && !errors.Is(err, syscall.ENOTDIR) {
			return fmt.Errorf("removing temporary files: %w", cause(err))
		}
	}
	return nil
}
