package reference

import (
	"fmt"
	"regexp"
	"strings"
)

// element is a service, a message or an enum of the protocol.
type element struct {
	kind, name, doc string
	members         []member
}

// member is a call, a field or a value.
type member struct {
	name, kind, number, doc string
}

var (
	opens  = regexp.MustCompile(`^(service|message|enum) (\w+) \{(\})?$`)
	group  = regexp.MustCompile(`^oneof (\w+) \{$`)
	call   = regexp.MustCompile(`^rpc (\w+)\((stream )?(\w+)\) returns \((stream )?(\w+)\);$`)
	field  = regexp.MustCompile(`^((?:optional |repeated )?[\w.]+|map<\w+, [\w.]+>) (\w+) = (\d+)(?: \[.*\])?;$`)
	value  = regexp.MustCompile(`^(\w+) = (\d+);$`)
	ignore = regexp.MustCompile(`^(syntax|package|import|option) `)
)

// reader reads a .proto file line by line, as buf formats it.
type reader struct {
	comment  []string
	elements []element
	depth    int
	oneof    string
}

// parse lists what a file declares. It fails on what it does not understand,
// rather than leave it out.
func parse(text string) ([]element, error) {
	r := &reader{}
	for line := range strings.Lines(text) {
		if err := r.line(strings.TrimSpace(line)); err != nil {
			return nil, err
		}
	}
	return r.elements, nil
}

func (r *reader) line(line string) error {
	if note, ok := strings.CutPrefix(line, "//"); ok {
		r.comment = append(r.comment, strings.TrimPrefix(note, " "))
		return nil
	}
	doc := strings.Join(r.comment, "\n")
	r.comment = nil
	switch {
	case line == "" || ignore.MatchString(line):
		return nil // a comment that stands alone is about the file
	case line == "}":
		r.close()
		return nil
	}
	if m := opens.FindStringSubmatch(line); m != nil {
		r.elements = append(r.elements, element{kind: m[1], name: m[2], doc: doc})
		if m[3] == "" {
			r.depth++
		}
		return nil
	}
	if m := group.FindStringSubmatch(line); m != nil && r.depth > 0 {
		r.oneof = m[1]
		r.depth++
		return nil
	}
	return r.member(line, doc)
}

func (r *reader) close() {
	r.depth--
	r.oneof = ""
}

func (r *reader) member(line, doc string) error {
	if r.depth == 0 || len(r.elements) == 0 {
		return fmt.Errorf("%q is not understood", line)
	}
	in := &r.elements[len(r.elements)-1]
	one := member{doc: doc}
	if m := call.FindStringSubmatch(line); m != nil {
		one.name, one.kind = m[1], fmt.Sprintf("%s%s → %s%s", m[2], m[3], m[4], m[5])
	} else if m := field.FindStringSubmatch(line); m != nil && in.kind == "message" {
		one.name, one.kind, one.number = m[2], m[1], m[3]
		if r.oneof != "" {
			one.doc = strings.TrimSpace("One of " + r.oneof + ". " + doc)
		}
	} else if m := value.FindStringSubmatch(line); m != nil && in.kind == "enum" {
		one.name, one.number = m[1], m[2]
	} else {
		return fmt.Errorf("%q is not understood", line)
	}
	in.members = append(in.members, one)
	return nil
}
