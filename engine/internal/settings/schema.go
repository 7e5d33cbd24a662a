package settings

import (
	"encoding/json"
	"maps"
	"strings"
)

const durationPattern = `^([0-9]*[.]?[0-9]+(ns|us|µs|ms|s|m|h))+$|^0$`

// definitions are the parts that the schema's settings refer to.
const definitions = `{
  "reference": {
    "description": "A text that lies elsewhere: in a file, or in an environment variable.",
    "type": "object",
    "properties": {"file": {"type": "string"}, "env": {"type": "string"}},
    "additionalProperties": false,
    "minProperties": 1,
    "maxProperties": 1
  },
  "text": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/reference"}]},
  "properties": {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": ["string", "number", "boolean"]}, {"$ref": "#/$defs/reference"}]}
  },
  "key": {
    "type": "object",
    "properties": {"id": {"type": "integer", "minimum": 1, "maximum": 255}, "key": {"$ref": "#/$defs/text"}},
    "required": ["id", "key"],
    "additionalProperties": false
  }
}`

// Schema is the JSON Schema of the configuration file, for editors.
func Schema() ([]byte, error) {
	properties := &object{}
	properties.put([]string{"$schema"}, map[string]any{"type": "string"})
	sections := map[string]*object{}
	for _, f := range new(Settings).fields() {
		parent := properties
		path := strings.Split(f.key, ".")
		for i := range path[:len(path)-1] {
			parent = schemaSection(parent, sections, strings.Join(path[:i+1], "."), path[i])
		}
		parent.put(path[len(path)-1:], f.schema())
	}
	root := &object{}
	root.put([]string{"$schema"}, "https://json-schema.org/draft/2020-12/schema")
	root.put([]string{"title"}, "Configuration of the Datadis engine")
	root.put([]string{"type"}, "object")
	root.put([]string{"additionalProperties"}, false)
	root.put([]string{"properties"}, properties)
	root.put([]string{"$defs"}, json.RawMessage(definitions))
	return indented(root)
}

// schemaSection is the object that holds the settings of a section; it is made
// when the first of them comes.
func schemaSection(parent *object, known map[string]*object, key, name string) *object {
	if section, ok := known[key]; ok {
		return section
	}
	section := &object{}
	known[key] = section
	whole := &object{}
	whole.put([]string{"type"}, "object")
	whole.put([]string{"additionalProperties"}, false)
	whole.put([]string{"properties"}, section)
	parent.put([]string{name}, whole)
	return section
}

// schema describes one setting.
func (f field) schema() *object {
	o := &object{}
	o.put([]string{"description"}, f.meaning)
	if f.initial != "" {
		o.put([]string{"default"}, f.initialJSON())
	}
	own := maps.Clone(f.kind.schema)
	maps.Copy(own, f.limits)
	if f.kind.textual {
		own = map[string]any{"anyOf": []any{own, map[string]any{"$ref": "#/$defs/reference"}}}
	}
	for _, name := range []string{"$ref", "type", "anyOf", "items", "minItems", "minimum", "maximum"} {
		if value, ok := own[name]; ok {
			o.put([]string{name}, value)
		}
	}
	return o
}

// initialJSON is the default as the file would have it.
func (f field) initialJSON() any {
	switch f.kind.name {
	case integerKind.name, numberKind.name, booleanKind.name:
		return json.RawMessage(f.initial)
	case listKind.name:
		return strings.Split(f.initial, ",")
	default:
		return f.initial
	}
}
