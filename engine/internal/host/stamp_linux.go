package host

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// settled is how old a change must be for the stamp to tell it from another:
// the kernel's clock of files advances in steps of a few milliseconds.
const settled = time.Second

// stampOf differs whenever the content of a file may: the time of the last
// change of a file cannot be set. "" if that cannot be told.
func stampOf(info os.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || time.Since(time.Unix(stat.Ctim.Unix())) < settled {
		return ""
	}
	return fmt.Sprintf("%d-%d-%d-%d.%d", stat.Dev, stat.Ino, stat.Size, stat.Ctim.Sec, stat.Ctim.Nsec)
}
