package host

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

// Plugins in other languages write their own schemas.
func TestForeignSchemas(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		schema, config string
		want           string // of the first problem; "" for none
	}{
		"no schema":        {``, `{"a": 1}`, ""},
		"reference":        {`{"$defs": {"s": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/s"}}}`, `{"a": 1}`, "/a want string, have number"},
		"two types":        {`{"properties": {"a": {"type": ["string", "null"]}}}`, `{"a": 1}`, "/a want null or string, have number"},
		"range":            {`{"properties": {"a": {"minimum": 3}}}`, `{"a": 1}`, "/a minimum: got 1, want 3"},
		"required":         {`{"required": ["a/b"]}`, `{}`, "/a~1b is missing"},
		"secret":           {`{"properties": {"a": {"type": "string", "x-secret": true, "pattern": "^x"}}}`, `{"a": "hunter2"}`, "/a is not acceptable"},
		"no schema at all": {`[]`, `{}`, " the plugin's own schema"},
		"from elsewhere":   {`{"$ref": "file:///etc/passwd"}`, `{}`, " the plugin's own schema is not acceptable"},
		"in itself":        {`{"properties": {"a": {"$ref": "#"}}}`, `{"a": {"a": {"a": {}}}}`, ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := decodeObject([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			var schema map[string]any
			_ = json.Unmarshal([]byte(test.schema), &schema) // some are no objects
			r := &resolver{root: schema, secrets: map[string]sdk.Secret{}}
			resolved := r.resolve(schema, tree, "", 0)
			problems := checkSchema(json.RawMessage(test.schema), resolved, r.secrets)
			have := ""
			if len(problems) > 0 {
				have = problems[0].Path + " " + problems[0].Message
			}
			if test.want == "" && have != "" || !strings.HasPrefix(have, test.want) || strings.Contains(have, "hunter2") {
				t.Errorf("%q, want %q", have, test.want)
			}
		})
	}
}

func FuzzSchema(f *testing.F) {
	f.Add(`{"properties": {"a": {"$ref": "#/properties/a"}}}`, `{"a": {"a": 1}}`)
	f.Add(`{"items": {"type": "string", "x-secret": true}}`, `{"a": [{"env": "X"}]}`)
	f.Add(`{"properties": {"a": {"type": "array", "items": {"x-secret": true}}}}`, `{"a": ["x", {"file": "/"}]}`)
	f.Fuzz(func(_ *testing.T, schemaText, config string) {
		tree, err := decodeObject([]byte(config))
		if err != nil {
			return
		}
		var schema map[string]any
		if json.Unmarshal([]byte(schemaText), &schema) != nil {
			return
		}
		r := &resolver{root: schema, secrets: map[string]sdk.Secret{}, lookupEnv: func(string) (string, bool) { return "", false }}
		resolved := r.resolve(schema, tree, "", 0)
		checkSchema(json.RawMessage(schemaText), resolved, r.secrets)
		withoutSecrets(resolved, r.secrets, "")
	})
}
