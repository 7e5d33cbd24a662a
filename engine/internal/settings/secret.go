package settings

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

const masked = "***"

// keyBytes is the length of a key: AES-256.
const keyBytes = 32

// URL is an address that may hold a password. However it is printed, the
// password shows as ***.
type URL struct{ text string }

// NewURL wraps an address.
func NewURL(text string) URL { return URL{text} }

// Reveal is the whole address, for whoever connects to it.
func (u URL) Reveal() string { return u.text }

// Empty tells whether there is none.
func (u URL) Empty() bool { return u.text == "" }

// String is the address without what is secret in it.
//
// It works on the text: lists of hosts, as in addresses of clusters, are no
// URL to the standard library.
func (u URL) String() string {
	scheme, rest, ok := strings.Cut(u.text, "://")
	if !ok {
		if u.text == "" {
			return ""
		}
		return masked
	}
	// A password may hold anything, so it ends at the last @.
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, _, _ := strings.Cut(rest[:at], ":")
		rest = user + ":" + masked + rest[at:]
	}
	rest, query, asked := strings.Cut(rest, "?")
	if asked {
		rest += "?" + maskQuery(query)
	}
	return scheme + "://" + rest
}

func maskQuery(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err != nil || isSecretName(plain) {
			parts[i] = name + "=" + masked
		}
	}
	return strings.Join(parts, "&")
}

// Format implements [fmt.Formatter] for every verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(u.String())) }

// LogValue implements [slog.LogValuer].
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

var scheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://.`)

func address(p *URL, key, meaning string) field {
	f := field{key: key, kind: urlKind, meaning: meaning}
	f.read = func(n *node) error {
		got, err := textOf(n, "an address")
		if err != nil {
			return err
		}
		if !scheme.MatchString(got) {
			return errors.New("is no address; write it as redis://user:password@host:6379/0")
		}
		*p = NewURL(got)
		return nil
	}
	f.show = func() any {
		if p.Empty() {
			return nil
		}
		return p.String()
	}
	return f
}

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
		if n.kind != '{' {
			return fmt.Errorf("%s stands here, an object of librdkafka's properties is expected", n.what())
		}
		got := Connection{}
		for _, m := range n.members {
			if !slices.Contains([]string{`"`, "0", "t", "f"}, string(m.value.kind)) {
				return fmt.Errorf("%s is %s; write a text, a number, true or false", m.name, m.value.what())
			}
			got[m.name] = m.value.text
		}
		if len(got) > 0 && got["bootstrap.servers"] == "" && got["metadata.broker.list"] == "" {
			return errors.New("has no bootstrap.servers")
		}
		*p = got
		return nil
	}
	f.show = func() any {
		if len(*p) == 0 {
			return nil
		}
		return p.Masked()
	}
	return f
}

// Key encrypts credentials between processes.
type Key struct {
	ID  uint8
	Key sdk.Secret // 32 bytes, in base64 or hex
}

// Bytes are the key's 32 bytes. Keep them nowhere but where they are used.
func (k Key) Bytes() []byte {
	decoded, _ := decodeKey(k.Key.Reveal()) // Load has checked it
	return decoded
}

// decodeKey reads 32 bytes in hex or any spelling of base64.
func decodeKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	decoders := []func(string) ([]byte, error){
		hex.DecodeString,
		base64.StdEncoding.DecodeString,
		base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString,
		base64.RawURLEncoding.DecodeString,
	}
	for _, decode := range decoders {
		if b, err := decode(text); err == nil && len(b) == keyBytes {
			return b, nil
		}
	}
	return nil, errors.New("is not 32 bytes in base64 or hex; `engine secret new-key` prints one")
}

func keyList(p *[]Key, key, meaning string) field {
	k := kind{name: "list of keys, secret", schema: map[string]any{"type": "array", "items": map[string]any{"$ref": "#/$defs/key"}}}
	f := field{key: key, kind: k, meaning: meaning}
	f.read = func(n *node) error {
		if n.kind != '[' {
			return fmt.Errorf("%s stands here, a list of keys is expected", n.what())
		}
		var got []Key
		var problems []error
		for i, item := range n.items {
			one, err := readKey(item)
			if err == nil && slices.ContainsFunc(got, func(k Key) bool { return k.ID == one.ID }) {
				err = fmt.Errorf("has id %d, which another key has", one.ID)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("key %d %w", i+1, err))
				continue
			}
			got = append(got, one)
		}
		*p = got
		return errors.Join(problems...)
	}
	f.show = func() any {
		shown := make([]map[string]any, 0, len(*p))
		for _, k := range *p {
			shown = append(shown, map[string]any{"id": k.ID, "key": masked})
		}
		if len(shown) == 0 {
			return nil
		}
		return shown
	}
	return f
}

func readKey(n *node) (Key, error) {
	if n.kind != '{' {
		return Key{}, fmt.Errorf(`is %s; write it as {"id": 1, "key": "…"}`, n.what())
	}
	for _, m := range n.members {
		if m.name != "id" && m.name != "key" {
			return Key{}, fmt.Errorf("has an unknown %q; it has id and key", m.name)
		}
	}
	id, key := n.member("id"), n.member("key")
	if id == nil || key == nil {
		return Key{}, errors.New("lacks its id or its key")
	}
	number, err := strconv.ParseUint(id.text, 10, 8)
	if id.kind != '0' || err != nil || number == 0 {
		return Key{}, errors.New("has no id between 1 and 255")
	}
	if key.kind != '"' {
		return Key{}, fmt.Errorf("has %s as its key; write a text", key.what())
	}
	if _, err := decodeKey(key.text); err != nil {
		return Key{}, err
	}
	return Key{ID: uint8(number), Key: sdk.NewSecret(key.text)}, nil
}
