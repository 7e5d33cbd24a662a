package plugin

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// schema is the part of JSON Schema (2020-12) that configurations use: made
// from an author's struct on one end, read for the help on the other.
type schema struct {
	Dialect     string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Type        string             `json:"type,omitempty"`
	Format      string             `json:"format,omitempty"`
	Description string             `json:"description,omitempty"`
	Secret      bool               `json:"x-secret,omitempty"`
	Default     json.RawMessage    `json:"default,omitempty"`
	Examples    []json.RawMessage  `json:"examples,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	MinLength   int                `json:"minLength,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Additional  *additional        `json:"additionalProperties,omitempty"`
	Order       []string           `json:"x-order,omitempty"` // of the properties, as the author wrote them
}

// additional is what an object's other keys may hold: nothing (false), or each
// a value of one schema.
type additional struct{ values *schema }

// MarshalJSON implements [json.Marshaler].
func (a *additional) MarshalJSON() ([]byte, error) {
	if a.values == nil {
		return []byte("false"), nil
	}
	return json.Marshal(a.values)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (a *additional) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "false":
		return nil
	case "true":
		a.values = &schema{}
		return nil
	}
	a.values = new(schema)
	return json.Unmarshal(text, a.values)
}

const (
	dialect        = "https://json-schema.org/draft/2020-12/schema"
	formatDuration = "go-duration"
	maxSchemaDepth = 16
)

var (
	secretType    = reflect.TypeFor[sdk.Secret]()
	durationType  = reflect.TypeFor[time.Duration]()
	textType      = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonType      = reflect.TypeFor[json.Unmarshaler]()
	kindsOfNumber = map[reflect.Kind]string{
		reflect.Int: "integer", reflect.Int8: "integer", reflect.Int16: "integer", reflect.Int32: "integer",
		reflect.Int64: "integer", reflect.Uint: "integer", reflect.Uint8: "integer", reflect.Uint16: "integer",
		reflect.Uint32: "integer", reflect.Uint64: "integer", reflect.Float32: "number", reflect.Float64: "number",
	}
)

// schemaOf reads an author's struct. An error is a mistake in the struct.
func schemaOf(t reflect.Type, title string) (*schema, error) {
	s, err := typeSchema(t, 0)
	if err != nil {
		return nil, err
	}
	if s.Type != "object" {
		return nil, fmt.Errorf("the configuration is a %s; it has to be a struct", t)
	}
	s.Dialect, s.Title = dialect, title
	return s, nil
}

func typeSchema(t reflect.Type, depth int) (*schema, error) {
	if depth > maxSchemaDepth {
		return nil, fmt.Errorf("%s: nested too deeply, or in itself", t)
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == secretType:
		return &schema{Type: "string", Secret: true}, nil
	case t == durationType:
		return &schema{Type: "string", Format: formatDuration}, nil
	case reflect.PointerTo(t).Implements(textType):
		return &schema{Type: "string"}, nil
	case reflect.PointerTo(t).Implements(jsonType), t.Kind() == reflect.Interface:
		return &schema{}, nil // anything
	}
	switch t.Kind() {
	case reflect.String:
		return &schema{Type: "string"}, nil
	case reflect.Bool:
		return &schema{Type: "boolean"}, nil
	case reflect.Slice, reflect.Array:
		items, err := typeSchema(t.Elem(), depth+1)
		return &schema{Type: "array", Items: items}, err
	case reflect.Map:
		values, err := typeSchema(t.Elem(), depth+1)
		return &schema{Type: "object", Additional: &additional{values}}, err
	case reflect.Struct:
		s := &schema{Type: "object", Additional: &additional{}, Properties: map[string]*schema{}}
		return s, s.addFields(t, depth)
	}
	if name, ok := kindsOfNumber[t.Kind()]; ok {
		return &schema{Type: name}, nil
	}
	return nil, fmt.Errorf("%s cannot be configured", t)
}

// addFields makes the fields of a struct properties; those of an embedded
// struct count as its own.
func (s *schema) addFields(t reflect.Type, depth int) error {
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" || !field.IsExported() && !field.Anonymous {
			continue
		}
		if field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct {
			if err := s.addFields(field.Type, depth); err != nil {
				return err
			}
			continue
		}
		if name == "" {
			name = field.Name
		}
		property, err := fieldSchema(field, depth)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.Properties[name] = property
		s.Order = append(s.Order, name)
		if field.Tag.Get("required") == "true" {
			s.Required = append(s.Required, name)
			if property.Type == "string" {
				property.MinLength = 1
			}
		}
	}
	return nil
}

func fieldSchema(field reflect.StructField, depth int) (*schema, error) {
	s, err := typeSchema(field.Type, depth+1)
	if err != nil {
		return nil, err
	}
	s.Description = field.Tag.Get("doc")
	if list := field.Tag.Get("enum"); list != "" {
		s.Enum = strings.Split(list, ",")
	}
	if written, ok := field.Tag.Lookup("default"); ok {
		if s.Default, err = s.literal(written); err != nil {
			return nil, fmt.Errorf("default: %w", err)
		}
	}
	if written, ok := field.Tag.Lookup("example"); ok {
		example, err := s.literal(written)
		if err != nil {
			return nil, fmt.Errorf("example: %w", err)
		}
		s.Examples = []json.RawMessage{example}
	}
	return s, nil
}

// literal is a value as written in a tag: a string as it is, anything else as
// JSON.
func (s *schema) literal(written string) (json.RawMessage, error) {
	if s.Type == "string" {
		return json.Marshal(written)
	}
	if !json.Valid([]byte(written)) {
		return nil, fmt.Errorf("%s is no JSON", written)
	}
	return json.RawMessage(written), nil
}

// names lists the properties in the author's order; those it leaves out come
// last, by name.
func (s *schema) names() []string {
	names := slices.DeleteFunc(slices.Clone(s.Order), func(name string) bool { return s.Properties[name] == nil })
	var rest []string
	for name := range s.Properties {
		if !slices.Contains(names, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	return append(names, rest...)
}
