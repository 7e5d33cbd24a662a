package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const masked = "***"

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

// fileParameters are those whose value is a path.
var fileParameters = []string{"tls_ca", "tls_cert", "tls_key"}

// anchorParameters makes the paths in an address relative to where it was
// written. What cannot be read stays: whoever opens the address says so.
func anchorParameters(n *node, dir string) {
	before, query, asked := strings.Cut(n.text, "?")
	if n.plain || !asked {
		return
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		path, err := url.QueryUnescape(value)
		if err == nil && path != "" && !filepath.IsAbs(path) && slices.Contains(fileParameters, name) {
			parts[i] = name + "=" + url.QueryEscape(filepath.Join(dir, path))
		}
	}
	n.text = before + "?" + strings.Join(parts, "&")
}

var scheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://.`)

func address(p *URL, key, meaning string) field {
	f := field{key: key, kind: urlKind, meaning: meaning, anchor: anchorParameters}
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
