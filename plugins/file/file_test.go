package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/route"
	"github.com/datadis-engine/datadis/plugins/internal/users"
	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// listing is what a source makes of a file: its grants, its error, its log.
type listing struct {
	grants []sdk.Grant
	err    error
	log    string
}

// listFile writes a file and lists it.
func listFile(t *testing.T, name, content string) listing {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return listPath(t, path)
}

func listPath(t *testing.T, path string) listing {
	t.Helper()
	var l listing
	var log bytes.Buffer
	s := newSource(path, slog.NewTextHandler(&log, nil))
	l.err = s.ListGrants(t.Context(), func(g sdk.Grant) error {
		l.grants = append(l.grants, g)
		return nil
	})
	l.log = log.String()
	return l
}

func newSource(path string, handler slog.Handler) *source {
	return &source{path: path, logger: func(context.Context) *slog.Logger { return slog.New(handler) }}
}

// text shows a grant with its password, as one line.
func text(g sdk.Grant) string {
	return fmt.Sprintf("%s|%s|%v|%v|%v", g.Username, g.Password.Reveal(), g.AuthorizedNIFs, g.OwnSupplies, g.CUPS)
}

func (l listing) texts() []string {
	var all []string
	for _, g := range l.grants {
		all = append(all, text(g))
	}
	return all
}

// TestCSV reads files that are right, each in a way of its own.
func TestCSV(t *testing.T) {
	t.Parallel()
	const header = "username,password,authorized_nifs,self,cups\n"
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"own supplies by default":          {header + "12345678Z,pw,,,\n", []string{"12345678Z|pw|[]|true|[]"}},
		"authorised NIFs only, by default": {header + "12345678Z,pw,X1234567L,,\n", []string{"12345678Z|pw|[X1234567L]|false|[]"}},
		"both, said so":                    {header + "12345678Z,pw,X1234567L,sí,\n", []string{"12345678Z|pw|[X1234567L]|true|[]"}},
		"lists":                            {header + "12345678Z,pw, x1234567l ; Y1234567X;;X1234567L,NO,ES0031000000000001BJ0F; ES0021000000000001RK\n", []string{"12345678Z|pw|[X1234567L Y1234567X]|false|[ES0031000000000001BJ0F ES0021000000000001RK]"}},
		"required columns alone":           {"password,username\npw,12345678Z\n", []string{"12345678Z|pw|[]|true|[]"}},
		"any order, capitals, spaces":      {"Self, CUPS ,Password,\"username\"\nyes,,pw,12345678z\n", []string{"12345678Z|pw|[]|true|[]"}},
		"byte order mark and CRLF":         {"\ufeffusername,password\r\n12345678Z,pw\r\n", []string{"12345678Z|pw|[]|true|[]"}},
		"no line end at the end":           {"username,password\n12345678Z,pw", []string{"12345678Z|pw|[]|true|[]"}},
		"blank lines":                      {"\n" + header + "\n,,,,\n12345678Z,pw,,,\n\n", []string{"12345678Z|pw|[]|true|[]"}},
		"one user, two passwords":          {"username,password\n12345678Z,a\n12345678Z,b\n", []string{"12345678Z|a|[]|true|[]", "12345678Z|b|[]|true|[]"}},
		"a user name that is no NIF":       {"username,password\nDemo user,pw\n", []string{"Demo user|pw|[]|true|[]"}},
		"CUPS exactly as written":          {"username,password,cups\n12345678Z,pw,es0031000000000001bj0f\n", []string{"12345678Z|pw|[]|true|[es0031000000000001bj0f]"}},
		"nobody":                           {header, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listFile(t, "users.csv", c.file)
			if l.err != nil {
				t.Fatal(l.err)
			}
			if got := l.texts(); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestSelfWords reads every word for yes and no.
func TestSelfWords(t *testing.T) {
	t.Parallel()
	for want, words := range map[bool][]string{
		true:  {"true", "TRUE", "yes", "1", "sí", "SÍ", "Si", "VERDADERO", " true "},
		false: {"false", "no", "No", "0", "FALSO"},
	} {
		for _, word := range words {
			l := listFile(t, "users.csv", "username,password,self,authorized_nifs\n12345678Z,pw,"+word+",X1234567L\n")
			if l.err != nil || len(l.grants) != 1 || l.grants[0].OwnSupplies != want {
				t.Errorf("%q: got %v, %v", word, l.texts(), l.err)
			}
		}
	}
}

// oddPasswords are kept byte for byte, however they are written.
var oddPasswords = []string{
	` leading and trailing `, `"quoted"`, `a"b`, `comma,comma`, `semi;colon`, `=1+1`, `ñandú€😀`, `tab	inside`, `'`, `""`, `\n`, `%s`, `<>&`, "e\u0301", "\u200b", "\ufffd", "a\u2028",
}

// TestOddPasswords writes each as CSV and as JSON, as programs do.
func TestOddPasswords(t *testing.T) {
	t.Parallel()
	for _, password := range oddPasswords {
		quoted := `"` + strings.ReplaceAll(password, `"`, `""`) + `"`
		encoded, err := json.Marshal([]map[string]string{{"username": "12345678Z", "password": password}})
		if err != nil {
			t.Fatal(err)
		}
		for name, file := range map[string]string{
			"users.csv":  "username,password\n12345678Z," + quoted + "\r\n",
			"users.json": string(encoded),
		} {
			l := listFile(t, name, file)
			if l.err != nil || len(l.grants) != 1 || l.grants[0].Password.Reveal() != password {
				t.Errorf("%s: %q became %q, %v", name, password, l.texts(), l.err)
			}
		}
	}
	// Unquoted, as people type them.
	l := listFile(t, "users.csv", "username,password,self\n12345678Z, two  spaces ,yes\n00000000T,a\"b\"c,yes\n")
	want := []string{"12345678Z| two  spaces |[]|true|[]", `00000000T|a"b"c|[]|true|[]`}
	if got := l.texts(); l.err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, l.err)
	}
}

// TestJSON reads the same things from an array of objects.
func TestJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"required keys alone": {`[{"username":"12345678z","password":"pw"}]`, []string{"12345678Z|pw|[]|true|[]"}},
		"arrays":              {`[{"username":"12345678Z","password":"pw","authorized_nifs":["X1234567L"],"self":false,"cups":["ES0031000000000001BJ0F"]}]`, []string{"12345678Z|pw|[X1234567L]|false|[ES0031000000000001BJ0F]"}},
		"texts":               {`[{"username":"12345678Z","password":"pw","authorized_nifs":"X1234567L;Y1234567X","self":"sí","cups":""}]`, []string{"12345678Z|pw|[X1234567L Y1234567X]|true|[]"}},
		"numbers for self":    {`[{"username":"12345678Z","password":"pw","self":1},{"username":"12345678Z","password":"pw","self":0,"authorized_nifs":["X1234567L"]}]`, []string{"12345678Z|pw|[]|true|[]", "12345678Z|pw|[X1234567L]|false|[]"}},
		"nulls":               {`[{"username":"12345678Z","password":"pw","authorized_nifs":null,"self":null,"cups":null}]`, []string{"12345678Z|pw|[]|true|[]"}},
		"byte order mark":     {"\ufeff  [{\"username\":\"12345678Z\",\"password\":\"pw\"}]\r\n", []string{"12345678Z|pw|[]|true|[]"}},
		"nobody":              {"[]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listFile(t, "users.json", c.file)
			if l.err != nil {
				t.Fatal(l.err)
			}
			if got := l.texts(); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestBadFiles compares all messages about each file of testdata/bad with the
// golden file beside it. Passwords there contain "hunter".
func TestBadFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if filepath.Ext(file) == ".golden" {
			continue
		}
		seen++
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			l := listPath(t, file)
			var got strings.Builder
			for _, err := range checkFile(t.Context(), file) {
				fmt.Fprintln(&got, err)
			}
			first := strings.SplitAfter(got.String(), "\n")
			first = first[:min(len(first), users.MaxListed)]
			if l.err == nil || !strings.HasPrefix(l.err.Error(), strings.TrimSuffix(strings.Join(first, ""), "\n")) {
				t.Errorf("the listing and the check differ: %v", l.err)
			}
			if strings.Contains(got.String()+l.log, "hunter") {
				t.Error("a message gives a password away")
			}
			for _, g := range l.grants {
				fmt.Fprintf(&got, "good: %s\n", g.Username)
			}
			golden(t, file+".golden", got.String())
		})
	}
	if seen == 0 {
		t.Error("testdata/bad is empty")
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// TestWarnings logs what is odd, by its place and without the value.
func TestWarnings(t *testing.T) {
	t.Parallel()
	l := listFile(t, "users.csv", "username,password,authorized_nifs,self,cups\n"+
		"12345678A,hunter2,X1234567L;X1234567A,yes,ES0031000000000001XX\n"+
		"12345678Z,hunter2,,no,\n"+
		"A58818501,hunter2,,,\n")
	if l.err != nil || len(l.grants) != 2 { // the one that asks for nothing is left out
		t.Fatalf("got %d grants, %v", len(l.grants), l.err)
	}
	for _, want := range []string{"username has a wrong control letter", "authorized_nifs: entry 2", "cups: entry 1", "asks for nothing", "line 2", "line 3"} {
		if !strings.Contains(l.log, want) {
			t.Errorf("the log does not say %q:\n%s", want, l.log)
		}
	}
	for _, secret := range []string{"hunter2", "12345678A", "X1234567A", "line 4"} {
		if strings.Contains(l.log, secret) {
			t.Errorf("the log says %q:\n%s", secret, l.log)
		}
	}
}

// TestManyBadRows tells the first problems and how many more there are.
func TestManyBadRows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.csv")
	content := "username,password\n" + strings.Repeat("12345678Z,\n", users.MaxChecked+7) + "00000000T,pw\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	l := listPath(t, path)
	if l.err == nil || !strings.Contains(l.err.Error(), "users.csv has 97 more problems") || strings.Count(l.err.Error(), "\n") != users.MaxListed {
		t.Errorf("got %v", l.err)
	}
	if len(l.grants) != 1 {
		t.Errorf("got %d grants, want the good one", len(l.grants))
	}
	errs := checkFile(t.Context(), path)
	if len(errs) != users.MaxChecked+1 || errs[users.MaxChecked].Error() != "users.csv has 7 more problems" {
		t.Errorf("the check says %v", errs)
	}
}

// TestLongLine costs the line that is too long, and no other.
func TestLongLine(t *testing.T) {
	t.Parallel()
	l := listFile(t, "users.csv", "username,password\n12345678Z,"+strings.Repeat("x", maxLineBytes)+"\n00000000T,pw\n12345678Z\n")
	if got := l.texts(); !slices.Equal(got, []string{"00000000T|pw|[]|true|[]"}) {
		t.Errorf("got %q", got)
	}
	if l.err == nil || !strings.Contains(l.err.Error(), "users.csv line 2: is longer than 1024 KiB") || !strings.Contains(l.err.Error(), "line 4: has 1 cells") {
		t.Errorf("got %v", l.err)
	}
}

// TestUnreadable tells what is wrong with a path, and that somebody has to mend
// it.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "missing.csv"): "missing.csv: there is no such file in " + dir,
		dir:                               "is a folder",
		os.DevNull:                        "is no regular file",
	} {
		l := listPath(t, path)
		var e *sdk.Error
		if !errors.As(l.err, &e) || e.Kind != sdk.Precondition || !strings.Contains(l.err.Error(), want) {
			t.Errorf("%s: got %v", path, l.err)
		}
	}
}

// TestStops ends a listing when the engine takes no more, and when it is over.
func TestStops(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(path, []byte("username,password\n"+strings.Repeat("12345678Z,pw\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSource(path, slog.DiscardHandler)
	full := errors.New("full")
	if err := s.ListGrants(t.Context(), func(sdk.Grant) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v, want what send said", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	sent := 0
	err := s.ListGrants(ctx, func(sdk.Grant) error { sent++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || sent != 1 {
		t.Errorf("got %v after %d grants", err, sent)
	}
}

// TestChangedWhileRead does not take half a file for the whole.
func TestChangedWhileRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(path, []byte("username,password\n12345678Z,pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSource(path, slog.DiscardHandler)
	err := s.ListGrants(t.Context(), func(sdk.Grant) error {
		return os.Chtimes(path, time.Time{}, time.Unix(1, 0))
	})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.Unavailable {
		t.Errorf("got %v, want to be asked again", err)
	}
}

// TestKeys are stable, different, and without a secret.
func TestKeys(t *testing.T) {
	t.Parallel()
	l := listFile(t, "users.csv", "username,password\n12345678Z,hunter2\n\n12345678Z,hunter3\n")
	if len(l.grants) != 2 || l.grants[0].Key != "line 2" || l.grants[1].Key != "line 4" {
		t.Errorf("got %+v", l.grants)
	}
}

// TestCheck finds all problems at once, each with its path.
func TestCheck(t *testing.T) {
	t.Parallel()
	in := sdk.Instance{Name: "north", Dir: t.TempDir()}
	if err := os.WriteFile(in.Path("users.csv"), []byte("username,password\n12345678Z,\n,hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range check(t.Context(), in, Config{
		Path: "users.csv", Config: route.Config{Topic: "no topic"},
	}) {
		got = append(got, p.Path)
		if p.Message == "" || strings.Contains(p.Message, "hunter2") {
			t.Errorf("%s: %q", p.Path, p.Message)
		}
	}
	want := []string{"/topic", "/path", "/path"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if problems := check(t.Context(), in, Config{}); len(problems) != 1 || problems[0].Path != "/path" {
		t.Errorf("without a path: got %v", problems)
	}
}

// TestExamples reads the files that the README shows; both say the same.
func TestExamples(t *testing.T) {
	t.Parallel()
	fromCSV, fromJSON := listPath(t, "users.example.csv"), listPath(t, "users.example.json")
	if fromCSV.err != nil || fromJSON.err != nil || len(fromCSV.grants) != 3 {
		t.Fatalf("got %v, %v", fromCSV.err, fromJSON.err)
	}
	if !slices.Equal(fromCSV.texts(), fromJSON.texts()) {
		t.Errorf("CSV  %q\nJSON %q", fromCSV.texts(), fromJSON.texts())
	}
	if log := fromCSV.log + fromJSON.log; log != "" {
		t.Errorf("the examples are warned about: %s", log)
	}
}
