package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/host"
)

func newPluginsLogsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs INSTANCE",
		Short: "Show what an instance has logged, and how it fell",
		Long: `Show what an instance has logged and printed, and the report of each fall: how
the process ended, its last words, and how often it was started again. The lines
are those of every engine with the same data_dir; up to 4 MiB are kept for each
instance. Secrets are hidden, and CUPS and NIFs masked, as in the engine's log.

Where data_dir cannot be written to, as in a container with a read-only root,
nothing is kept: look for the instance in the engine's own log, which has the
same lines.`,
		Example: `  engine plugins logs parquet
  engine plugins logs north --since 2h --follow
  engine plugins logs north --output json | jq 'select(.level == "ERROR")'`,
		Args: cobra.ExactArgs(1),
	}
	p := a.outputFlag(cmd)
	follow := cmd.Flags().BoolP("follow", "f", false, "go on with what is logged from now on")
	since := cmd.Flags().String("since", "", "leave out what is older: a `time` such as 2h or 2026-11-23T02:00:00Z")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		oldest, err := parseSince(*since, time.Now())
		if err != nil {
			return wrongUsage(err)
		}
		l := &pluginLog{out: a.stdout, json: p.format == "json", since: oldest, path: host.JournalPath(pluginStateDir(s), args[0])}
		err = l.print()
		if errors.Is(err, fs.ErrNotExist) && !*follow {
			return noLog(cmd.Context(), s.Plugins.ConfigDir, host.New(a.hostConfig(s)), args[0], l.path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read the log of %s: %w", args[0], err)
		}
		if *follow {
			return l.follow(cmd.Context())
		}
		return nil
	}
	return cmd
}

// noLog says why there is nothing to show.
func noLog(ctx context.Context, configDir string, h *host.Host, name, path string) error {
	instances, _ := h.Survey(ctx)
	for _, in := range instances {
		if in.Name == name {
			return fmt.Errorf("nothing is kept of %s in %s: it has not run with this data_dir, or that could not be written to; the engine's own log has its lines, with instance=%s", name, path, name)
		}
	}
	return fmt.Errorf("there is no log of an instance %q, and %s/config_%s.json does not exist; `engine plugins list` shows the instances", name, configDir, name)
}

// parseSince reads a duration before now, or a time; "" is the beginning.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d.Abs()), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--since %s is no time; write it as 2h, or as 2026-11-23T02:00:00Z", text)
	}
	return at, nil
}

// pluginLog shows an instance's log.
type pluginLog struct {
	out   io.Writer
	json  bool
	since time.Time
	path  string

	offset int64       // of the file up to which it was shown
	shown  os.FileInfo // the file
}

// print shows what is there: the file that was set aside, then the newest.
func (l *pluginLog) print() error {
	older := l.older()
	newer := l.more()
	if errors.Is(older, fs.ErrNotExist) {
		return newer
	}
	return older
}

func (l *pluginLog) older() error {
	file, err := os.Open(l.path + ".1")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = l.copy(file)
	return err
}

// more shows what was added since the last time.
func (l *pluginLog) more() error {
	file, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if l.shown != nil && !os.SameFile(l.shown, info) { // the one that was shown has been set aside
		if err := l.rest(); err != nil {
			return err
		}
		l.offset = 0
	}
	l.shown = info
	if _, err := file.Seek(l.offset, io.SeekStart); err != nil {
		return err
	}
	n, err := l.copy(file)
	l.offset += n
	return err
}

// rest shows the end of a file that was set aside meanwhile.
func (l *pluginLog) rest() error {
	file, err := os.Open(l.path + ".1")
	if err != nil {
		return nil //nolint:nilerr // it was set aside twice: what it held is gone
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || !os.SameFile(info, l.shown) {
		return err
	}
	if _, err := file.Seek(l.offset, io.SeekStart); err != nil {
		return err
	}
	_, err = l.copy(file)
	return err
}

// copy shows whole lines, and returns their bytes.
func (l *pluginLog) copy(r io.Reader) (int64, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	var read int64
	for {
		line, err := buffered.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return read, nil // the rest of the line is still to come
		}
		if err != nil {
			return read, err
		}
		read += int64(len(line))
		if err := l.show(bytes.TrimRight(line, "\n")); err != nil {
			return read, err
		}
	}
}

func (l *pluginLog) show(line []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		return nil //nolint:nilerr // torn by a full disk or a power cut
	}
	at, _ := fields["time"].(string)
	if t, err := time.Parse(time.RFC3339Nano, at); err == nil && t.Before(l.since) {
		return nil
	}
	if l.json {
		_, err := fmt.Fprintf(l.out, "%s\n", line)
		return err
	}
	_, err := io.WriteString(l.out, readable(fields))
	return err
}

// readable is a log line for people. What has lines of its own stands below.
func readable(fields map[string]any) string {
	at, _ := fields["time"].(string)
	if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
		at = t.Format("2006-01-02 15:04:05.000")
	}
	text := &strings.Builder{}
	fmt.Fprintf(text, "%s %-5v %v", at, fields["level"], fields["msg"])
	below := &strings.Builder{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch value := fields[name]; name {
		case "time", "level", "msg", "plugin", "instance":
		case "stack":
			fmt.Fprintf(below, "    %s\n", strings.ReplaceAll(fmt.Sprint(value), "\n", "\n    "))
		case "last":
			lines, _ := value.([]any)
			for _, line := range lines {
				fmt.Fprintf(below, "    last: %v\n", line)
			}
		default:
			fmt.Fprintf(text, " %s=%v", name, value)
		}
	}
	return strings.ReplaceAll(text.String(), "\n", " ") + "\n" + below.String()
}

// followInterval is how often the file is looked at for more.
const followInterval = 250 * time.Millisecond

func (l *pluginLog) follow(ctx context.Context) error {
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
		if err := l.more(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}
