package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// node is a JSON value that knows where it was written.
type node struct {
	kind    jsontext.Kind // of its token: '{', '[', '"', '0', 't', 'f' or 'n'
	text    string        // a string's content, a number's or a boolean's letters
	members []member      // of an object, in the order of the file
	items   []*node       // of an array
	where   string        // "config.json:3", or who gave it

	plain  bool // given as bare text, by an environment variable or a flag
	hidden bool // came out of a reference: never to be shown
}

type member struct {
	name  string
	value *node
}

// bare is a value that was given as text.
func bare(text, where string) *node {
	return &node{kind: '"', text: text, where: where, plain: true}
}

// what names the node's type in a message.
func (n *node) what() string {
	switch n.kind {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case '0':
		return "a number"
	case 'n':
		return "null"
	default:
		return "true or false"
	}
}

// shown is the node's content for a message.
func (n *node) shown() string {
	if n.hidden {
		return "the value"
	}
	if n.kind == '"' && !n.plain {
		return fmt.Sprintf("%q", n.text)
	}
	return n.text
}

// member is the object's value of that name, or nil.
func (n *node) member(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// parse reads one JSON document. at names the place of a line.
func parse(text []byte, at func(line int) string) (*node, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // some editors write it
	p := parser{decoder: jsontext.NewDecoder(bytes.NewReader(text)), lines: lines{text: text}, at: at}
	n, err := p.value()
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return nil, p.explain(err)
	}
	return n, nil
}

type parser struct {
	decoder *jsontext.Decoder
	lines   lines
	at      func(line int) string
}

func (p *parser) value() (*node, error) {
	token, err := p.decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	n := &node{kind: token.Kind(), where: p.at(p.lines.at(p.decoder.InputOffset()))}
	switch n.kind {
	case '{':
		err = p.object(n)
	case '[':
		err = p.array(n)
	default:
		n.text = token.String()
	}
	return n, err
}

func (p *parser) object(n *node) error {
	for p.decoder.PeekKind() != '}' {
		token, err := p.decoder.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		value, err := p.value()
		if err != nil {
			return err
		}
		n.members = append(n.members, member{name, value})
	}
	_, err := p.decoder.ReadToken()
	return err
}

func (p *parser) array(n *node) error {
	for p.decoder.PeekKind() != ']' {
		item, err := p.value()
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	_, err := p.decoder.ReadToken()
	return err
}

var errTrailing = errors.New("something follows the end of the document")

// end makes sure that nothing follows the document.
func (p *parser) end() error {
	rest := p.lines.text[p.decoder.InputOffset():]
	if len(bytes.TrimSpace(rest)) > 0 {
		return errTrailing
	}
	return nil
}

// explain makes a problem, with its line, of what the decoder found.
func (p *parser) explain(err error) *Problem {
	offset, reason := p.decoder.InputOffset(), err.Error()
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		offset, reason = syntax.ByteOffset, syntax.Err.Error()
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		offset, reason = int64(len(p.lines.text)), "the end is missing"
	case errors.Is(err, jsontext.ErrDuplicateName):
		reason = fmt.Sprintf("%q stands there twice", syntax.JSONPointer.LastToken())
	case offset < int64(len(p.lines.text)) && p.lines.text[offset] == ',':
		reason = "there is a comma too many"
	}
	return &Problem{Where: p.at(p.lines.at(offset)), Message: "is not valid JSON: " + strings.TrimPrefix(reason, "jsontext: ")}
}

// lines turns growing offsets into line numbers.
type lines struct {
	text   []byte
	offset int64
	before int // newlines before offset
}

func (l *lines) at(offset int64) int {
	offset = min(offset, int64(len(l.text)))
	if offset < l.offset {
		l.offset, l.before = 0, 0
	}
	l.before += bytes.Count(l.text[l.offset:offset], []byte("\n"))
	l.offset = offset
	return l.before + 1
}

// looksJSON tells whether a bare text is meant as a list or an object.
func looksJSON(text string) bool {
	text = strings.TrimSpace(text)
	return (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Valid([]byte(text))
}
