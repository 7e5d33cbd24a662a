package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/datadis-engine/datadis/engine/internal/size"
)

// Limits of one plugin's process. A field that is 0 sets no limit. Core dumps,
// which would hold credentials, are never written.
type Limits struct {
	// Memory in bytes that a plugin written in Go tries to stay below: its
	// collector works harder. It is no wall.
	Memory int64
	// AddressSpace in bytes is a wall: beyond it, allocations fail and the
	// process ends. A program in Go reserves about 1.5 GiB before it does
	// anything.
	AddressSpace int64
	OpenFiles    int // files and connections at the same time
	CPUs         int // that a plugin written in Go uses at the same time
	Nice         int // 1 to 19: how far it steps back where the machine is busy
}

// over fills what is not set from the limits of all plugins.
func (l Limits) over(all Limits) Limits {
	merged := all
	for _, one := range []struct{ own, to *int64 }{{&l.Memory, &merged.Memory}, {&l.AddressSpace, &merged.AddressSpace}} {
		if *one.own != 0 {
			*one.to = *one.own
		}
	}
	for _, one := range []struct{ own, to *int }{{&l.OpenFiles, &merged.OpenFiles}, {&l.CPUs, &merged.CPUs}, {&l.Nice, &merged.Nice}} {
		if *one.own != 0 {
			*one.to = *one.own
		}
	}
	return merged
}

// environment are the limits that a runtime sets for itself.
func (l Limits) environment() []string {
	var env []string
	if l.Memory > 0 {
		env = append(env, fmt.Sprintf("GOMEMLIMIT=%d", l.Memory))
	}
	if l.CPUs > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", l.CPUs))
	}
	return env
}

// List names the limits that are set, for people.
func (l Limits) List() []string {
	var list []string
	if l.Memory > 0 {
		list = append(list, "memory "+size.Format(l.Memory))
	}
	if l.AddressSpace > 0 {
		list = append(list, "address_space "+size.Format(l.AddressSpace))
	}
	for _, one := range []struct {
		name  string
		value int
	}{{"open_files", l.OpenFiles}, {"cpus", l.CPUs}, {"nice", l.Nice}} {
		if one.value > 0 {
			list = append(list, fmt.Sprintf("%s %d", one.name, one.value))
		}
	}
	return list
}

// own is what an instance's file says to the engine, below the key "plugin".
// The name alone may stand in the place of the object.
type own struct {
	Name     string    `json:"name"`
	Disabled bool      `json:"disabled"`
	Limits   ownLimits `json:"limits"`
}

type ownLimits struct {
	Memory       string `json:"memory"`
	AddressSpace string `json:"address_space"`
	OpenFiles    int    `json:"open_files"`
	CPUs         int    `json:"cpus"`
	Nice         int    `json:"nice"`
}

// parseOwn reads the key "plugin" of an instance's file.
func parseOwn(text []byte) (own, error) {
	const want = `/plugin: want the name of a plugin, such as "file", or {"name": "file", "limits": {…}}`
	var o own
	if json.Unmarshal(text, &o.Name) == nil && !bytes.Equal(text, []byte("null")) {
		if !validName.MatchString(o.Name) {
			return own{}, errors.New(want)
		}
		return o, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		if bytes.HasPrefix(text, []byte("{")) && !errors.Is(err, io.EOF) {
			return own{}, fmt.Errorf("/plugin: %w; known are name, disabled and limits (memory, address_space, open_files, cpus, nice)", err)
		}
		return own{}, errors.New(want)
	}
	if o.Name != "" && !validName.MatchString(o.Name) || !bytes.HasPrefix(text, []byte("{")) {
		return own{}, errors.New(want)
	}
	return o, nil
}

// The ranges of limits, here and in the settings.
const (
	MinOpenFiles = 32 // fewer do not carry the connection and a database
	MaxOpenFiles = 1_048_576
	MaxCPUs      = 1024
	MaxNice      = 19
)

// parse reads an instance's limits.
func (o ownLimits) parse() (Limits, error) {
	l := Limits{OpenFiles: o.OpenFiles, CPUs: o.CPUs, Nice: o.Nice}
	for _, one := range []struct {
		name, text string
		to         *int64
	}{{"memory", o.Memory, &l.Memory}, {"address_space", o.AddressSpace, &l.AddressSpace}} {
		if one.text == "" {
			continue
		}
		n, err := size.Parse(one.text)
		if err != nil {
			return Limits{}, fmt.Errorf("/plugin/limits/%s: %w", one.name, err)
		}
		*one.to = n
	}
	for _, one := range []struct {
		name              string
		value, least, max int
	}{{"open_files", l.OpenFiles, MinOpenFiles, MaxOpenFiles}, {"cpus", l.CPUs, 1, MaxCPUs}, {"nice", l.Nice, 1, MaxNice}} {
		if one.value != 0 && (one.value < one.least || one.value > one.max) {
			return Limits{}, fmt.Errorf("/plugin/limits/%s: want %d to %d, or 0 for none", one.name, one.least, one.max)
		}
	}
	return l, nil
}

// OwnSchema is the JSON Schema of the key "plugin" in an instance's file, which
// is the engine's and not the plugin's.
const OwnSchema = `{
  "description": "The plugin's binary, by default the one of the instance's own name; and what the engine is to do with its process.",
  "anyOf": [
    {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"},
    {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$", "description": "The name of the binary."},
        "disabled": {"type": "boolean", "description": "Whether the instance is left out."},
        "limits": {
          "type": "object",
          "description": "Limits of its process; they outweigh plugins.limits.",
          "additionalProperties": false,
          "properties": {
            "memory": {"type": "string", "description": "Memory that a plugin in Go tries to stay below (GOMEMLIMIT): 512MiB."},
            "address_space": {"type": "string", "description": "Address space beyond which it ends (RLIMIT_AS): 4GiB."},
            "open_files": {"type": "integer", "minimum": 0, "maximum": 1048576, "description": "Files and connections at the same time (RLIMIT_NOFILE)."},
            "cpus": {"type": "integer", "minimum": 0, "maximum": 1024, "description": "CPUs that a plugin in Go uses (GOMAXPROCS)."},
            "nice": {"type": "integer", "minimum": 0, "maximum": 19, "description": "How far it steps back where the machine is busy."}
          }
        }
      }
    }
  ]
}`

// FileSchema is the JSON Schema of an instance's file: what the plugin
// declares, and the engine's own key.
func FileSchema(configSchema json.RawMessage) (json.RawMessage, error) {
	schema := map[string]any{"type": "object"}
	if len(configSchema) > 0 {
		if err := json.Unmarshal(configSchema, &schema); err != nil {
			return nil, fmt.Errorf("the plugin's schema: %w", err)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		properties = make(map[string]any)
	}
	properties["plugin"] = json.RawMessage(OwnSchema)
	properties["$schema"] = map[string]any{"type": "string"}
	schema["properties"] = properties
	return json.MarshalIndent(schema, "", "  ")
}
