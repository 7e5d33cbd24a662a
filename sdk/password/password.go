// Package password keeps passwords as text in a project's database: encrypted
// with a secret that lies elsewhere. `engine secret encrypt` and `decrypt`
// speak the same format.
//
// The text is three pieces of standard base64, each padded by itself, one after
// the other:
//
//	ciphertext  AES-256 in CBC mode over the password, filled up with spaces
//	salt        16 bytes
//	IV          16 bytes
//
// The key is scrypt(secret, salt, N=16384, r=8, p=1), 32 bytes. There is always
// at least one space of padding: a password that fills its blocks gets another
// block.
//
// The format has no checksum. A wrong secret is told by what it makes of the
// text: no space at the end, no UTF-8, characters that nobody can type. One
// wrong secret in some hundred million passes for right. And since the padding
// is made of spaces, a password that ends in a space cannot be kept.
package password

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/scrypt"
)

const (
	saltSize = 16
	keySize  = 32

	// The cost of scrypt, as the format has it: 16 MiB and some 30 ms.
	costN, costR, costP = 16384, 8, 1

	// pieceLength is 16 bytes in base64.
	pieceLength = 24
	// maxText bounds what a field of a database can cost.
	maxText = 64 << 10
)

// ErrWrongSecret says that a text is well formed, but does not become a
// password with this secret.
var ErrWrongSecret = errors.New("the secret is probably not the one that the password was encrypted with")

// ErrFormat says that a text is no encrypted password at all.
var ErrFormat = errors.New("this is no encrypted password")

// Encrypt turns a password into text, another one each time. No error holds the
// password or the secret.
func Encrypt(secret, password string) (string, error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	random := make([]byte, saltSize+aes.BlockSize)
	rand.Read(random) // never fails
	return encrypt(secret, password, random[:saltSize], random[saltSize:])
}

// checkPassword refuses what Decrypt could not give back.
func checkPassword(password string) error {
	switch {
	case password == "":
		return errors.New("the password is empty")
	case strings.HasSuffix(password, " "):
		return errors.New("the password ends in a space, which this format cannot keep; change the password at Datadis")
	case !utf8.ValidString(password):
		return errors.New("the password is not UTF-8")
	case strings.ContainsFunc(password, unicode.IsControl):
		return errors.New("the password contains a control character, such as a line end")
	case len(password) > maxText/2:
		return fmt.Errorf("the password is longer than %d bytes", maxText/2)
	}
	return nil
}

func encrypt(secret, password string, salt, iv []byte) (string, error) {
	block, err := cipherOf(secret, salt)
	if err != nil {
		return "", err
	}
	padded := []byte(password + strings.Repeat(" ", aes.BlockSize-len(password)%aes.BlockSize))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	b64 := base64.StdEncoding.EncodeToString
	return b64(padded) + b64(salt) + b64(iv), nil
}

// Decrypt gives back the password of a text. The error wraps [ErrFormat] or
// [ErrWrongSecret] and holds nothing of either.
func Decrypt(secret, text string) (string, error) {
	ciphertext, salt, iv, err := split(strings.TrimSpace(text))
	if err != nil {
		return "", err
	}
	block, err := cipherOf(secret, salt)
	if err != nil {
		return "", err
	}
	plain := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	password := strings.TrimRight(string(plain), " ")
	padding := len(plain) - len(password)
	if padding == 0 || checkPassword(password) != nil {
		return "", ErrWrongSecret
	}
	return password, nil
}

// split takes the text apart. The salt and the IV have a fixed length, so they
// are counted from the end; what is before them is the ciphertext.
func split(text string) (ciphertext, salt, iv []byte, err error) {
	at := len(text) - 2*pieceLength
	switch {
	case at <= 0:
		return nil, nil, nil, fmt.Errorf("%w: it has %d characters, and the shortest has %d", ErrFormat, len(text), 3*pieceLength)
	case len(text) > maxText:
		return nil, nil, nil, fmt.Errorf("%w: it is longer than %d characters", ErrFormat, maxText)
	}
	pieces := [3]string{text[:at], text[at : at+pieceLength], text[at+pieceLength:]}
	names := [3]string{"the ciphertext", "the salt", "the initialisation vector"}
	var raw [3][]byte
	for i, piece := range pieces {
		// The decoder skips line ends; within a text they would shift it.
		if raw[i], err = base64.StdEncoding.Strict().DecodeString(piece); err != nil || strings.ContainsAny(piece, "\r\n") {
			return nil, nil, nil, fmt.Errorf("%w: %s is not standard base64", ErrFormat, names[i])
		}
	}
	if n := len(raw[0]); n == 0 || n%aes.BlockSize != 0 {
		return nil, nil, nil, fmt.Errorf("%w: the ciphertext has %d bytes, which is no multiple of %d", ErrFormat, n, aes.BlockSize)
	}
	if len(raw[1]) != saltSize || len(raw[2]) != aes.BlockSize {
		return nil, nil, nil, fmt.Errorf("%w: the salt and the initialisation vector have %d and %d bytes, not 16 each",
			ErrFormat, len(raw[1]), len(raw[2]))
	}
	return raw[0], raw[1], raw[2], nil
}

// cipherOf makes the key. It costs 16 MiB of memory for a moment.
func cipherOf(secret string, salt []byte) (cipher.Block, error) {
	if secret == "" {
		return nil, errors.New("the secret is empty")
	}
	key, err := scrypt.Key([]byte(secret), salt, costN, costR, costP, keySize)
	if err != nil {
		return nil, fmt.Errorf("deriving the key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("setting up AES: %w", err)
	}
	return block, nil
}
