package settings

import (
	"bytes"
	"fmt"
	"strings"
)

const referenceHead = `# Configuration

One JSON file: ` + "`--config`, else `$CONF_FILE`, else `config.json`" + ` where it exists. Every setting
can be given by the environment too, which outweighs the file; flags outweigh both. Unknown
settings are errors. ` + "`engine doctor --config`" + ` prints what is in force, ` + "`engine doctor --env`" + `
where it came from. Name [config.schema.json](config.schema.json) as ` + "`\"$schema\"`" + ` in the file and
your editor completes it.

- **Secrets.** Wherever a text is expected, ` + "`{\"file\": \"/path\"}` or `{\"env\": \"NAME\"}`" + ` may stand in its place.
- **Durations** are written ` + "`30s`, `5m`, `24h`, `1h30m`" + `.
- **Paths** in the file are relative to the file; elsewhere, and by default, to the working directory.
- **Environment.** Lists are written with commas or as JSON, objects as JSON. A variable that is empty
  counts as not set. Each property of ` + "`kafka.connection`" + ` has a variable of its own, with underscores
  for dots: ` + "`DATADIS_KAFKA_CONNECTION_BOOTSTRAP_SERVERS`" + `.
- **Local mode.** Addresses that are left out of ` + "`redis`, and `kafka.connection`" + `, are embedded by
  ` + "`engine run`" + `; ` + "`producer`, `consumer` and `harmonizer`" + ` need them, and ` + "`secrets.keys`" + ` too.

This page is generated from the settings' table; ` + "`make generate`" + ` renews it.
`

// Reference is docs/configuration.md.
func Reference() []byte {
	var out bytes.Buffer
	out.WriteString(referenceHead)
	section := ""
	for _, f := range new(Settings).fields() {
		if next, _, _ := strings.Cut(f.key, "."); next != section {
			section = next
			fmt.Fprintf(&out, "\n## %s\n\n| setting | type | default | environment | meaning |\n|---|---|---|---|---|\n", section)
		}
		kind := f.kind.name
		if options, ok := f.limits["enum"].([]string); ok {
			kind = strings.Join(options, ", ")
		}
		initial := ""
		if f.initial != "" {
			initial = "`" + f.initial + "`"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | `%s` | %s |\n", f.key, kind, initial, EnvironmentName(f.key), strings.ReplaceAll(f.meaning, "|", `\|`))
	}
	return out.Bytes()
}

// Variable is an environment variable that sets a setting.
type Variable struct {
	Name    string `json:"name"`
	Key     string `json:"key"`
	Kind    string `json:"type"`
	Default string `json:"default"`
	Origin  string `json:"origin"` // where it is set now, "" if it has its default
}

// Variables lists the environment variables in the order of the reference.
func (s *Settings) Variables() []Variable {
	fields := s.fields()
	variables := make([]Variable, 0, len(fields))
	for _, f := range fields {
		variables = append(variables, Variable{
			Name:    EnvironmentName(f.key),
			Key:     f.key,
			Kind:    f.kind.name,
			Default: f.initial,
			Origin:  s.origins[f.key],
		})
	}
	return variables
}
