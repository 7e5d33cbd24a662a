package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/datadis-engine/datadis/plugins/internal/gazetteer"
)

// Own are the values that the plugin itself gives, beside Datadis's fields.
// They count before a field of the same name.
var Own = []string{"cups", "postalCode", "username", "authorized_nif", "owner", "building", "source", "run"}

// Apply makes the graph of a supply: of Datadis's own fields, and what the
// plugin knows (see Own).
func (m *Mapping) Apply(raw json.RawMessage, own map[string]any, places *gazetteer.Table) (Graph, error) {
	in := &input{fields: map[string]json.RawMessage{}, values: map[string]any{}, places: places}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &in.fields); err != nil {
			return Graph{}, fmt.Errorf("its fields are no JSON object")
		}
	}
	for name, field := range in.fields {
		if v := plain(field); v != nil {
			in.values[name] = v
		}
	}
	for name, v := range own {
		in.values[name] = v
	}
	for _, v := range m.values {
		if result := v.function(in); result != nil {
			in.values[v.name] = result
		} else {
			delete(in.values, v.name)
		}
	}
	return m.build(in), nil
}

func (m *Mapping) build(in *input) Graph {
	g := Graph{Subjects: map[string]string{}}
	for _, s := range m.subjects {
		if uri := s.uri.text(in.values); uri != "" {
			g.Subjects[s.name] = uri
		}
	}
	for _, s := range m.subjects {
		uri, ok := g.Subjects[s.name]
		if !ok {
			continue
		}
		node := Node{URI: uri, Labels: s.labels, Set: valuesOf(s.properties, in.values), Once: valuesOf(s.once, in.values)}
		if s.name == m.unknown.subject {
			m.keepUnknown(in, node.Set)
		}
		g.Nodes = append(g.Nodes, node)
		g.Relations = appendRelations(g.Relations, uri, s.relations, in.values, g.Subjects)
	}
	for i, l := range m.links {
		value := l.value.value(in.values)
		if from := g.Subjects[l.from]; from != "" && value != nil {
			g.Linked = append(g.Linked, Linked{i, from, value})
		}
	}
	return g
}

// appendRelations adds those relations whose other end there is.
func appendRelations(to []Relation, from string, relations []relation, values map[string]any, subjects map[string]string) []Relation {
	for _, r := range relations {
		target := subjects[r.subject]
		if r.subject == "" {
			target = r.uri.text(values)
		}
		if target != "" {
			to = append(to, Relation{From: from, Type: r.kind, To: target, Set: valuesOf(r.with, values), Single: r.single})
		}
	}
	return to
}

func valuesOf(properties []property, values map[string]any) map[string]any {
	set := map[string]any{}
	for _, p := range properties {
		if v := p.value.value(values); v != nil {
			set[p.name] = v
		}
	}
	return set
}

// keepUnknown adds the fields that the mapping does not name.
func (m *Mapping) keepUnknown(in *input, set map[string]any) {
	for name, field := range in.fields {
		if m.known[name] {
			continue
		}
		v := plain(field)
		if v == nil {
			v = compound(field)
		}
		if v != nil {
			set[m.unknown.prefix+"__"+strings.ReplaceAll(name, "`", "")] = v
		}
	}
}

// plain is a field that is a text, a number or a truth value. Datadis also
// writes "" and "-" for nothing.
func plain(field json.RawMessage) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(field))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	switch v := v.(type) {
	case string:
		if text := strings.TrimSpace(v); text != "" && text != "-" {
			return text
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case bool:
		return v
	}
	return nil
}

// compound is a list or an object as JSON text; nil for an empty one, and for
// null.
func compound(field json.RawMessage) any {
	var out bytes.Buffer
	if json.Compact(&out, field) != nil {
		return nil
	}
	switch text := out.String(); text {
	case "null", "[]", "{}", `""`, `"-"`:
		return nil
	default:
		return text
	}
}
