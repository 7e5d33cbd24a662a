package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// maxSchemaDepth bounds a schema that refers to itself.
const maxSchemaDepth = 32

// resolver walks a configuration along its schema. Strings given as
// {"file": …} or {"env": …} are replaced by what they name, and what the schema
// marks with x-secret is noted.
type resolver struct {
	dir       string // that relative paths refer to
	lookupEnv func(string) (string, bool)
	root      map[string]any // the schema, for $ref
	secrets   map[string]sdk.Secret
	files     []string // that secrets were read from
	inline    bool     // a secret stands in the configuration itself
	problems  []sdk.Problem
}

func (r *resolver) fail(path, message string) {
	r.problems = append(r.problems, sdk.Problem{Path: path, Message: message})
}

// resolve returns the value as the schema sees it.
func (r *resolver) resolve(schema map[string]any, value any, path string, depth int) any {
	schema = r.follow(schema)
	if schema == nil || depth > maxSchemaDepth {
		return value
	}
	secret, _ := schema["x-secret"].(bool)
	switch typed := value.(type) {
	case string:
		if secret {
			r.secrets[path], r.inline = sdk.NewSecret(typed), true
		}
	case map[string]any:
		if schema["type"] == "string" || secret {
			return r.reference(typed, path, secret)
		}
		for key, inner := range typed {
			typed[key] = r.resolve(property(schema, key), inner, path+"/"+escape(key), depth+1)
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i, inner := range typed {
			typed[i] = r.resolve(items, inner, fmt.Sprintf("%s/%d", path, i), depth+1)
		}
	}
	return value
}

// property is the schema of an object's key.
func property(schema map[string]any, key string) map[string]any {
	properties, _ := schema["properties"].(map[string]any)
	if inner, ok := properties[key].(map[string]any); ok {
		return inner
	}
	inner, _ := schema["additionalProperties"].(map[string]any)
	return inner
}

// follow goes to what a "$ref" within the schema names.
func (r *resolver) follow(schema map[string]any) map[string]any {
	for range maxSchemaDepth {
		ref, ok := schema["$ref"].(string)
		if !ok {
			return schema
		}
		pointer, ok := strings.CutPrefix(ref, "#/")
		if !ok {
			return nil
		}
		at := r.root
		for step := range strings.SplitSeq(pointer, "/") {
			step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
			at, _ = at[step].(map[string]any)
		}
		schema = at
	}
	return nil
}

// reference reads the text that {"file": …} or {"env": …} stands for.
func (r *resolver) reference(object map[string]any, path string, secret bool) any {
	file, isFile := object["file"].(string)
	name, isEnv := object["env"].(string)
	if len(object) != 1 || !isFile && !isEnv {
		r.fail(path, `want a string, {"file": "/path"} or {"env": "NAME"}`)
		return ""
	}
	text := ""
	if isEnv {
		value, ok := r.lookupEnv(name)
		if !ok {
			r.fail(path, fmt.Sprintf("the environment has no %s", name))
			return ""
		}
		text = value
	} else {
		if !filepath.IsAbs(file) {
			file = filepath.Join(r.dir, file)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			r.fail(path, err.Error())
			return ""
		}
		text = strings.TrimRight(string(content), "\r\n")
		if secret {
			r.files = append(r.files, file)
		}
	}
	if secret {
		r.secrets[path] = sdk.NewSecret(text)
	}
	return text
}

// withoutSecrets is a copy of the value that may be shown: secrets are left out
// of objects, and null in lists.
func withoutSecrets(value any, secrets map[string]sdk.Secret, path string) any {
	switch typed := value.(type) {
	case map[string]any:
		shown := make(map[string]any, len(typed))
		for key, inner := range typed {
			at := path + "/" + escape(key)
			if _, secret := secrets[at]; !secret {
				shown[key] = withoutSecrets(inner, secrets, at)
			}
		}
		return shown
	case []any:
		shown := make([]any, len(typed))
		for i, inner := range typed {
			at := fmt.Sprintf("%s/%d", path, i)
			if _, secret := secrets[at]; !secret {
				shown[i] = withoutSecrets(inner, secrets, at)
			}
		}
		return shown
	default:
		return value
	}
}
