package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// TestTables compares whole files with golden ones, as CSV and as Parquet.
func TestTables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]sdk.Chunk{
		"spring":   springDay(),
		"autumn":   autumnDay(),
		"merged":   mergedDay(),
		"values":   oddValues(),
		"disorder": disorder(),
		"power":    power(),
		"reactive": reactive(),
		"empty":    chunkOf(cups1, "2026-02", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{})
			w.write([]sdk.Chunk{c})
			path := fmt.Sprintf("north/%s/%s/%s", c.Series, c.CUPS, c.Month)
			w.golden(path, name+".csv", parquetAsCSV(columnsOf(c.Series)))
			if got, want := w.files(), []string{path + ".csv", path + ".parquet"}; !slices.Equal(got, want) {
				t.Errorf("there are %q, want %q", got, want)
			}
		})
	}
}

// hours gives a chunk n hours from a time in Madrid on.
func hours(c sdk.Chunk, from string, n int) sdk.Chunk {
	start, err := time.ParseInLocation("2006-01-02 15:04", from, sdk.Madrid)
	if err != nil {
		panic(err)
	}
	for i := range n {
		c.Starts = append(c.Starts, start.Add(time.Duration(i)*time.Hour).Unix())
		c.Consumption.Set(i, sdk.Decimal{Units: int64(100 + i), Scale: 3})
	}
	return c
}

func springDay() sdk.Chunk { return hours(chunkOf(cups1, "2022-03", 1), "2022-03-27 00:00", 23) }

func autumnDay() sdk.Chunk { return hours(chunkOf(cups1, "2025-10", 1), "2025-10-26 00:00", 25) }

// mergedDay is an autumn day whose second row covers two hours.
func mergedDay() sdk.Chunk {
	c := hours(chunkOf(cups2, "2023-10", 1), "2023-10-29 00:00", 25)
	c.Starts = slices.Delete(c.Starts, 2, 3)
	c.Consumption = sdk.Column{}
	for i := range c.Starts {
		c.Spans = append(c.Spans, 3600)
		c.Flags = append(c.Flags, 0)
		c.Consumption.Set(i, sdk.Decimal{Units: 1283, Scale: 3})
	}
	c.Spans[1], c.Flags[1] = 7200, sdk.Merged|sdk.Assumed
	c.Consumption.Set(1, sdk.Decimal{Units: 2566, Scale: 3})
	return c
}

// oddValues has numbers and methods that are easily lost.
func oddValues() sdk.Chunk {
	c := hours(chunkOf(cups1, "2026-01", 1), "2026-01-01 00:00", 10)
	c.Consumption, c.MethodIndex = sdk.Column{}, nil
	for i, text := range []string{"0", "-0.5", "0.1", "0.001", "123456789.012345", "100", "1e-9"} {
		c.Consumption.Set(i, decimal(text))
	}
	c.Consumption.Close(10)
	c.Surplus.Set(9, decimal("0.000"))
	c.Generation.Set(3, decimal("7.25"))
	c.Generation.Close(10)
	c.SelfConsumption.Set(1, decimal("3"))
	c.Methods = []string{"Real", "Estimada, según perfil", `"Real"`, "=1+1", "-", "@x\ty", "+\n", " espacio", ""}
	c.MethodIndex = []uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 99}
	return c
}

// disorder is not in order, and has intervals twice.
func disorder() sdk.Chunk {
	c := chunkOf(cups1, "2026-03", 1)
	hour := func(h int) int64 { return c.Month.Start().Add(time.Duration(h) * time.Hour).Unix() }
	c.Starts = []int64{hour(3), hour(1), hour(1), hour(2), hour(2), hour(2), hour(0)}
	c.Flags = []sdk.Flags{0, 0, sdk.Duplicate, sdk.Padding, 0, sdk.Duplicate, sdk.Midnight}
	for i := range c.Starts {
		c.Consumption.Set(i, sdk.Decimal{Units: int64(i)})
	}
	return c
}

func power() sdk.Chunk {
	c := chunkOf(cups1, "2026-03", 1)
	c.Series = sdk.PowerMonthly
	for i, at := range []int{900 * 4, 900 * 40, 900 * 400} {
		c.Starts = append(c.Starts, c.Month.Start().Unix()+int64(at))
		c.Spans = append(c.Spans, 900)
		c.Periods = append(c.Periods, uint8(3-i))
		c.Peak.Set(i, sdk.Decimal{Units: int64(2544 + i), Scale: 3})
	}
	c.Flags = []sdk.Flags{0, sdk.Watts, 0}
	return c
}

func reactive() sdk.Chunk {
	c := chunkOf(cups1, "2026-03", 1)
	c.Series = sdk.ReactiveMonthly
	for i := range 6 {
		c.Starts = append(c.Starts, c.Month.Start().Unix())
		c.Spans = append(c.Spans, uint32(c.Month.End().Sub(c.Month.Start()).Seconds()))
		c.Periods = append(c.Periods, uint8(i+1))
		c.Reactive.Set(i, sdk.Decimal{Units: int64(i), Scale: 2})
	}
	return c
}

// TestChangeMonths has each hour of the months with a 23 and a 25 hour day
// once, and no gap between them.
func TestChangeMonths(t *testing.T) {
	t.Parallel()
	for month, rows := range map[string]int{"2026-03": 743, "2025-10": 745, "2024-02": 696} {
		w := newWorld(t, Config{Formats: []string{"csv"}})
		w.write([]sdk.Chunk{monthOf(cups1, month, 1, sdk.EnergyHourly)})
		lines := strings.Split(strings.TrimSuffix(w.read("north/EnergyConsumptionGridElectricity_PT1H/"+string(cups1)+"/"+month+".csv"), "\n"), "\n")[1:]
		end := ""
		for i, line := range lines {
			cells := strings.Split(line, ",")
			if i > 0 && cells[1] != end {
				t.Errorf("%s: after %s comes %s", month, end, cells[1])
			}
			end = cells[2]
		}
		if len(lines) != rows {
			t.Errorf("%s has %d rows, want %d", month, len(lines), rows)
		}
	}
}

const marchFile = "north/EnergyConsumptionGridElectricity_PT1H/" + string(cups1) + "/2026-03"

// revisionOf tells which revision the files of March hold; 0, if they do not
// agree.
func (w *world) revisionOf(formats ...string) int {
	w.Helper()
	found := 0
	for _, format := range formats {
		content := ""
		if format == csvFormat {
			content = w.read(marchFile + ".csv")
		} else {
			content = parquetAsCSV(energyColumns)(w.T, filepath.Join(w.dir, marchFile+".parquet"))
		}
		firstRow := strings.Split(strings.Split(content, "\n")[1], ",")
		revision := int(decimal(firstRow[3]).Float() / 1000)
		if found != 0 && found != revision {
			return 0
		}
		found = revision
	}
	return found
}

// TestRevisions keeps the newest revision, in every format, over restarts.
func TestRevisions(t *testing.T) {
	t.Parallel()
	march := func(revision uint32) []sdk.Chunk {
		return []sdk.Chunk{monthOf(cups1, "2026-03", revision, sdk.EnergyHourly)}
	}
	for _, formats := range [][]string{{"csv"}, {"parquet"}, {"parquet", "csv"}} {
		t.Run(strings.Join(formats, "+"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{Formats: formats})
			steps := []struct {
				revision uint32
				want     int
				reasons  []string
			}{{1, 1, nil}, {1, 1, nil}, {3, 3, nil}, {2, 3, []string{olderRevision}}, {3, 3, nil}, {4, 4, nil}, {1, 4, []string{olderRevision}}}
			for i, step := range steps {
				w.write(march(step.revision), step.reasons...)
				if got := w.revisionOf(formats...); got != step.want {
					t.Errorf("step %d: revision %d is there, want %d", i, got, step.want)
				}
				w.restart()
			}
			want := len(formats)
			if !slices.Contains(formats, "parquet") {
				want++ // the index
			}
			if files := w.files(); len(files) != want {
				t.Errorf("there is more than one version: %q", files)
			}
		})
	}
}

// TestRevisionsInOneBatch writes the newest one only.
func TestRevisionsInOneBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	var chunks []sdk.Chunk
	for _, revision := range []uint32{1, 3, 2} {
		chunks = append(chunks, monthOf(cups1, "2026-03", revision, sdk.EnergyHourly))
	}
	w.write(chunks, olderRevision)
	if got := w.revisionOf("parquet", "csv"); got != 3 {
		t.Errorf("revision %d is there, want 3", got)
	}
}

// TestFormatsChange never leaves two formats that disagree, nor lets an older
// revision in where another format held the newer one.
func TestFormatsChange(t *testing.T) {
	t.Parallel()
	march := func(revision uint32) []sdk.Chunk {
		return []sdk.Chunk{monthOf(cups1, "2026-03", revision, sdk.EnergyHourly)}
	}
	w := newWorld(t, Config{})
	w.write(march(2))
	for i, step := range []struct {
		formats  []string
		revision uint32
		want     int
		reasons  []string
	}{
		{[]string{"csv"}, 1, 2, []string{olderRevision}},
		{[]string{"csv"}, 3, 3, nil},
		{[]string{"parquet"}, 2, 0, []string{olderRevision}},
		{[]string{"parquet"}, 4, 4, nil},
		{[]string{"csv"}, 5, 5, nil},
		{[]string{"parquet", "csv"}, 5, 5, nil},
	} {
		w.config.Formats = step.formats
		w.restart()
		w.write(march(step.revision), step.reasons...)
		if step.want == 0 {
			continue // the format that is asked for has no file yet
		}
		if got := w.revisionOf(step.formats...); got != step.want {
			t.Errorf("step %d: revision %d is there, want %d", i, got, step.want)
		}
	}
}

// TestRefused writes the good items of a batch, and nothing outside of the
// folder.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Sources: []string{"north"}})
	good := monthOf(cups1, "2026-03", 1, sdk.EnergyHourly)
	chunks, reasons := []sdk.Chunk{good}, []string(nil)
	add := func(reason string, change func(*sdk.Chunk)) {
		c := monthOf(cups2, "2026-03", 1, sdk.EnergyHourly)
		change(&c)
		chunks, reasons = append(chunks, c), append(reasons, reason)
	}
	for _, cups := range []sdk.CUPS{"", ".", "..", "../../up", "ES/1", `ES\1`, "ES 1", "ES\x00", "ÉS", sdk.CUPS(strings.Repeat("A", 65))} {
		add(badCUPS, func(c *sdk.Chunk) { c.CUPS = cups })
	}
	for _, source := range []string{"", "..", "../north", "a/b", ".tmp", "North"} {
		add(badSource, func(c *sdk.Chunk) { c.Source = source })
	}
	add(otherSource, func(c *sdk.Chunk) { c.Source = "south" })
	add(unknownSeries, func(c *sdk.Chunk) { c.Series.Property = "../x" })
	add(badMonth, func(c *sdk.Chunk) { c.Month = -1 })
	add(badChunk, func(c *sdk.Chunk) { c.Spans = []uint32{1} })
	add(badChunk, func(c *sdk.Chunk) { c.Flags = []sdk.Flags{1} })
	add(badChunk, func(c *sdk.Chunk) { c.Periods = []uint8{1} })
	add(badChunk, func(c *sdk.Chunk) { c.Consumption.Scale = 19 })
	add(badChunk, func(c *sdk.Chunk) { c.Surplus.Units = make([]int64, 10_000) })
	add(badChunk, func(c *sdk.Chunk) { c.Starts[5] = 1 << 60 })
	w.write(chunks, reasons...)
	if got, want := w.files(), []string{marchFile + ".csv", marchFile + ".parquet"}; !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	entries, err := os.ReadDir(filepath.Dir(w.dir))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the folder: %v, %v", entries, err)
	}
}

// TestForeignFiles replaces what somebody damaged, whatever it is.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.write([]sdk.Chunk{monthOf(cups1, "2026-03", 9, sdk.EnergyHourly)})
	whole := w.read(marchFile + ".parquet")
	for _, content := range []string{"", "PAR1", "PAR1PAR1", whole[:len(whole)/2], whole[:len(whole)-9] + strings.Repeat("\xff", 9), strings.Repeat("\xff", 1000)} {
		if err := os.WriteFile(filepath.Join(w.dir, marchFile+".parquet"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.dir, filepath.Dir(marchFile), indexName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		w.write([]sdk.Chunk{monthOf(cups1, "2026-03", 2, sdk.EnergyHourly)})
		if got := w.revisionOf("parquet", "csv"); got != 2 {
			t.Errorf("after %.20q: revision %d is there, want 2", content, got)
		}
	}
}

// TestDiskFull loses nothing that was there, leaves nothing half-written, and
// asks for the batch again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	w := newWorld(t, Config{})
	w.write([]sdk.Chunk{monthOf(cups1, "2026-03", 1, sdk.EnergyHourly)})
	before := w.files()
	created := 0
	w.h.disk.create = func(path string) (*os.File, error) {
		if created++; created == 2 {
			return os.OpenFile("/dev/full", os.O_WRONLY, 0)
		}
		return osDisk().create(path)
	}
	_, err := w.h.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Items: []sdk.Chunk{monthOf(cups1, "2026-03", 2, sdk.EnergyHourly)}})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.Unavailable || e.After != diskRetry || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("got %v", err)
	}
	if got := w.files(); !slices.Equal(got, before) {
		t.Errorf("there are %q, were %q", got, before)
	}
	if got := w.revisionOf("parquet", "csv"); got != 1 {
		t.Errorf("revision %d is there, want 1", got)
	}
	w.h.disk = osDisk()
	w.write([]sdk.Chunk{monthOf(cups1, "2026-03", 2, sdk.EnergyHourly)})
	if got := w.revisionOf("parquet", "csv"); got != 2 {
		t.Errorf("revision %d is there, want 2", got)
	}
}

// TestFailures tells the engine what to do about each, and logs no CUPS.
func TestFailures(t *testing.T) {
	t.Parallel()
	for cause, kind := range map[error]sdk.ErrorKind{
		syscall.EACCES: sdk.Precondition, syscall.EPERM: sdk.Precondition, syscall.EROFS: sdk.Precondition,
		syscall.ENOSPC: sdk.Unavailable, syscall.EDQUOT: sdk.Unavailable, syscall.EIO: sdk.Unavailable,
		fs.ErrClosed: sdk.Unavailable,
	} {
		w := newWorld(t, Config{})
		w.h.disk.create = func(path string) (*os.File, error) {
			return nil, &fs.PathError{Op: "open", Path: path + string(cups1), Err: cause}
		}
		_, err := w.h.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{Items: []sdk.Chunk{springDay()}})
		var e *sdk.Error
		if !errors.As(err, &e) || e.Kind != kind || strings.Contains(err.Error(), string(cups1)) {
			t.Errorf("%v: got %v", cause, err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "out"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newHarmonizer(t.Context(), sdk.Instance{Dir: dir}, Config{})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.Precondition {
		t.Errorf("where a file is: got %v", err)
	}
}

// TestCancelled stops without an error of its own, and without a trace.
func TestCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.h.HarmonizeTimeSeries(ctx, sdk.Batch[sdk.Chunk]{Items: []sdk.Chunk{springDay()}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if files := w.files(); len(files) != 0 {
		t.Errorf("there are %q", files)
	}
}

// TestTurns has processes that share a folder take turns.
func TestTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	unlock, err := w.h.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*lockInterval)
	defer cancel()
	if _, err := w.h.HarmonizeTimeSeries(ctx, sdk.Batch[sdk.Chunk]{Items: []sdk.Chunk{springDay()}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("during another one's turn: got %v", err)
	}
	unlock()
	w.write([]sdk.Chunk{springDay()})
}

// TestFolderMovedAway makes it again.
func TestFolderMovedAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	w.write([]sdk.Chunk{monthOf(cups1, "2026-03", 1, sdk.EnergyHourly)})
	if got := w.revisionOf("parquet", "csv"); got != 1 {
		t.Errorf("revision %d is there, want 1", got)
	}
}

// TestCheck finds all problems at once, and makes nothing.
func TestCheck(t *testing.T) {
	t.Parallel()
	in := sdk.Instance{Dir: t.TempDir()}
	if err := os.WriteFile(in.Path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range (Config{Dir: "file", Sources: []string{"north", "../x"}, Formats: []string{"csv", "xlsx"}}).check(in) {
		got = append(got, p.Path)
	}
	if want := []string{"/dir", "/sources/1", "/formats/1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if problems := (Config{}).check(in); problems != nil {
		t.Errorf("the empty configuration: %v", problems)
	}
	if _, err := os.Stat(in.Path(defaultDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the check made the folder: %v", err)
	}
}
