package mapping

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse reads a mapping. All that is wrong with it is in the problems, with
// lines; then there is no mapping.
func Parse(text []byte) (*Mapping, []Problem) {
	var document yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, []Problem{{1, "", "the mapping is empty"}}
		}
		return nil, []Problem{{1, "", "is no YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}}
	}
	p := &parser{mapping: &Mapping{known: map[string]bool{}}, prefixes: map[string]string{}, computed: map[string]bool{}}
	p.root(node{document.Content[0], "", &p.problems})
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, p.problems
	}
	return p.mapping, nil
}

type parser struct {
	mapping  *Mapping
	prefixes map[string]string
	computed map[string]bool // names of values
	problems []Problem
}

func (p *parser) root(n node) {
	keys := n.object("version!", "prefixes!", "values", "subjects!", "device!", "supply!", "links", "sensors", "unknown!", "ignore", "lifecycle!", "building")
	if v, ok := keys["version"]; ok && v.scalar() != "1" {
		v.fail("this engine reads version 1")
	}
	for _, step := range []struct {
		key  string
		read func(node)
	}{
		{"prefixes", p.readPrefixes}, {"values", p.readValues}, {"subjects", p.readSubjects},
		{"device", func(n node) { p.mapping.Device = p.subjectName(n) }},
		{"supply", func(n node) { p.mapping.Supply = p.subjectName(n) }},
		{"links", p.readLinks}, {"sensors", p.readSensors}, {"unknown", p.readUnknown},
		{"ignore", p.readIgnore}, {"lifecycle", p.readLifecycle}, {"building", p.readBuilding},
	} {
		if n, ok := keys[step.key]; ok {
			step.read(n)
		}
	}
	for _, own := range Own {
		p.mapping.known[own] = true
	}
}

// The shapes of names that become part of a query, where no parameter can
// stand.
var (
	prefixName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
	localName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (p *parser) readPrefixes(n node) {
	for _, e := range n.entries() {
		uri := e.value.scalar()
		if u, err := url.Parse(uri); err != nil || u.Scheme == "" {
			e.value.fail("%q is no URI", uri)
		}
		if !prefixName.MatchString(e.key) {
			e.value.fail("a prefix is made of letters and digits")
		}
		p.prefixes[e.key] = uri
	}
}

// name reads the name of a label, a property or a relation, and shortens it.
func (p *parser) name(n node, text string) string {
	prefix, local, prefixed := strings.Cut(text, ":")
	if !prefixed {
		prefix, local = "", text
	}
	if _, ok := p.prefixes[prefix]; prefixed && !ok {
		n.fail("the prefix %q is not declared in prefixes%s", prefix, p.suggest(prefix))
	}
	if !localName.MatchString(local) {
		n.fail("%q is no name: use letters, digits and underscores, with a prefix or without", text)
		return "invalid"
	}
	return shortened(text)
}

func (p *parser) suggest(prefix string) string {
	for known := range p.prefixes {
		if strings.EqualFold(known, prefix) || strings.HasPrefix(known, prefix) || strings.HasPrefix(prefix, known) {
			return fmt.Sprintf("; did you mean %s?", known)
		}
	}
	return ""
}

func (p *parser) names(n node) []string {
	var names []string
	for _, item := range n.items() {
		names = append(names, p.name(item, item.scalar()))
	}
	return names
}

// template reads a template or a constant, and notes the fields that it uses.
func (p *parser) template(n node) template {
	if c := n.constant(); c != nil {
		return template{constant: c}
	}
	text := n.scalar()
	t := newTemplate(text)
	p.use(n, t.names...)
	if strings.Contains(reference.ReplaceAllString(text, ""), "$(") {
		n.fail("a $( is not closed")
	}
	return t
}

// use notes that fields are used.
func (p *parser) use(n node, names ...string) {
	for _, name := range names {
		if name == "" {
			n.fail("a $() names no field")
		}
		p.mapping.known[name] = true
	}
}

// uri reads a template of a URI: with a prefix, or whole.
func (p *parser) uri(n node) template {
	t := p.template(n)
	if t.constant != nil {
		n.fail("wants a URI")
		return template{texts: []string{""}}
	}
	prefix, rest, ok := strings.Cut(t.texts[0], ":")
	base, declared := p.prefixes[prefix]
	switch {
	case ok && declared:
		t.texts[0] = base + rest
	case ok && (strings.HasPrefix(rest, "//") || prefix == "urn"):
	case t.texts[0] == "" && len(t.names) > 0: // a whole URI out of a field
	case ok:
		n.fail("the prefix %q is not declared in prefixes%s", prefix, p.suggest(prefix))
	default:
		n.fail("wants a URI, such as icaen:DEVICE-$(cups)")
	}
	return t
}

func (p *parser) readValues(n node) {
	for _, e := range n.entries() {
		f := p.function(e.value)
		if !localName.MatchString(e.key) {
			e.value.fail("the name of a value is made of letters, digits and underscores")
		}
		if f != nil {
			p.mapping.values = append(p.mapping.values, namedValue{e.key, f})
		}
		p.computed[e.key] = true
	}
}

// function reads {join: field, with: "-"}.
func (p *parser) function(n node) function {
	entries := n.entries()
	if len(entries) == 0 {
		return nil
	}
	first := entries[0]
	builder, ok := builders[first.key]
	if !ok {
		known := make([]string, 0, len(builders))
		for name := range builders {
			known = append(known, name)
		}
		slices.Sort(known)
		first.value.fail("is no function; known are %s", strings.Join(known, ", "))
		return nil
	}
	options := map[string]string{}
	for _, e := range entries[1:] {
		if !slices.Contains(builder.options, e.key) {
			e.value.fail("%s does not take this", first.key)
		}
		options[e.key] = e.value.scalar()
	}
	for _, need := range builder.needs {
		if _, ok := options[need]; !ok {
			n.fail("%s wants %s too", first.key, need)
			return nil
		}
	}
	f, uses, wrong := builder.make(first.value.scalar(), options)
	if wrong != "" {
		first.value.fail("%s", wrong)
	}
	p.use(first.value, uses...)
	return f
}
