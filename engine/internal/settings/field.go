package settings

// field is one setting: what it is called, what it means, how it is read and
// how it is shown.
type field struct {
	key     string
	kind    kind
	initial string // the default, as one writes it; "": none
	meaning string
	limits  map[string]any // what the JSON Schema adds to the kind

	anchor func(n *node, dir string) // makes paths relative to where they were written; nil: holds none
	read   func(n *node) error       // stores the value; its error ends a sentence
	show   func() any                // the value for people; nil: not set
}

// kind is how a setting is written.
type kind struct {
	name    string // for the reference
	textual bool   // a text, so that it may be a reference to a file or a variable
	schema  map[string]any
}

var (
	textKind     = kind{"text", true, map[string]any{"type": "string"}}
	secretKind   = kind{"text, secret", true, map[string]any{"type": "string"}}
	pathKind     = kind{"path", true, map[string]any{"type": "string"}}
	urlKind      = kind{"URL, secret", true, map[string]any{"type": "string", "pattern": "^[a-z][a-z0-9+.-]*://"}}
	durationKind = kind{"duration", true, map[string]any{"type": "string", "pattern": durationPattern}}
	sizeKind     = kind{"size", true, map[string]any{"type": "string", "pattern": "^([0-9]+(KiB|MiB|GiB|TiB)|0)$"}}
	instantKind  = kind{"instant", true, map[string]any{"type": "string", "format": "date-time"}}
	choiceKind   = kind{"choice", true, map[string]any{}}
	integerKind  = kind{"whole number", false, map[string]any{"type": "integer"}}
	numberKind   = kind{"number", false, map[string]any{"type": "number"}}
	booleanKind  = kind{"true or false", false, map[string]any{"type": "boolean"}}
	listKind     = kind{"list of texts", false, map[string]any{"type": "array"}}
)
