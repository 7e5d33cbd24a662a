package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	if os.Getenv("ENGINE_TEST_AS") == "private" { // says whether others may look into its memory
		keepPrivate()
		fmt.Println(unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0))
		os.Exit(0)
	}
}

func TestNobodyLooksIntoTheEngine(t *testing.T) {
	t.Parallel()
	out, err := engineProcess(t, "private", nil).Output()
	if err != nil || string(out) != "0 <nil>\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// An engine that is made to dump its core leaves none, whatever its limit was.
func TestTheEngineLeavesNoCore(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dir := t.TempDir()
	cmd := engineProcess(t, "engine", []string{"DATADIS_DATADIS_BASE_URL=http://" + silent.Addr().String(), "GOTRACEBACK=crash"}, "doctor", "--timeout", "10m")
	cmd.Dir = dir
	cmd.Args[0] = "engine"
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	connection, err := silent.Accept() // it is at work now
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok && strings.Fields(rest)[0] != "0" {
			t.Errorf("core files: %s", line)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // how is looked at below
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.CoreDump() {
		t.Errorf("it dumped its core: %v", cmd.ProcessState)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "core*")); len(left) > 0 {
		t.Errorf("core files: %v", left)
	}
}
