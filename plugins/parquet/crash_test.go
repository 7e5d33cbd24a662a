//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

// The environment of a process that TestCrash starts and that kills itself.
const (
	crashDir  = "PARQUET_TEST_DIR"
	crashStep = "PARQUET_TEST_STEP"
)

// crashSteps is how many steps the two batches take: two files of a chunk and
// three of the supplies, each of them created and then renamed.
const crashSteps = 2 * (2 + 3)

func crashBatch(revision uint32) []sdk.Chunk {
	return []sdk.Chunk{monthOf(cups1, "2026-03", revision, sdk.EnergyHourly)}
}

// TestCrashing is the process that is killed: at its n-th step, a step being
// the creation of a temporary file or the renaming of one.
func TestCrashing(t *testing.T) {
	dir, at := os.Getenv(crashDir), os.Getenv(crashStep)
	if dir == "" {
		t.Skip("is started by TestCrash")
	}
	last, err := strconv.Atoi(at)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHarmonizer(t.Context(), sdk.Instance{Dir: filepath.Dir(dir)}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var steps atomic.Int64
	step := func() {
		if int(steps.Add(1)) == last {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}
	h.disk.create = func(path string) (*os.File, error) {
		f, err := osDisk().create(path)
		step() // the file is there, and empty
		return f, err
	}
	h.disk.rename = func(from, to string) error {
		step()
		return os.Rename(from, to)
	}
	if _, err := h.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Items: crashBatch(2)}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.HarmonizeSupplies(t.Context(), sdk.Batch[sdk.Supply]{Items: []sdk.Supply{supplyOf(cups2, 2)}}); err != nil {
		t.Fatal(err)
	}
}

// TestCrash kills the process at each step of two batches. Afterwards every
// file is whole, old or new; the next start leaves no temporary file; and the
// batches, handed over again, bring everything up to date.
func TestCrash(t *testing.T) {
	t.Parallel()
	for step := 1; step <= crashSteps+1; step++ {
		t.Run(strconv.Itoa(step), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{})
			w.write(crashBatch(1))
			w.writeSupplies([]sdk.Supply{supplyOf(cups1, 1)})
			files := w.files()
			if killed := w.crash(step); killed != (step <= crashSteps) {
				t.Fatalf("killed: %v", killed)
			}
			for _, format := range formats {
				if got := w.revisionOf(format); got != 1 && got != 2 {
					t.Errorf("%s is half a file", format)
				}
			}
			w.checkSupplies()
			w.restart()
			if got := w.files(); !slices.Equal(got, files) {
				t.Errorf("after the restart there are %q, want %q", got, files)
			}
			w.write(crashBatch(2))
			w.writeSupplies([]sdk.Supply{supplyOf(cups2, 2)})
			if got := w.revisionOf(formats...); got != 2 {
				t.Errorf("revision %d is there in the end", got)
			}
			if got := strings.Count(w.read("north/supplies.csv"), "\n"); got != 3 {
				t.Errorf("the supplies have %d lines in the end, want 3", got)
			}
		})
	}
}

// crash has another process write into the folder until it is killed at a step,
// and tells whether that happened.
func (w *world) crash(step int) bool {
	w.Helper()
	program, err := os.Executable()
	if err != nil {
		w.Fatal(err)
	}
	cmd := exec.CommandContext(w.Context(), program, "-test.run=^TestCrashing$")
	cmd.Env = append(os.Environ(), crashDir+"="+w.dir, crashStep+"="+strconv.Itoa(step))
	output, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		w.Fatalf("%v\n%s", err, output)
	}
	return true
}
