package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/datadis-engine/datadis/plugins/internal/users"
)

// FuzzReadUsers reads anything. Whatever is accepted is a user that can be
// asked for, each problem is one line of text, and every user keeps its own
// password.
func FuzzReadUsers(f *testing.F) {
	seeds, err := filepath.Glob("testdata/bad/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range append(seeds, "users.example.csv", "users.example.json") {
		content, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for r, err := range readUsers(bytes.NewReader(content)) {
			if err != nil {
				if strings.TrimSpace(err.Error()) == "" || !utf8.ValidString(err.Error()) {
					t.Errorf("the problem says nothing: %q", err)
				}
				continue
			}
			g := r.Grant
			if g.Username == "" || strings.TrimSpace(g.Password.Reveal()) == "" || g.Key == "" {
				t.Errorf("accepted %q with an empty field", g.Username)
			}
		}
	})
}

// FuzzPassword writes a password as CSV does and reads it back.
func FuzzPassword(f *testing.F) {
	for _, password := range oddPasswords {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if users.CheckPassword(password) != nil || strings.ContainsAny(password, "\n\x00") || len(password) > 1000 {
			t.Skip("refused, with a message of its own")
		}
		file := "password,username\n\"" + strings.ReplaceAll(password, `"`, `""`) + "\",12345678Z\n"
		read := 0
		for r, err := range readUsers(strings.NewReader(file)) {
			if err != nil || r.Grant.Password.Reveal() != password {
				t.Errorf("%q became %q, %v", password, r.Grant.Password.Reveal(), err)
			}
			read++
		}
		if read != 1 {
			t.Errorf("%q was read as %d users", password, read)
		}
	})
}
