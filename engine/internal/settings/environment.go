package settings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const environmentPrefix = "DATADIS_"

// connectionKey is the one setting whose properties have a variable each.
const connectionKey = "kafka.connection"

// kubernetes matches the ends of the names that Kubernetes injects for each
// service: DATADIS_ENGINE_SERVICE_HOST, DATADIS_ENGINE_PORT_8080_TCP_ADDR, …
var kubernetes = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// environ is the environment's variables; empty ones count as not set.
type environ map[string]string

func newEnviron(pairs []string) environ {
	e := environ{}
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && value != "" {
			e[name] = value
		}
	}
	return e
}

// environment overlays what the variables say.
func (l *loader) environment() {
	known := map[string]bool{}
	for i := range l.fields {
		f := &l.fields[i]
		name := EnvironmentName(f.key)
		known[name] = true
		if value, ok := l.environ[name]; ok {
			l.given(f, value, name)
		}
	}
	l.properties(known)
	l.nearMisses(known)
}

// standardTraces takes the endpoint of traces from the variables that programs
// with OpenTelemetry have in common, where it is not set otherwise.
func (l *loader) standardTraces() {
	const key = "traces.endpoint"
	if l.settings.Origin(key) != "" || l.environ["OTEL_TRACES_EXPORTER"] == "none" || l.environ["OTEL_SDK_DISABLED"] == "true" {
		return
	}
	if value, name := l.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"; value != "" {
		l.given(l.field(key), value, name)
	} else if value, name := l.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], "OTEL_EXPORTER_OTLP_ENDPOINT"; value != "" {
		l.given(l.field(key), strings.TrimSuffix(value, "/")+"/v1/traces", name)
	}
}

// flag overlays what a flag says.
func (l *loader) flag(flag Flag) {
	f := l.field(flag.Key)
	if f == nil {
		panic("settings: no setting " + flag.Key) // a mistake in a command
	}
	l.given(f, flag.Value, flag.Name)
}

// given sets a setting from bare text: as it is, or as JSON where that is meant.
func (l *loader) given(f *field, value, by string) {
	n := bare(value, by)
	if (!f.kind.textual || isReference(value)) && looksJSON(value) {
		parsed, err := parse([]byte(value), func(int) string { return by })
		if err != nil {
			l.problem(by, f.key, "is not what JSON allows: a name stands there twice")
			return
		}
		n = parsed
	}
	l.set(f, n, "")
}

// isReference tells whether a text has the look of {"file": …} or {"env": …}.
func isReference(value string) bool {
	value = strings.TrimSpace(value)
	return strings.HasPrefix(value, "{") && (strings.Contains(value, `"file"`) || strings.Contains(value, `"env"`))
}

// properties reads DATADIS_KAFKA_CONNECTION_BOOTSTRAP_SERVERS and its like into
// the connection, and marks them as known.
func (l *loader) properties(known map[string]bool) {
	prefix := EnvironmentName(connectionKey) + "_"
	names := make([]string, 0, 4)
	for name := range l.environ {
		if strings.HasPrefix(name, prefix) && len(name) > len(prefix) && !kubernetes.MatchString(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	merged := maps.Clone(map[string]string(l.settings.Kafka.Connection))
	if merged == nil {
		merged = map[string]string{}
	}
	for _, name := range names {
		known[name] = true
		property := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", "."))
		n := bare(l.environ[name], name)
		if isReference(n.text) {
			if parsed, err := parse([]byte(n.text), func(int) string { return name }); err == nil {
				n = parsed
			}
		}
		if err := l.reference(n, ""); err != nil {
			l.problem(name, connectionKey, err.Error())
			continue
		}
		if n.kind != '"' {
			l.problem(name, connectionKey, fmt.Sprintf("%s stands here, a text is expected", n.what()))
			continue
		}
		merged[property] = n.text
	}
	l.connect(merged, strings.Join(names, ", "))
}

// connect sets the merged connection.
func (l *loader) connect(properties map[string]string, by string) {
	n := &node{kind: '{', where: by}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		n.members = append(n.members, member{name, &node{kind: '"', text: properties[name], where: by}})
	}
	l.set(l.field(connectionKey), n, "")
}

// nearMisses warns about variables that were probably meant.
func (l *loader) nearMisses(known map[string]bool) {
	names := slices.Sorted(maps.Keys(known))
	for _, name := range slices.Sorted(maps.Keys(l.environ)) {
		if !strings.HasPrefix(name, environmentPrefix) || known[name] || kubernetes.MatchString(name) {
			continue
		}
		// DATADIS_BASE_URL for DATADIS_DATADIS_BASE_URL.
		meant := environmentPrefix + name
		if !known[meant] {
			meant = nearest(name, names)
		}
		if meant != "" {
			l.warnings = append(l.warnings, fmt.Sprintf("%s: is no setting and was ignored; did you mean %s?", name, meant))
		}
	}
}
