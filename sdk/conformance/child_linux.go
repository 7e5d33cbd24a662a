package conformance

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// childAttributes put the process into a group of its own, and let the kernel
// end it with the thread that started it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// descendants lists the processes that a process has started, and those that
// they have.
func descendants(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := make(map[int][]int)
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if fields := stat(child); len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1]) // the kernel writes a number
			children[parent] = append(children[parent], child)
		}
	}
	var all []int
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		all = append(all, children[queue[0]]...)
		queue = append(queue, children[queue[0]]...)
	}
	return all
}

// alive tells whether a process is there, and not merely waiting to be reaped.
func alive(pid int) bool {
	fields := stat(pid)
	return len(fields) > 0 && fields[0] != "Z" && fields[0] != "X"
}

// stat is /proc/<pid>/stat from the state on.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, after, _ := strings.Cut(string(text), ") ") // a name may hold spaces
	return strings.Fields(after)
}

// residentSize is how much memory a process holds, in bytes.
func residentSize(pid int) int64 {
	const pagesField = 21 // of stat from the state on
	fields := stat(pid)
	if len(fields) <= pagesField {
		return 0
	}
	pages, err := strconv.ParseInt(fields[pagesField], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
