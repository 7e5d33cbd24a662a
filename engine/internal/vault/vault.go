// Package vault keeps credentials from being read by anybody but the engine:
// it encrypts them on their way through Redis, and makes the ids by which
// logins and accounts are known everywhere else.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// KeySize is the length of a key in bytes: AES-256.
const KeySize = 32

// Key encrypts and decrypts. Printed, it shows its id only.
type Key struct {
	ID  uint8 // 1 to 255; it stands in front of all that the key encrypted
	key [KeySize]byte
}

// NewKey makes a key of random bytes.
func NewKey(id uint8) (Key, error) {
	k := Key{ID: id}
	if _, err := rand.Read(k.key[:]); err != nil {
		return Key{}, fmt.Errorf("make a key: %w", err)
	}
	return k, nil
}

// ParseKey reads a key of 32 bytes in base64 or hex. The error does not show
// it.
func ParseKey(id uint8, text string) (Key, error) {
	text = strings.TrimSpace(text)
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if raw, err := decode(text); err == nil && len(raw) == KeySize {
			return Key{ID: id, key: [KeySize]byte(raw)}, nil
		}
	}
	return Key{}, fmt.Errorf("key %d is not %d bytes in base64 or hex; `engine secret new-key` makes one", id, KeySize)
}

// Text is the key as ParseKey reads it. Give it to nobody but its owner.
func (k Key) Text() string { return base64.StdEncoding.EncodeToString(k.key[:]) }

// Format implements [fmt.Formatter] for every verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "key %d", k.ID) }

// LogValue implements [slog.LogValuer].
func (k Key) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// MarshalText implements [encoding.TextMarshaler].
func (k Key) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(k)), nil }

// Errors that callers decide on.
var (
	// ErrUnknownKey: encrypted with a key that is not configured here.
	ErrUnknownKey = errors.New("encrypted with a key that is not configured")
	// ErrBroken: not what was encrypted, or not for this purpose.
	ErrBroken = errors.New("cannot be decrypted")
)

// Sealer encrypts with the first of its keys and decrypts with all.
type Sealer struct {
	first   uint8
	aeads   map[uint8]cipher.AEAD
	missing func(key uint8) // may be nil
}

// First is the id of the key that encrypts.
func (s *Sealer) First() uint8 { return s.first }

// OnMissing sets who is told when something is encrypted with a key that is not
// configured here. Call it before the Sealer is used.
func (s *Sealer) OnMissing(tell func(key uint8)) { s.missing = tell }

// NewSealer returns a Sealer of at least one key.
func NewSealer(keys ...Key) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("no key to encrypt with; `engine secret new-key` makes one")
	}
	s := &Sealer{first: keys[0].ID, aeads: make(map[uint8]cipher.AEAD, len(keys))}
	for _, k := range keys {
		block, err := aes.NewCipher(k.key[:])
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", k.ID, err)
		}
		if s.aeads[k.ID], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("key %d: %w", k.ID, err)
		}
	}
	return s, nil
}

// Seal encrypts text for a purpose: Open must name the same. The result is the
// key's id, a nonce, and the ciphertext.
func (s *Sealer) Seal(text []byte, purpose string) ([]byte, error) {
	aead := s.aeads[s.first]
	sealed := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(text)+aead.Overhead())
	sealed[0] = s.first
	if _, err := rand.Read(sealed[1:]); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	return aead.Seal(sealed, sealed[1:], text, []byte(purpose)), nil
}

// Open decrypts what Seal encrypted for the same purpose. It fails with
// ErrUnknownKey and ErrBroken.
func (s *Sealer) Open(sealed []byte, purpose string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, ErrBroken
	}
	aead, ok := s.aeads[sealed[0]]
	if !ok {
		if s.missing != nil {
			s.missing(sealed[0])
		}
		return nil, fmt.Errorf("%w: number %d", ErrUnknownKey, sealed[0])
	}
	if len(sealed) < 1+aead.NonceSize() {
		return nil, ErrBroken
	}
	text, err := aead.Open(nil, sealed[1:1+aead.NonceSize()], sealed[1+aead.NonceSize():], []byte(purpose))
	if err != nil {
		return nil, ErrBroken // the cause says nothing more
	}
	return text, nil
}
