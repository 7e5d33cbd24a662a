package settings

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Masked is the effective configuration as JSON, secrets masked, in the order
// of the reference. Settings that have neither a value nor a default are left
// out.
func (s *Settings) Masked() ([]byte, error) {
	root := &object{}
	for _, f := range s.fields() {
		if value := f.show(); value != nil {
			root.put(strings.Split(f.key, "."), value)
		}
	}
	return indented(root)
}

// indented is a value as people read it.
func indented(v any) ([]byte, error) {
	compact, err := marshal(v)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Indent(&out, compact, "", "  ")
	out.WriteByte('\n')
	return out.Bytes(), err
}

// marshal encodes without escaping &, < and >.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// object is a JSON object whose members keep their order.
type object struct {
	names  []string
	values map[string]any
}

// put sets the value at a path, making the objects on the way.
func (o *object) put(path []string, value any) {
	if len(path) > 1 {
		inner, ok := o.values[path[0]].(*object)
		if !ok {
			inner = &object{}
			o.put(path[:1], inner)
		}
		inner.put(path[1:], value)
		return
	}
	if o.values == nil {
		o.values = map[string]any{}
	}
	o.names = append(o.names, path[0])
	o.values[path[0]] = value
}

// MarshalJSON implements [json.Marshaler].
func (o *object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, name := range o.names {
		if i > 0 {
			out.WriteByte(',')
		}
		quoted, err := marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(o.values[name])
		if err != nil {
			return nil, err
		}
		out.Write(quoted)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
