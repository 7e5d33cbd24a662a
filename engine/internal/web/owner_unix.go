//go:build unix

package web

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByUser tells whether a file belongs to whoever runs this process.
func ownedByUser(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}
