package settings

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
)

// keyBytes is the length of a key: AES-256.
const keyBytes = 32

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
		got, err := readKeys(n)
		if err == nil {
			*p = got
		}
		return err
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

// readKeys reports all that is wrong with any key.
func readKeys(n *node) ([]Key, error) {
	if n.kind != '[' {
		return nil, fmt.Errorf("%s stands here, a list of keys is expected", n.what())
	}
	var got []Key
	var problems []error
	for i, item := range n.items {
		key, err := readKey(item)
		if err == nil && slices.ContainsFunc(got, func(k Key) bool { return k.ID == key.ID }) {
			err = fmt.Errorf("has id %d, which another key has", key.ID)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("key %d %w", i+1, err))
			continue
		}
		got = append(got, key)
	}
	return got, errors.Join(problems...)
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
