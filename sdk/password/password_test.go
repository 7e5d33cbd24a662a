package password

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// vector is a password that another program encrypted; testdata/vectors.py.
type vector struct{ Name, Secret, Password, Text string }

func vectors(t testing.TB) []vector {
	t.Helper()
	content, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 5 {
		t.Fatalf("only %d vectors", len(all))
	}
	return all
}

func TestDecryptsWhatAnotherProgramEncrypted(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			got, err := Decrypt(v.Secret, "\t"+v.Text+"\n")
			if err != nil || got != v.Password {
				t.Errorf("got %q, %v; want %q", got, err, v.Password)
			}
			text, err := Encrypt(v.Secret, v.Password)
			if err != nil {
				t.Fatal(err)
			}
			if text == v.Text {
				t.Error("salt and initialisation vector are not random")
			}
			if len(text) != len(v.Text) {
				t.Errorf("the text has %d characters, another program's has %d", len(text), len(v.Text))
			}
			if got, err := Decrypt(v.Secret, text); err != nil || got != v.Password {
				t.Errorf("round trip: got %q, %v; want %q", got, err, v.Password)
			}
		})
	}
}

// TestEncryptsAsAnotherProgramDoes encrypts with the salt and the IV of the
// vectors: byte for byte the same comes out.
func TestEncryptsAsAnotherProgramDoes(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t)[:4] {
		_, salt, iv, err := split(v.Text)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := encrypt(v.Secret, v.Password, salt, iv); err != nil || text != v.Text {
			t.Errorf("%s: got %q, %v; want %q", v.Name, text, err, v.Text)
		}
	}
}

// TestWrongSecret is told, and the error gives nothing away.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			for _, secret := range []string{v.Secret + " "} {
				got, err := Decrypt(secret, v.Text)
				if !errors.Is(err, ErrWrongSecret) || got != "" {
					t.Fatalf("got %q, %v", got, err)
				}
				if len(secret) > 3 && strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), v.Text) {
					t.Errorf("the error holds what it should not: %v", err)
				}
			}
		})
	}
}

func TestRefusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ secret, password, want string }{
		"no password":      {"s", "", "empty"},
		"space at the end": {"s", "hidden7 ", "ends in a space"},
		"only spaces":      {"s", "   ", "ends in a space"},
		"not UTF-8":        {"s", "hidden7\xff", "not UTF-8"},
		"line end":         {"s", "hidden7\n", "control character"},
		"no secret":        {"", "hidden7", "secret is empty"},
		"too long":         {"s", strings.Repeat("hidden7", 10000), "longer than"},
	} {
		text, err := Encrypt(c.secret, c.password)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hidden7") || text != "" {
			t.Errorf("%s: got %q, %v; want an error with %q", name, text, err, c.want)
		}
	}
}

func TestRefusesWhatIsNoEncryptedPassword(t *testing.T) {
	t.Parallel()
	b := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for name, text := range map[string]string{
		"empty":               "",
		"plain password":      "hunter2",
		"one piece":           b(64),
		"no ciphertext":       b(16) + b(16),
		"short ciphertext":    b(15) + b(16) + b(16),
		"long ciphertext":     b(17) + b(16) + b(16),
		"short salt":          b(16) + b(15) + b(16),
		"long IV":             b(16) + b(16) + b(18),
		"all in one base64":   b(48),
		"URL alphabet":        strings.Repeat("-", 22) + "==" + b(16) + b(16),
		"line end within":     b(16)[:10] + "\n" + b(16)[10:] + b(16) + b(16),
		"bits after the end":  "AAAAAAAAAAAAAAAAAAAAAB==" + b(16) + b(16),
		"longer than allowed": b(48*1024) + b(16) + b(16),
	} {
		if got, err := Decrypt("secret", text); !errors.Is(err, ErrFormat) || got != "" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Text)
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		ciphertext, salt, iv, err := split(text)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%v", err)
			}
			return
		}
		b64 := base64.StdEncoding.EncodeToString
		if again := b64(ciphertext) + b64(salt) + b64(iv); again != text {
			t.Errorf("split took %q for %q", text, again)
		}
	})
}
