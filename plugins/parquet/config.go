package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// Config is what config_<instance>.json may say besides "plugin".
type Config struct {
	Dir     string   `json:"dir" doc:"The folder to write into; made if it is missing. A relative path starts at the folder of this configuration." default:"out" example:"out"`
	Sources []string `json:"sources" doc:"The sources whose data is written. Without it: all." example:"[\"north\"]"`
	Formats []string `json:"formats" doc:"parquet, csv, or both." default:"[\"parquet\",\"csv\"]" example:"[\"parquet\",\"csv\"]"`
}

const (
	defaultDir    = "out"
	parquetFormat = "parquet"
	csvFormat     = "csv"
)

var (
	// CSV comes first: the Parquet file, put in its place last, then says that
	// both are there.
	formats    = []string{csvFormat, parquetFormat}
	sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
)

// dir is the folder to write into.
func (c Config) dir(in sdk.Instance) string {
	return filepath.Clean(in.Path(cmp.Or(c.Dir, defaultDir)))
}

// writes tells whether files of a format are wanted.
func (c Config) writes(format string) bool {
	return len(c.Formats) == 0 || slices.Contains(c.Formats, format)
}

// takes tells whether a source's data is wanted.
func (c Config) takes(source string) bool {
	return len(c.Sources) == 0 || slices.Contains(c.Sources, source)
}

// check finds everything that is wrong with the configuration. It makes
// nothing.
func (c Config) check(in sdk.Instance) []sdk.Problem {
	var problems []sdk.Problem
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if info, err := os.Stat(c.dir(in)); err == nil && !info.IsDir() {
		report("/dir", "%s is a file; name a folder", c.dir(in))
	}
	for i, source := range c.Sources {
		if !sourceName.MatchString(source) {
			report(fmt.Sprintf("/sources/%d", i), "%q is no name of a source: use small letters, digits, dashes and underscores", source)
		}
	}
	for i, format := range c.Formats {
		if !slices.Contains(formats, format) {
			report(fmt.Sprintf("/formats/%d", i), "%q is not known here; write %s", format, strings.Join(formats, " or "))
		}
	}
	return problems
}
