package datadis

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/go-json-experiment/json/jsontext"
)

// fields are the members of one object, for the lists, where rows are few and
// every field may be missing, null, "", "-", or of another type than it was.
type fields map[string]jsontext.Value

// readFields reads an object; nil if the value is something else.
func readFields(dec *jsontext.Decoder) (fields, jsontext.Value, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return nil, nil, err
	}
	raw := value.Clone()
	if raw.Kind() != '{' {
		return nil, raw, nil
	}
	f, err := parseFields(raw)
	return f, raw, err
}

// parseFields takes an object apart.
func parseFields(object jsontext.Value) (fields, error) {
	dec := newDecoder(object)
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	f := make(fields)
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		f[key] = value.Clone()
	}
	return f, nil
}

// exact is the text of a string or a number, as it stands there; "" for
// anything else.
func (f fields) exact(name string) string {
	value := f[name]
	switch value.Kind() {
	case '"':
		return unquote(value)
	case '0':
		return string(value)
	default:
		return ""
	}
}

// text is the same without surrounding spaces, and without the dash that
// stands for nothing.
func (f fields) text(name string) string {
	text := strings.TrimSpace(f.exact(name))
	if text == "-" {
		return ""
	}
	return text
}

// integer is a whole number, 0 if there is none.
func (f fields) integer(name string) int {
	n, err := strconv.Atoi(f.text(name))
	if err != nil {
		return 0
	}
	return n
}

// date is the beginning of a day in Madrid; the zero time if there is none.
func (f fields) date(name string) time.Time {
	d, ok := parseDate([]byte(f.text(name)))
	if !ok {
		return time.Time{}
	}
	return d.midnight(sdk.Madrid)
}

// decimal is a number, or a number in a string; nil if there is none.
func (f fields) decimal(name string) *sdk.Decimal {
	d, err := sdk.ParseDecimal(f.text(name))
	if err != nil {
		return nil
	}
	return &d
}

// list is the elements of an array; nil if it is something else.
func (f fields) list(name string) []jsontext.Value {
	return elements(f[name])
}

// elements takes an array apart.
func elements(value jsontext.Value) []jsontext.Value {
	if value.Kind() != '[' {
		return nil
	}
	dec := newDecoder(value)
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	var all []jsontext.Value
	for dec.PeekKind() != ']' {
		element, err := dec.ReadValue()
		if err != nil {
			return nil
		}
		all = append(all, element.Clone())
	}
	return all
}

// unquote is the text of a JSON string.
func unquote(value []byte) string {
	if text, ok := plain(value); ok {
		return string(text)
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return ""
	}
	return string(text)
}

// plain is what stands between the quotes of a JSON string without escapes.
func plain(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 {
		return nil, false
	}
	return value[1 : len(value)-1], true
}
