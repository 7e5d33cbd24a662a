package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// niceThread steps the calling thread back, and all that it starts.
func (l Limits) niceThread() error {
	if l.Nice == 0 {
		return nil
	}
	return syscall.Setpriority(syscall.PRIO_PROCESS, 0, l.Nice)
}

// apply limits a process that has just been started: it has no more than begun
// to load.
func (l Limits) apply(pid int) error {
	set := func(name string, resource int, value uint64) error {
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: value}, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("limit %s: %w", name, err)
		}
		return nil
	}
	failures := []error{set("core", unix.RLIMIT_CORE, 0)}
	if l.AddressSpace > 0 {
		failures = append(failures, set("address_space", unix.RLIMIT_AS, uint64(l.AddressSpace)))
	}
	if l.OpenFiles > 0 {
		failures = append(failures, set("open_files", unix.RLIMIT_NOFILE, uint64(l.OpenFiles)))
	}
	return errors.Join(failures...)
}

// oomKills counts the processes that the kernel has ended because memory ran
// out, on the machine or in any container of it; -1 where that is not told.
func oomKills() int64 {
	text, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return -1
	}
	_, after, ok := strings.Cut(string(text), "\noom_kill ")
	if !ok {
		return -1
	}
	digits, _, _ := strings.Cut(after, "\n")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
