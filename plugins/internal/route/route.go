// Package route is the part of a source's configuration that says where its
// time series go; the same in all shipped sources.
package route

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// Config is to be embedded in a source's own.
type Config struct {
	Topic   string            `json:"topic" doc:"Kafka topic of the time series. Without it: datadis.<instance>." example:"datadis.north"`
	Tables  []string          `json:"tables" doc:"Tables that readers of the topic store rows in; {prop} and {freq} are filled in." default:"[\"datadis:raw_datadis_ts_{prop}_{freq}\"]" example:"[\"datadis:raw_datadis_ts_{prop}_{freq}\"]"`
	RowKeys [][]string        `json:"row_keys" doc:"For each table, the fields of a row that make its key. Without it: cups and timestamp." example:"[[\"cups\",\"timestamp\"]]"`
	Extra   map[string]string `json:"extra" doc:"Constant fields added to each row; {cups}, {prop} and {freq} are filled in." example:"{\"project\":\"north\"}"`
}

// DefaultTable is the table of a source that names none.
const DefaultTable = "datadis:raw_datadis_ts_{prop}_{freq}"

var (
	topicName   = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	inTables    = []string{"{prop}", "{freq}"}
	inExtra     = []string{"{cups}", "{prop}", "{freq}"}
	defaultKey  = []string{"cups", "timestamp"}
)

// Route is where the instance's time series go, with the defaults filled in.
func (c Config) Route(instance string) sdk.Route {
	r := sdk.Route{
		Topic:   cmp.Or(c.Topic, "datadis."+instance),
		Tables:  c.Tables,
		RowKeys: c.RowKeys,
		Extra:   c.Extra,
	}
	if len(r.Tables) == 0 {
		r.Tables = []string{DefaultTable}
	}
	if len(r.RowKeys) == 0 {
		for range r.Tables {
			r.RowKeys = append(r.RowKeys, defaultKey)
		}
	}
	return r
}

// Check finds everything that is wrong with it.
func (c Config) Check(instance string) []sdk.Problem {
	var problems []sdk.Problem
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	r := c.Route(instance)
	if !ValidTopic(r.Topic) {
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

// ValidTopic tells whether Kafka takes a name for a topic.
func ValidTopic(name string) bool { return topicName.MatchString(name) && name != "." && name != ".." }
