package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// The socket of local mode.
const (
	socketName = "engine.sock"
	// maxSocket is how long the path of a socket may be on every system, with
	// room for the name it is made under.
	maxSocket    = 104 - len(socketName) - 1
	socketAnswer = 2 * time.Second
)

// SocketPath is where the process that works on a data folder listens for the
// other commands: in the folder, or, where its path is too long for a socket, in
// a folder of this user's among the temporary files.
func SocketPath(dataDir string) (string, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("find the socket of %s: %w", dataDir, err)
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real // however the folder is named, it is the same
	}
	if path := filepath.Join(dir, socketName); len(path) <= maxSocket {
		return path, nil
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(os.TempDir(), fmt.Sprintf("datadis-%d-%s", os.Getuid(), hex.EncodeToString(sum[:6])), socketName), nil
}

// ServeSocket serves on the socket of a data folder, which only this user can
// open. A socket that a dead process left behind is replaced; one that answers
// is ErrBusy.
func ServeSocket(ctx context.Context, dataDir string, h http.Handler, log *slog.Logger) (*Server, error) {
	path, err := SocketPath(dataDir)
	if err != nil {
		return nil, err
	}
	if err := ownFolder(filepath.Dir(path), dataDir); err != nil {
		return nil, err
	}
	if conn, err := net.DialTimeout("unix", path, socketAnswer); err == nil {
		_ = conn.Close() // it was only to see
		return nil, fmt.Errorf("socket %s: %w", path, ErrBusy)
	}
	l, err := listenPrivately(path)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	mine, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("socket %s: %w", path, err), l.Close())
	}
	s := Serve(ctx, l, h, log)
	s.where = path
	s.after = func() error { return removeIfSame(path, mine) }
	return s, nil
}

// listenPrivately makes the socket beside its place, sets who may open it, and
// only then puts it there: nobody can open it in between, and a stale one is
// replaced in the same step.
func listenPrivately(path string) (net.Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// ownFolder makes the folder of the socket. Among the temporary files somebody
// else may have been there first.
func ownFolder(dir, dataDir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the socket: %w", err)
	}
	if abs, err := filepath.Abs(dataDir); err == nil && abs == dir {
		return nil
	}
	return checkOwner(dir)
}

// checkOwner refuses a folder in which others could put a socket.
func checkOwner(dir string) error {
	if real, err := filepath.EvalSymlinks(filepath.Dir(dir)); err == nil {
		dir = filepath.Join(real, filepath.Base(dir))
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at the folder of the socket: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !ownedByUser(info) {
		return fmt.Errorf("%s is not a folder that only this user can write to; remove it, or use a data_dir with a shorter path", dir)
	}
	return nil
}

func removeIfSame(path string, mine fs.FileInfo) error {
	now, err := os.Lstat(path)
	if err != nil || !os.SameFile(now, mine) {
		return nil // somebody else's by now
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket: %w", err)
	}
	return nil
}
