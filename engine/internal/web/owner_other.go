//go:build !unix

package web

import "io/fs"

// ownedByUser is not told by the files of this system: folders of temporary
// files are private there.
func ownedByUser(fs.FileInfo) bool { return true }
