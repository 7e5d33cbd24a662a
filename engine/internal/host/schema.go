package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/datadis-engine/datadis/sdk"
)

const schemaURL = "urn:datadis:config"

// noLoader keeps a plugin's schema from making the engine read files or
// addresses.
type noLoader struct{}

// Load implements [jsonschema.URLLoader].
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a schema may not refer to %s", url)
}

// checkSchema lists where a configuration does not match a schema. Messages
// hold no value from below the secret pointers.
func checkSchema(schema json.RawMessage, config any, secrets map[string]sdk.Secret) []sdk.Problem {
	if len(schema) == 0 {
		return nil
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err == nil {
		err = compiler.AddResource(schemaURL, document)
	}
	var compiled *jsonschema.Schema
	if err == nil {
		compiled, err = compiler.Compile(schemaURL)
	}
	if err != nil {
		return []sdk.Problem{{Message: "the plugin's own schema is not acceptable: " + oneLine(err.Error())}}
	}
	var invalid *jsonschema.ValidationError
	if err := compiled.Validate(config); err == nil {
		return nil
	} else if !errors.As(err, &invalid) {
		return []sdk.Problem{{Message: oneLine(err.Error())}}
	}
	var problems []sdk.Problem
	gather(invalid, knownKeys(schema), secrets, &problems)
	slices.SortStableFunc(problems, func(a, b sdk.Problem) int { return strings.Compare(a.Path, b.Path) })
	return problems
}

// gather takes the leaves of a validation error: those name the value.
func gather(e *jsonschema.ValidationError, known string, secrets map[string]sdk.Secret, problems *[]sdk.Problem) {
	for _, cause := range e.Causes {
		gather(cause, known, secrets, problems)
	}
	if len(e.Causes) > 0 {
		return
	}
	path := ""
	for _, step := range e.InstanceLocation {
		path += "/" + escape(step)
	}
	add := func(path, message string) {
		*problems = append(*problems, sdk.Problem{Path: path, Message: message})
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			add(path+"/"+escape(name), "is missing")
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			hint := ""
			if path == "" {
				hint = known
			}
			add(path+"/"+escape(name), "is not known"+hint)
		}
	case *kind.Type:
		add(path, fmt.Sprintf("want %s, have %s", strings.Join(k.Want, " or "), k.Got))
	default:
		if _, secret := secrets[path]; secret {
			add(path, "is not acceptable")
			return
		}
		add(path, e.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
	}
}

// knownKeys is the hint that lists a configuration's own keys.
func knownKeys(schema json.RawMessage) string {
	var s struct {
		Properties map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(schema, &s); err != nil || len(s.Properties) == 0 {
		return ""
	}
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return "; known are " + strings.Join(names, ", ")
}

// escape is a key as a JSON pointer (RFC 6901) spells it.
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
