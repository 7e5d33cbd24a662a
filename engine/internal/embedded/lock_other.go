//go:build !unix

package embedded

import (
	"errors"
	"os"
)

// lockFile is for systems with file locks of the Unix kind only.
func lockFile(string) (*os.File, error) {
	return nil, errors.New("the embedded broker needs Linux or macOS")
}
