package conformance

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

// schema is what the kit reads of a configuration's schema.
type schema struct {
	Type       string             `json:"type"`
	About      string             `json:"description"`
	Secret     bool               `json:"x-secret"`
	Default    json.RawMessage    `json:"default"`
	Examples   []json.RawMessage  `json:"examples"`
	Enum       []json.RawMessage  `json:"enum"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Items      *schema            `json:"items"`
	Additional json.RawMessage    `json:"additionalProperties"`
}

// config is a configuration that should be good.
type config struct {
	schema  *schema
	tree    map[string]any    // without secrets
	secrets map[string]string // by JSON pointer
	dir     string            // whose files it may name; "" if there are none
}

// newConfig reads the configuration that is given, or makes one of the schema.
func (o Options) newConfig(text string) (*config, error) {
	s := new(schema)
	if text != "" {
		if err := json.Unmarshal([]byte(text), s); err != nil {
			return nil, finding("describe.schema", "%v", err)
		}
		if s.Type != "object" {
			return nil, finding("describe.schema", "its type is %q, not object", s.Type)
		}
	}
	c := &config{schema: s, tree: map[string]any{}, secrets: map[string]string{}}
	if o.Config == "" {
		c.tree, _ = c.make(s, "", 0).(map[string]any)
		if c.tree == nil {
			c.tree = map[string]any{}
		}
		return c, nil
	}
	written, err := os.ReadFile(o.Config)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(written))
	d.UseNumber()
	if err := d.Decode(&c.tree); err != nil {
		return nil, fmt.Errorf("%s is no JSON object: %w", o.Config, err)
	}
	delete(c.tree, "plugin") // the engine's own key
	c.dir = filepath.Dir(o.Config)
	return c, c.split(s, c.tree, "", o.lookup)
}

func (o Options) lookup(name string) (string, bool) {
	if o.LookupEnv != nil {
		return o.LookupEnv(name)
	}
	return os.LookupEnv(name)
}

// make is a value that the schema should accept. Secrets are set apart, each a
// text that occurs nowhere else.
func (c *config) make(s *schema, pointer string, depth int) any {
	const deepest = 16
	switch {
	case s == nil || depth > deepest:
		return nil
	case s.Secret:
		c.secrets[pointer] = "canary-" + rand.Text()
		return nil
	case len(s.Examples) > 0 && !s.hasSecrets():
		return s.Examples[0]
	case len(s.Default) > 0:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	}
	switch s.Type {
	case "object":
		return c.makeObject(s, pointer, depth)
	case "array":
		return c.makeArray(s, pointer, depth)
	case "string":
		return "example"
	case "boolean":
		return false
	case "integer", "number":
		return 1
	}
	return nil
}

func (c *config) makeObject(s *schema, pointer string, depth int) any {
	object := map[string]any{}
	for name, property := range s.Properties {
		if property == nil || !slices.Contains(s.Required, name) && len(property.Examples) == 0 {
			continue
		}
		if value := c.make(property, pointer+"/"+escape(name), depth+1); value != nil {
			object[name] = value
		}
	}
	return object
}

// makeArray takes the example's length where the items hold secrets, which the
// kit fills in itself.
func (c *config) makeArray(s *schema, pointer string, depth int) any {
	if s.Items == nil {
		return []any{}
	}
	return []any{c.make(s.Items, pointer+"/0", depth+1)}
}

// hasSecrets tells whether a secret lies within.
func (s *schema) hasSecrets() bool {
	if s == nil {
		return false
	}
	for _, property := range s.Properties {
		if property.hasSecrets() {
			return true
		}
	}
	return s.Secret || s.Items.hasSecrets()
}

// split takes the secrets out of a tree, as the engine does: an entry of an
// object goes, one of a list becomes null.
func (c *config) split(s *schema, value any, pointer string, lookup func(string) (string, bool)) error {
	if s == nil {
		return nil
	}
	switch typed := value.(type) {
	case map[string]any:
		for name, child := range maps.Clone(typed) {
			property, at := s.child(name), pointer+"/"+escape(name)
			if property == nil || !property.Secret {
				if err := c.split(property, child, at, lookup); err != nil {
					return err
				}
				continue
			}
			if err := c.take(child, at, lookup); err != nil {
				return err
			}
			delete(typed, name)
		}
	case []any:
		for i, child := range typed {
			at := pointer + "/" + strconv.Itoa(i)
			if s.Items == nil || !s.Items.Secret {
				if err := c.split(s.Items, child, at, lookup); err != nil {
					return err
				}
				continue
			}
			if err := c.take(child, at, lookup); err != nil {
				return err
			}
			typed[i] = nil
		}
	}
	return nil
}

// child is the schema of a key.
func (s *schema) child(name string) *schema {
	if property, ok := s.Properties[name]; ok {
		return property
	}
	values := new(schema)
	if len(s.Additional) == 0 || json.Unmarshal(s.Additional, values) != nil {
		return nil
	}
	return values
}

// take resolves a secret.
func (c *config) take(value any, pointer string, lookup func(string) (string, bool)) error {
	switch typed := value.(type) {
	case string:
		c.secrets[pointer] = typed
		return nil
	case map[string]any:
		if name, ok := typed["env"].(string); ok {
			text, found := lookup(name)
			if !found {
				return fmt.Errorf("configuration %s: the variable %s is not set", pointer, name)
			}
			c.secrets[pointer] = text
			return nil
		}
		if path, ok := typed["file"].(string); ok {
			if !filepath.IsAbs(path) {
				path = filepath.Join(c.dir, path)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("configuration %s: %w", pointer, err)
			}
			c.secrets[pointer] = strings.TrimRight(string(text), "\r\n")
			return nil
		}
	}
	return fmt.Errorf(`configuration %s: want a text, {"env": "NAME"} or {"file": "path"}`, pointer)
}

// message is the configuration as it travels.
func (c *config) message() *pb.Config {
	text, err := json.Marshal(c.tree)
	if err != nil {
		text = []byte("{}") // it came from JSON
	}
	m := &pb.Config{ConfigJson: string(text), Secrets: map[string]*pb.Secret{}}
	for pointer, secret := range c.secrets {
		m.Secrets[pointer] = &pb.Secret{Text: secret}
	}
	return m
}

// without is the configuration less one key at its top.
func (c *config) without(name string) *config {
	less := &config{schema: c.schema, tree: maps.Clone(c.tree), secrets: maps.Clone(c.secrets), dir: c.dir}
	delete(less.tree, name)
	at := "/" + escape(name)
	maps.DeleteFunc(less.secrets, func(pointer, _ string) bool { return pointer == at || strings.HasPrefix(pointer, at+"/") })
	return less
}

var escapes = strings.NewReplacer("~", "~0", "/", "~1")

// escape is a key as a JSON pointer spells it.
func escape(key string) string { return escapes.Replace(key) }
