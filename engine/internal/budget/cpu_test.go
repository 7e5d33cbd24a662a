package budget

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ownCPU is what this process has used.
func ownCPU() time.Duration {
	var self syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &self) != nil {
		return 0
	}
	return time.Duration(self.Utime.Nano() + self.Stime.Nano())
}

// cpuTime is what this process and its children have used. On a machine with
// other work to do it says more than the clock.
func cpuTime() time.Duration {
	total := ownCPU()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return total // no Linux: the children are left out
	}
	for _, entry := range entries {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", entry.Name()))
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after)
		if len(fields) < 13 || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		for _, ticks := range fields[11:13] { // utime and stime, in hundredths of a second
			if n, err := strconv.ParseInt(ticks, 10, 64); err == nil {
				total += time.Duration(n) * 10 * time.Millisecond
			}
		}
	}
	return total
}
