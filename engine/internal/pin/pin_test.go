package pin

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	sumA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sumB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// A pin for one platform must never cost the pin of another.
func TestOtherPlatformsKeepTheirPins(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plugins.lock.json")
	f, err := LoadOrNew(path)
	if err != nil {
		t.Fatal(err)
	}
	first, other := Pin{"1.0.0", sumA, 7}, Pin{"1.0.0", sumB, 8}
	for _, step := range []struct {
		platform string
		pin      Pin
		want     Change
	}{
		{"plan9/mips", other, Added}, {Here, other, Added}, {Here, first, Updated}, {Here, first, Same},
	} {
		if got := f.Set("acme", step.platform, step.pin); got != step.want {
			t.Errorf("%v: %s", step, got)
		}
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := again.Find("acme"); !ok || p != first {
		t.Errorf("here: %+v %t", p, ok)
	}
	if p := again.Plugins["acme"]["plan9/mips"]; p != other {
		t.Errorf("elsewhere: %+v", p)
	}
	if _, ok := again.Find("nobody"); ok {
		t.Error("a plugin is pinned that never was")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".new-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("drafts are left: %v %v", left, err)
	}
}

func TestAScriptIsPinnedForEveryPlatform(t *testing.T) {
	t.Parallel()
	f := New("")
	f.Set("script", AnyPlatform, Pin{SHA256: sumA})
	if p, ok := f.Find("script"); !ok || p.SHA256 != sumA {
		t.Errorf("%+v %t", p, ok)
	}
}

func TestLockFilesThatAreNotToBeBelieved(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "damaged",
		"{":                            "damaged",
		`{"format": 2, "plugins": {}}`: "format 2",
		`{"format": 1, "plugs": {}}`:   "plugs",
		`{"plugins": {}}`:              "format 0",
		`{"format":1,"plugins":{"a":{"x/y":{"sha256":"12"}}}}`: "no SHA-256 for a on x/y",
	} {
		if _, err := Load(write(t, "lock", text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Load("/no/such/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// elfHead is the start of an ELF file: byte order, system and machine.
func elfHead(order, system byte, machine uint16) string {
	head := make([]byte, 20)
	copy(head, "\x7fELF\x02")
	head[5], head[7] = order, system
	if order == 2 {
		head[18], head[19] = byte(machine>>8), byte(machine)
	} else {
		head[18], head[19] = byte(machine), byte(machine>>8)
	}
	return string(head)
}

func TestPlatformOfAFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 "",
		"#!":                               "any",
		"#!/usr/bin/env python3\n":         "any",
		"<html>404</html>":                 "",
		"\x7fELF":                          "",
		"MZ\x90\x00":                       "windows",
		elfHead(1, 0, 0xb7):                "linux/arm64",
		elfHead(2, 0, 22):                  "linux/s390x",
		elfHead(1, 9, 62):                  "freebsd/amd64",
		elfHead(1, 0, 999):                 "",
		"\xcf\xfa\xed\xfe\x0c\x00\x00\x01": "darwin/arm64",
		"\xcf\xfa\xed\xfe\x07\x00\x00\x01": "darwin/amd64",
	} {
		if got, err := Platform(write(t, "file", text)); got != want || err != nil {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Platform(self); got != Here || err != nil {
		t.Errorf("this test is for %q, %v", got, err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"format":1,"plugins":{"a":{"linux/amd64":{"version":"1","sha256":"` + sumA + `","size":1}}}}`))
	f.Add([]byte(`{"format":1,"plugins":{"a":null}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "lock")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Load(path)
		if err != nil {
			return
		}
		file.Set("b", Here, Pin{SHA256: sumB})
		if err := file.Save(); err != nil {
			t.Fatal(err)
		}
		if again, err := Load(path); err != nil || len(again.Plugins) != len(file.Plugins) {
			t.Errorf("%v", err)
		}
	})
}
