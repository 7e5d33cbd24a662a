package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/pin"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func newPluginsLockCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lock [FILE...]",
		Short: "Pin the plugins as they are now: write their SHA-256 into the lock file",
		Long: `Write the SHA-256 of every plugin in the plugin folders into the lock file
(plugins.lock), for this platform. What is pinned for other platforms stays.
Binaries for other machines are pinned by naming their files.

With plugins.locked, or --locked, only what equals the lock file is started.
Keep the file under version control; --check, in CI, fails where it is not up
to date, and writes nothing.`,
		Example: `  engine plugins lock
  engine plugins lock dist/linux-arm64/datadis-plugin-acme
  engine plugins lock --check`,
	}
	p := a.outputFlag(cmd)
	check := cmd.Flags().Bool("check", false, "write nothing; exit with 1 if the lock file is not up to date")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.settings()
		if err != nil {
			return err
		}
		lock, err := pin.LoadOrNew(s.Plugins.Lock)
		if err != nil {
			return wrongUsage(err)
		}
		l := &locking{lock: lock}
		if len(args) > 0 {
			l.files(args)
		} else {
			l.folders(cmd, a, s)
		}
		if len(l.rows) == 0 && len(l.problems) == 0 {
			return fmt.Errorf("there is no plugin in %s", strings.Join(s.Plugins.Paths, ", "))
		}
		if err := printList(p, l.rows, lockColumns...); err != nil {
			return err
		}
		return l.finish(*check)
	}
	return cmd
}

// lockRow is a line of `engine plugins lock`.
type lockRow struct {
	Plugin   string     `json:"plugin"`
	Platform string     `json:"platform"`
	Version  string     `json:"version"`
	SHA256   string     `json:"sha256"`
	Change   pin.Change `json:"change"`
}

var lockColumns = []column[lockRow]{
	{"PLUGIN", func(r lockRow) string { return r.Plugin }},
	{"PLATFORM", func(r lockRow) string { return r.Platform }},
	{"VERSION", func(r lockRow) string { return r.Version }},
	{"SHA256", func(r lockRow) string { return r.SHA256 }},
	{"CHANGE", func(r lockRow) string { return string(r.Change) }},
}

// locking pins plugins, and gathers what cannot be pinned.
type locking struct {
	lock     *pin.File
	rows     []lockRow
	problems []error
}

// folders pins what is in the plugin folders and usable.
func (l *locking) folders(cmd *cobra.Command, a *app, s *settings.Settings) {
	config := a.hostConfig(s)
	config.Lock, config.Locked = "", false // what is to be trusted is decided here
	for _, c := range host.New(config).Candidates(cmd.Context()) {
		switch {
		case c.Status == host.OK:
			l.add(c.Name, c.Description.Version, c.Path)
		case c.Status != host.Ignored && c.Status != host.Shadowed:
			l.problems = append(l.problems, fmt.Errorf("%s is left out, it is %s: %s", c.Path, c.Status, c.Reason))
		}
	}
}

// files pins binaries that may be for other machines.
func (l *locking) files(paths []string) {
	for _, path := range paths {
		name, ok := strings.CutPrefix(filepath.Base(path), plugin.FilePrefix)
		if !ok {
			l.problems = append(l.problems, fmt.Errorf("%s is left out: a plugin's file is called %s<name>", path, plugin.FilePrefix))
			continue
		}
		version := ""
		if manifest, err := host.ReadManifest(path + ".json"); err == nil {
			version = manifest.Version
		}
		l.add(name, version, path)
	}
}

func (l *locking) add(name, version, path string) {
	platform, errPlatform := pin.Platform(path)
	sum, size, errSum := pin.Sum(path)
	if err := errors.Join(errPlatform, errSum); err != nil {
		l.problems = append(l.problems, fmt.Errorf("%s is left out: %w", path, err))
		return
	}
	if platform == "" {
		platform = pin.Here
	}
	change := l.lock.Set(name, platform, pin.Pin{Version: version, SHA256: sum, Size: size})
	l.rows = append(l.rows, lockRow{name, platform, version, sum, change})
}

// finish writes the lock file, or says that it would have to be written.
func (l *locking) finish(check bool) error {
	changed := slices.ContainsFunc(l.rows, func(r lockRow) bool { return r.Change != pin.Same })
	switch {
	case check && changed:
		l.problems = append(l.problems, fmt.Errorf("%s is not up to date; `engine plugins lock` writes it", l.lock.Path))
	case changed:
		if err := l.lock.Save(); err != nil {
			l.problems = append(l.problems, err)
		}
	}
	return errors.Join(l.problems...)
}
