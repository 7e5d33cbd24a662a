package mapping

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// template is a text with $(names) in it, or a constant of another type.
type template struct {
	constant any // true, 5: no template at all
	texts    []string
	names    []string // one less than texts
}

var reference = regexp.MustCompile(`\$\(([^()]*)\)`)

func newTemplate(text string) template {
	var t template
	last := 0
	for _, at := range reference.FindAllStringSubmatchIndex(text, -1) {
		t.texts = append(t.texts, text[last:at[0]])
		t.names = append(t.names, strings.TrimSpace(text[at[2]:at[3]]))
		last = at[1]
	}
	t.texts = append(t.texts, text[last:])
	return t
}

// empty tells whether there is no template.
func (t template) empty() bool { return t.texts == nil && t.constant == nil }

// value fills the names in. Nil: one of them has no value. A template that is
// nothing but one name has that one's type.
func (t template) value(values map[string]any) any {
	switch {
	case t.constant != nil:
		return t.constant
	case len(t.names) == 1 && t.texts[0] == "" && t.texts[1] == "":
		return values[t.names[0]]
	}
	var out strings.Builder
	out.WriteString(t.texts[0])
	for i, name := range t.names {
		v := values[name]
		if v == nil {
			return nil
		}
		out.WriteString(textOf(v))
		out.WriteString(t.texts[i+1])
	}
	return out.String()
}

// text is the value as a text, "" if there is none.
func (t template) text(values map[string]any) string {
	if v := t.value(values); v != nil {
		return textOf(v)
	}
	return ""
}

// textOf is a value as it stands in a text.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}
