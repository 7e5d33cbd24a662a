package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/datadis-engine/datadis/plugins/internal/route"
	"github.com/datadis-engine/datadis/sdk"
)

// Config is what config_<instance>.json may say besides "plugin".
type Config struct {
	Path string `json:"path" doc:"The file of users, CSV or JSON. A relative path starts at the folder of this configuration." example:"users.csv" required:"true"`
	route.Config
}

// maxFileBytes bounds what a mistaken path can cost.
const maxFileBytes = 256 << 20

// check finds everything that is wrong with the configuration and with the file
// that it names.
func check(ctx context.Context, in sdk.Instance, c Config) []sdk.Problem {
	problems := c.check(in.Name)
	if c.Path != "" {
		for _, err := range checkFile(ctx, in.Path(c.Path)) {
			problems = append(problems, sdk.Problem{Path: "/path", Message: err.Error()})
		}
	}
	return problems
}

// check finds everything that is wrong with the configuration itself.
func (c Config) check(instance string) []sdk.Problem {
	var problems []sdk.Problem
	if c.Path == "" {
		problems = append(problems, sdk.Problem{Path: "/path", Message: "is missing; name the CSV or JSON file of users"})
	}
	return append(problems, c.Check(instance)...)
}

// open opens the file of users and tells what it is like. Its errors are
// sentences that start with the file's name.
func open(path string) (*os.File, os.FileInfo, error) {
	name := filepath.Base(path)
	info, err := os.Stat(path) // before opening it: that would wait for a pipe's writer
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("%s: there is no such file in %s: %w", name, filepath.Dir(path), os.ErrNotExist)
	case err != nil:
		err = fmt.Errorf("%s: looking at the file: %w", name, plain(err))
	case info.IsDir():
		err = fmt.Errorf("%s: is a folder; name the file in it", name)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s: is no regular file", name)
	case info.Size() > maxFileBytes:
		err = fmt.Errorf("%s: has %d MiB, more than the %d MiB that a file of users may have", name, info.Size()>>20, maxFileBytes>>20)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: opening the file: %w", name, plain(err))
	}
	return f, info, nil
}

// plain takes the path off an error that already names the file.
func plain(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
