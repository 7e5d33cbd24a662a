package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// lockName is the file by which processes that write into one folder take
// turns.
const lockName = ".lock"

// lock waits until no other process works on the folder. The returned function
// ends this process's turn.
func (h *harmonizer) lock(ctx context.Context) (func(), error) {
	f, err := os.OpenFile(filepath.Join(h.root, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if errors.Is(err, fs.ErrNotExist) { // somebody moved the folder away
		if err = os.MkdirAll(h.root, 0o755); err == nil {
			f, err = os.OpenFile(filepath.Join(h.root, lockName), os.O_RDWR|os.O_CREATE, 0o644)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", cause(err))
	}
	retry := time.NewTicker(lockInterval)
	defer retry.Stop()
	for {
		locked, err := tryLock(f)
		if locked {
			return func() { _ = f.Close() }, nil // nothing was written to it
		}
		if err != nil {
			return nil, fmt.Errorf("taking the lock: %w", errors.Join(err, f.Close()))
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
	}
}

// lockInterval is how often a lock that another process has is asked for. That
// process writes a batch, which takes a fraction of a second.
const lockInterval = 20 * time.Millisecond

// diskRetry is when a full disk is tried again.
const diskRetry = time.Minute

// failed tells the engine what to do about an error.
func (h *harmonizer) failed(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var told *sdk.Error
	if errors.As(err, &told) {
		return err
	}
	err = fmt.Errorf("%s: %w", h.root, err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return sdk.Later(fmt.Errorf("the disk is full: %w", err), diskRetry)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return sdk.Stop(fmt.Errorf("the folder cannot be written to: %w", err))
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return sdk.Stop(fmt.Errorf("something else is where a folder or a file should be: %w", err))
	}
	return sdk.Later(err, 0)
}

// cause takes the path off an error of the file system: a CUPS in it is personal
// data, and must not get into logs.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
