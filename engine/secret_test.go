package main

import (
	"bytes"
	"strings"
	"testing"
)

// text is an encrypted "pw", made by another program with "a made-up secret".
const encryptedPW = "tLS/3YDDeDb/ese45Ovl2g==IfbvqFHWwv1dCEv6LoUuUQ==8WUJ9MA0nQOLQ92E+0BFpw=="

// typed runs a command with something on its standard input.
func (s *shell) typed(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := newApp(&stdout, &stderr, s.environ)
	a.stdin = strings.NewReader(stdin)
	code := a.execute(t.Context(), args)
	return result{code, s.clean(stdout.String()), s.clean(stderr.String())}
}

func TestSecretDecrypt(t *testing.T) {
	t.Parallel()
	s := newShell(t, "")
	s.environ = append(s.environ, "PROJECT_SECRET=a made-up secret", "TEXT="+encryptedPW, "WRONG=not this one")
	secret := s.write(t, "secret", "a made-up secret\r\n")
	text := s.write(t, "text", encryptedPW+"\n")
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  result
	}{
		"text from stdin":   {encryptedPW + "\n", []string{"--secret-file", secret}, result{codeDone, "pw\n", ""}},
		"secret from stdin": {"a made-up secret\n", []string{"--text-file", text}, result{codeDone, "pw\n", ""}},
		"both from the environment": {"", []string{"--secret-env", "PROJECT_SECRET", "--text-env", "TEXT"},
			result{codeDone, "pw\n", ""}},
		"wrong secret": {encryptedPW, []string{"--secret-env", "WRONG"}, result{codeFailed, "",
			"engine: the secret is probably not the one that the password was encrypted with\n"}},
		"no text at all": {"", []string{"--secret-env", "WRONG"}, result{codeFailed, "",
			"engine: this is no encrypted password: it has 0 characters, and the shortest has 72\n"}},
		"nothing named": {encryptedPW, nil, result{codeUsage, "",
			"engine: the secret and the text cannot both come from standard input; say where one is with --secret-file or --secret-env\n"}},
		"no such variable": {"", []string{"--secret-env", "NONE"}, result{codeUsage, "",
			"engine: --secret-env: the environment variable NONE is not set\n"}},
		"no such file": {"", []string{"--secret-file", s.dir + "/none"}, result{codeUsage, "",
			"engine: --secret-file: open DIR/none: no such file or directory\n"}},
		"empty secret": {"\n", []string{"--text-env", "TEXT"}, result{codeUsage, "", "engine: the secret is empty\n"}},
	} {
		if got := s.typed(t, c.stdin, append([]string{"secret", "decrypt"}, c.args...)...); got != c.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, c.want)
		}
	}
	if got := s.typed(t, "", "secret", "decrypt", "hunter2"); got.code != codeUsage || got.stdout != "" {
		t.Errorf("an argument was taken: %+v", got)
	}
}

func TestSecretEncryptIsDecryptedAgain(t *testing.T) {
	t.Parallel()
	s := newShell(t, "")
	s.environ = append(s.environ, "PROJECT_SECRET=a made-up secret")
	got := s.typed(t, " two  spaces, ñ\n", "secret", "encrypt", "--secret-env", "PROJECT_SECRET")
	if got.code != codeDone || got.stderr != "" || strings.Contains(got.stdout, "spaces") {
		t.Fatalf("encrypt: %+v", got)
	}
	got = s.typed(t, got.stdout, "secret", "decrypt", "--secret-env", "PROJECT_SECRET")
	if want := (result{codeDone, " two  spaces, ñ\n", ""}); got != want {
		t.Errorf("decrypt: got %+v, want %+v", got, want)
	}
	got = s.typed(t, "hidden7 ", "secret", "encrypt", "--secret-env", "PROJECT_SECRET")
	if got.code != codeFailed || got.stdout != "" || !strings.Contains(got.stderr, "ends in a space") || strings.Contains(got.stderr, "hidden7") {
		t.Errorf("a password that cannot be kept: %+v", got)
	}
}
