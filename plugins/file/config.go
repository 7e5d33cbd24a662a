package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// Config is what config_<instance>.json may say besides "plugin".
type Config struct {
	Path    string            `json:"path" doc:"The file of users, CSV or JSON. A relative path starts at the folder of this configuration." example:"users.csv" required:"true"`
	Topic   string            `json:"topic" doc:"Kafka topic of the time series. Without it: datadis.<instance>." example:"datadis.north"`
	Tables  []string          `json:"tables" doc:"Tables that readers of the topic store rows in; {prop} and {freq} are filled in." default:"[\"datadis:raw_datadis_ts_{prop}_{freq}\"]" example:"[\"datadis:raw_datadis_ts_{prop}_{freq}\"]"`
	RowKeys [][]string        `json:"row_keys" doc:"For each table, the fields of a row that make its key. Without it: cups and timestamp." example:"[[\"cups\",\"timestamp\"]]"`
	Extra   map[string]string `json:"extra" doc:"Constant fields added to each row; {cups}, {prop} and {freq} are filled in." example:"{\"project\":\"north\"}"`
}

const defaultTable = "datadis:raw_datadis_ts_{prop}_{freq}"

var (
	topicName   = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	inTables    = []string{"{prop}", "{freq}"}
	inExtra     = []string{"{cups}", "{prop}", "{freq}"}
	defaultKey  = []string{"cups", "timestamp"}
)

// maxFileBytes bounds what a mistaken path can cost.
const maxFileBytes = 256 << 20

// route is where the instance's time series go, with the defaults filled in.
func (c Config) route(instance string) sdk.Route {
	r := sdk.Route{
		Topic:   cmp.Or(c.Topic, "datadis."+instance),
		Tables:  c.Tables,
		RowKeys: c.RowKeys,
		Extra:   c.Extra,
	}
	if len(r.Tables) == 0 {
		r.Tables = []string{defaultTable}
	}
	if len(r.RowKeys) == 0 {
		for range r.Tables {
			r.RowKeys = append(r.RowKeys, defaultKey)
		}
	}
	return r
}

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
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if c.Path == "" {
		report("/path", "is missing; name the CSV or JSON file of users")
	}
	r := c.route(instance)
	if !topicName.MatchString(r.Topic) || r.Topic == "." || r.Topic == ".." {
		report("/topic", "%q is no name of a Kafka topic: use up to 249 letters, digits, dots, dashes and underscores", r.Topic)
	}
	for i, table := range r.Tables {
		if unknown := unknownPlaceholder(table, inTables); unknown != "" {
			report(fmt.Sprintf("/tables/%d", i), "%s is not filled in here; known are %s", unknown, strings.Join(inTables, " and "))
		}
	}
	if len(r.RowKeys) != len(r.Tables) {
		report("/row_keys", "has %d entries for %d tables; write one list of fields for each table", len(r.RowKeys), len(r.Tables))
	}
	for i, key := range r.RowKeys {
		if len(key) == 0 || slices.Contains(key, "") {
			report(fmt.Sprintf("/row_keys/%d", i), "needs the names of the fields that make the key")
		}
	}
	for _, field := range slices.Sorted(maps.Keys(r.Extra)) {
		if unknown := unknownPlaceholder(r.Extra[field], inExtra); unknown != "" {
			report("/extra/"+escapePointer(field), "%s is not filled in here; known are %s", unknown, strings.Join(inExtra, ", "))
		}
	}
	return problems
}

// unknownPlaceholder is the first {word} of a template that nobody fills in.
func unknownPlaceholder(template string, known []string) string {
	for _, found := range placeholder.FindAllString(template, -1) {
		if !slices.Contains(known, found) {
			return found
		}
	}
	return ""
}

// escapePointer writes a key as a step of a JSON pointer.
func escapePointer(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
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
