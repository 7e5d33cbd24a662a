package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/settings"
)

// checkSecretFiles looks who can read the files that secrets stand in: those of
// the configuration, and those of the plugins' own.
func checkSecretFiles(ctx context.Context, a *app, s *settings.Settings) []finding {
	files := slices.Clone(s.SecretFiles())
	instances, _ := host.New(a.hostConfig(s)).Survey(ctx)
	for _, in := range instances {
		files = append(files, in.SecretFiles()...)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	var findings []finding
	for _, file := range files {
		if open := openToOthers(file); open != "" {
			findings = append(findings, finding{State: doubt, Detail: open, Remedy: "chmod o= " + file})
		}
	}
	switch {
	case len(files) == 0:
		return found(fine, "no secret stands in a file", "")
	case len(findings) == 0:
		return found(fine, fmt.Sprintf("%d, and no other user can read them", len(files)), "")
	}
	return findings
}

// openToOthers says that users who are neither the file's owner nor of its group
// can read or change it; "" if they cannot.
func openToOthers(file string) string {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return "" // it was read a moment ago; where it matters, others say so
	case info.Mode().Perm()&0o006 == 0:
		return ""
	case info.Mode().Perm()&0o002 != 0:
		return file + " holds secrets, and every user can change it"
	default:
		return file + " holds secrets, and every user can read it"
	}
}

// safeFolder refuses a folder that every user can write to: what is kept there
// could be exchanged, or a link put in the place of a file that is written. One
// that does not exist yet is made for this user alone.
func safeFolder(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at data_dir: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("data_dir: every user can write to %s, and so exchange what is kept there; chmod o-w %s, or set data_dir to a new folder in it", dir, dir)
	}
	return nil
}
