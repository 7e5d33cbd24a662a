package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
)

// Connection holds the properties handed to librdkafka. Printed, it shows no
// secret.
type Connection map[string]string

// Masked is the properties for people.
func (c Connection) Masked() map[string]string {
	shown := maps.Clone(map[string]string(c))
	for name := range shown {
		if isSecretName(name) {
			shown[name] = masked
		}
	}
	return shown
}

// Format implements [fmt.Formatter] for every verb.
func (c Connection) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, c.Masked()) }

// LogValue implements [slog.LogValuer].
func (c Connection) LogValue() slog.Value { return slog.AnyValue(c.Masked()) }

// MarshalJSON implements [json.Marshaler].
func (c Connection) MarshalJSON() ([]byte, error) { return marshal(c.Masked()) }

// isSecretName tells whether a property or a parameter of this name is secret:
// sasl.password, ssl.key.pem, sasl.oauthbearer.config, …
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, ".location") {
		return false
	}
	for _, part := range []string{"password", "passwd", "secret", "token", ".key.", ".pem", "jaas", "oauthbearer.config", "credential"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func connection(p *Connection, key, meaning string) field {
	k := kind{name: "object of texts", schema: map[string]any{"$ref": "#/$defs/properties"}}
	f := field{key: key, kind: k, meaning: meaning}
	f.read = func(n *node) error {
		got, err := readProperties(n)
		if err == nil {
			*p = got
		}
		return err
	}
	f.show = func() any {
		if len(*p) == 0 {
			return nil
		}
		return p.Masked()
	}
	return f
}

func readProperties(n *node) (Connection, error) {
	if n.kind != '{' {
		return nil, fmt.Errorf("%s stands here, an object of librdkafka's properties is expected", n.what())
	}
	got := Connection{}
	for _, m := range n.members {
		switch m.value.kind {
		case '{', '[', 'n':
			return nil, fmt.Errorf("%s is %s; write a text, a number, true or false", m.name, m.value.what())
		}
		got[m.name] = m.value.text
	}
	if len(got) > 0 && got["bootstrap.servers"] == "" && got["metadata.broker.list"] == "" {
		return nil, errors.New("has no bootstrap.servers")
	}
	return got, nil
}
