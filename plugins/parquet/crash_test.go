package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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

// crashBatch has two chunks and so four files.
func crashBatch(revision uint32) []sdk.Chunk {
	return []sdk.Chunk{
		monthOf(cups1, "2026-03", revision, sdk.EnergyHourly),
		monthOf(cups2, "2026-03", revision, sdk.EnergyHourly),
	}
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
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; ; step++ {
		w := newWorld(t, Config{})
		w.write(crashBatch(1))
		w.writeSupplies([]sdk.Supply{supplyOf(cups1, 1)})
		files := len(w.files())
		cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestCrashing$")
		cmd.Env = append(os.Environ(), crashDir+"="+w.dir, crashStep+"="+strconv.Itoa(step))
		output, err := cmd.CombinedOutput()
		if err == nil {
			if step < 2*(4+3) {
				t.Errorf("there were only %d steps to be killed at", step-1)
			}
			return
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: %v\n%s", step, err, output)
		}
		for _, format := range formats {
			if got := w.revisionOf(format); got != 1 && got != 2 {
				t.Errorf("step %d: %s is half a file", step, format)
			}
		}
		w.checkSupplies()
		w.restart()
		if got := w.files(); len(got) != files {
			t.Errorf("step %d: after the restart there are %q", step, got)
		}
		w.write(crashBatch(2))
		w.writeSupplies([]sdk.Supply{supplyOf(cups2, 2)})
		if got := w.revisionOf(formats...); got != 2 {
			t.Errorf("step %d: revision %d is there in the end", step, got)
		}
		if got := strings.Count(w.read("north/supplies.csv"), "\n"); got != 3 {
			t.Errorf("step %d: the supplies have %d lines in the end, want 3", step, got)
		}
	}
}

// checkSupplies makes sure that both tables of supplies are whole.
func (w *world) checkSupplies() {
	w.Helper()
	for _, content := range []string{
		w.read("north/supplies.csv"),
		parquetAsCSV(supplyColumns)(w.T, filepath.Join(w.dir, "north/supplies.parquet")),
	} {
		if rows := strings.Count(content, "\n") - 1; rows < 1 || rows > 2 || !strings.HasSuffix(content, "\n") {
			w.Errorf("half a table of supplies:\n%s", content)
		}
	}
}
