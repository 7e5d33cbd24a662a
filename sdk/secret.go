package sdk

import (
	"fmt"
	"log/slog"
)

const hidden = "***"

// Secret is a text that must not be seen: however it is printed, logged or
// marshalled it shows as ***. Reveal is the only way to its content.
type Secret struct{ text string }

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the hidden text. Call it where the secret is used, and keep
// the result nowhere.
func (s Secret) Reveal() string { return s.text }

// Empty tells whether there is nothing to hide.
func (s Secret) Empty() bool { return s.text == "" }

// Format implements [fmt.Formatter] for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements [encoding.TextMarshaler], and so hides the secret from
// JSON too.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]: a secret in a
// configuration is written as plain text.
func (s *Secret) UnmarshalText(text []byte) error {
	s.text = string(text)
	return nil
}
