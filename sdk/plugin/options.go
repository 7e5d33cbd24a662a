package plugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Option is a key of a plugin's configuration, for the help.
type Option struct {
	Key         string // dotted; list[] and map.* for what lies within
	Type        string
	Required    bool
	Secret      bool
	Default     string   // as JSON, "" if there is none
	Enum        []string // the values that are allowed; none: any
	Description string
}

// Options lists the keys that a configuration schema describes.
func Options(configSchema json.RawMessage) ([]Option, error) {
	s, err := parseSchema(configSchema)
	if err != nil {
		return nil, err
	}
	return s.options("", 0), nil
}

// Example is a configuration with the keys that are required or have an
// example.
func Example(configSchema json.RawMessage) (json.RawMessage, error) {
	s, err := parseSchema(configSchema)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(s.example(0), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("example: %w", err)
	}
	return text, nil
}

func parseSchema(text json.RawMessage) (*schema, error) {
	s := new(schema)
	if len(text) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("configuration schema: %w", err)
	}
	return s, nil
}

func (s *schema) options(prefix string, depth int) []Option {
	if depth > maxSchemaDepth {
		return nil
	}
	var list []Option
	for _, name := range s.names() {
		property := s.Properties[name]
		if property == nil {
			continue
		}
		list = append(list, Option{
			Key: prefix + name, Type: property.typeText(), Secret: property.Secret, Default: compact(property.Default),
			Required: slices.Contains(s.Required, name), Enum: property.Enum, Description: property.Description,
		})
		list = append(list, property.within(prefix+name, depth)...)
	}
	return list
}

// compact is JSON on one line.
func compact(text json.RawMessage) string {
	var line bytes.Buffer
	if json.Compact(&line, text) != nil {
		return string(text)
	}
	return line.String()
}

// within lists the options inside a property.
func (s *schema) within(key string, depth int) []Option {
	switch {
	case s.Items != nil:
		return s.Items.options(key+"[].", depth+1)
	case s.Additional != nil && s.Additional.values != nil:
		return s.Additional.values.options(key+".*.", depth+1)
	default:
		return s.options(key+".", depth+1)
	}
}

func (s *schema) typeText() string {
	switch {
	case s.Secret:
		return "secret"
	case s.Format == formatDuration:
		return "duration"
	case s.Type == "array" && s.Items != nil:
		return "list of " + s.Items.typeText()
	case s.Additional != nil && s.Additional.values != nil:
		return "map of " + s.Additional.values.typeText()
	case s.Type == "":
		return "any"
	default:
		return s.Type
	}
}

var placeholders = map[string]any{
	"string": "…", "boolean": false, "integer": 0, "number": 0, "array": []any{}, "object": map[string]any{},
}

func (s *schema) example(depth int) any {
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Secret:
		return map[string]string{"env": "NAME_OF_A_VARIABLE"}
	case len(s.Default) > 0:
		return s.Default
	case len(s.Properties) == 0 || depth > maxSchemaDepth:
		return placeholders[s.Type]
	}
	object := ordered{}
	for _, name := range s.names() {
		property := s.Properties[name]
		if slices.Contains(s.Required, name) || len(property.Examples) > 0 {
			object = append(object, entry{name, property.example(depth + 1)})
		}
	}
	return object
}

// ordered is an object whose keys keep their order.
type ordered []entry

type entry struct {
	key   string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (o ordered) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, e := range o {
		if i > 0 {
			text = append(text, ',')
		}
		key, err := json.Marshal(e.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		text = append(append(append(text, key...), ':'), value...)
	}
	return append(text, '}'), nil
}
