package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Settings is an instance's configuration as it travels: what is secret goes
// apart, so that the rest may be shown.
type Settings struct {
	JSON    json.RawMessage       // an object; null stands in lists where a secret was
	Secrets map[string]sdk.Secret // by JSON pointer
}

// decodeConfig fills an author's struct, already holding its defaults, or says
// what is wrong with the settings. Messages never hold a value.
func decodeConfig(s *schema, settings Settings, into any) []sdk.Problem {
	tree, problem := parseObject(settings.JSON)
	if problem != nil {
		return []sdk.Problem{*problem}
	}
	for pointer, secret := range settings.Secrets {
		if err := insertAt(tree, pointer, secret.Reveal()); err != nil {
			return []sdk.Problem{{Path: pointer, Message: err.Error()}}
		}
	}
	c := &checker{}
	checked := c.check(s, tree, "")
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b sdk.Problem) int { return strings.Compare(a.Path, b.Path) })
		return c.problems
	}
	text, err := json.Marshal(checked)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return []sdk.Problem{{Message: explainDecode(err)}}
	}
	return nil
}

// explainDecode leaves out what an author's own UnmarshalText may quote.
func explainDecode(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s does not fit %s", strings.TrimLeft(wrong.Field, "."), wrong.Type)
	}
	return "a value cannot be read: " + err.Error()
}

func parseObject(text []byte) (map[string]any, *sdk.Problem) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, &sdk.Problem{Message: "not JSON: " + err.Error()}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, &sdk.Problem{Message: "something follows the JSON object"}
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return nil, &sdk.Problem{Message: "want an object, have " + article(typeName(tree))}
	}
	return object, nil
}

// checker walks a configuration along its schema and gathers the problems.
type checker struct{ problems []sdk.Problem }

func (c *checker) fail(path, format string, args ...any) {
	c.problems = append(c.problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// check returns the value with defaults filled in and durations in
// nanoseconds, as encoding/json takes them.
func (c *checker) check(s *schema, value any, path string) any {
	if s == nil || s.Type == "" {
		return value
	}
	if have := typeName(value); have != s.Type && (have != "integer" || s.Type != "number") {
		c.fail(path, "want %s, have %s", article(s.Type), article(have))
		return value
	}
	switch typed := value.(type) {
	case map[string]any:
		return c.checkObject(s, typed, path)
	case []any:
		for i, item := range typed {
			typed[i] = c.check(s.Items, item, fmt.Sprintf("%s/%d", path, i))
		}
	case string:
		return c.checkString(s, typed, path)
	}
	return value
}

func (c *checker) checkString(s *schema, value, path string) any {
	switch {
	case value == "" && s.MinLength > 0:
		c.fail(path, "is empty")
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, value):
		c.fail(path, "want one of %s", strings.Join(s.Enum, ", "))
	case s.Format == formatDuration:
		d, err := time.ParseDuration(value)
		if err != nil {
			c.fail(path, `want a duration such as "30s" or "1h30m"`)
		}
		return int64(d)
	}
	return value
}

func (c *checker) checkObject(s *schema, object map[string]any, path string) any {
	for _, name := range s.Required {
		if _, ok := object[name]; !ok && len(s.Properties[name].Default) == 0 {
			c.fail(path+"/"+escape(name), "is missing")
		}
	}
	for name, value := range object {
		property, ok := s.Properties[name]
		if !ok && s.Additional != nil {
			property = s.Additional.values
		}
		if property == nil && s.Additional != nil {
			c.fail(path+"/"+escape(name), "is not known%s", suggestion(name, s.names()))
			continue
		}
		object[name] = c.check(property, value, path+"/"+escape(name))
	}
	for name, property := range s.Properties {
		if _, ok := object[name]; !ok {
			c.fillDefault(object, name, property, path)
		}
	}
	return object
}

// fillDefault also fills the defaults within an object that is left out.
func (c *checker) fillDefault(object map[string]any, name string, property *schema, path string) {
	switch {
	case len(property.Default) > 0:
		var value any
		decoder := json.NewDecoder(bytes.NewReader(property.Default))
		decoder.UseNumber()
		if decoder.Decode(&value) == nil {
			object[name] = c.check(property, value, path+"/"+escape(name))
		}
	case property.hasDefaults():
		object[name] = c.checkObject(property, map[string]any{}, path+"/"+escape(name))
	}
}

// hasDefaults tells whether an object that is left out is not simply empty.
func (s *schema) hasDefaults() bool {
	if len(s.Required) > 0 {
		return false // it has to be written, or is not wanted
	}
	for _, property := range s.Properties {
		if len(property.Default) > 0 || property.hasDefaults() {
			return true
		}
	}
	return false
}

// typeName is what JSON Schema calls the type of a decoded value.
func typeName(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case json.Number:
		if f, ok := new(big.Float).SetString(v.String()); ok && f.IsInt() {
			return "integer"
		}
		return "number"
	default:
		return fmt.Sprintf("%T", value)
	}
}

func article(name string) string {
	switch name {
	case "null":
		return "null"
	case "array", "integer", "object":
		return "an " + name
	default:
		return "a " + name
	}
}
