package mapping

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is something wrong with a mapping.
type Problem struct {
	Line    int
	Path    string // subjects/device/uri
	Message string
}

// Error implements error.
func (p Problem) Error() string {
	if p.Path == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Message)
	}
	return fmt.Sprintf("line %d: %s: %s", p.Line, p.Path, p.Message)
}

// node is a place in the file. Its methods report what does not fit, and then
// return what does no harm.
type node struct {
	*yaml.Node
	path string
	to   *[]Problem
}

func (n node) fail(format string, args ...any) {
	*n.to = append(*n.to, Problem{n.Line, n.path, fmt.Sprintf(format, args...)})
}

func (n node) child(name string, y *yaml.Node) node {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	return node{y, strings.TrimPrefix(n.path+"/"+name, "/"), n.to}
}

// entry is a key of an object and its value.
type entry struct {
	key   string
	value node
}

// entries are the keys of an object in the order of the file.
func (n node) entries() []entry {
	if n.Kind != yaml.MappingNode {
		n.fail("wants keys with values, and is %s", kindOf(n.Node))
		return nil
	}
	var all []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		e := entry{key.Value, n.child(key.Value, n.Content[i+1])}
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			n.child(key.Value, key).fail("is no plain key")
			continue
		case slices.ContainsFunc(all, func(o entry) bool { return o.key == e.key }):
			n.child(key.Value, key).fail("is there twice")
			continue
		}
		all = append(all, e)
	}
	return all
}

// object are the entries by their keys, of which only the given ones may be
// there. Those that end in ! must.
func (n node) object(keys ...string) map[string]node {
	known := make([]string, len(keys))
	for i, key := range keys {
		known[i] = strings.TrimSuffix(key, "!")
	}
	found := map[string]node{}
	for _, e := range n.entries() {
		if !slices.Contains(known, e.key) {
			e.value.fail("is not known here; known are %s", strings.Join(known, ", "))
			continue
		}
		found[e.key] = e.value
	}
	for i, key := range keys {
		if _, ok := found[known[i]]; !ok && key != known[i] && n.Kind == yaml.MappingNode {
			n.fail("lacks %s", known[i])
		}
	}
	return found
}

// items are the entries of a list.
func (n node) items() []node {
	if n.Kind != yaml.SequenceNode {
		n.fail("wants a list, and is %s", kindOf(n.Node))
		return nil
	}
	all := make([]node, len(n.Content))
	for i, y := range n.Content {
		all[i] = n.child(fmt.Sprint(i), y)
	}
	return all
}

// scalar is a text, a number or a truth value as it is written.
func (n node) scalar() string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		n.fail("wants a text, and is %s", kindOf(n.Node))
		return ""
	}
	return n.Value
}

// texts are the entries of a list of texts.
func (n node) texts() []string {
	var all []string
	for _, item := range n.items() {
		all = append(all, item.scalar())
	}
	return all
}

// constant is a scalar with its type, or nil for a text.
func (n node) constant() any {
	var v any
	if n.Tag != "!!str" && n.Decode(&v) == nil {
		switch v := v.(type) {
		case bool, float64:
			return v
		case int:
			return int64(v)
		}
	}
	return nil
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys with values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	default:
		return "a text"
	}
}
