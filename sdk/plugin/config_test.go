package plugin

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type server1 struct {
	Host string     `json:"host" doc:"Its name." required:"true"`
	Key  sdk.Secret `json:"key"`
	Port uint16     `json:"port" default:"7687"`
}

type shared struct {
	Batch int `json:"batch" default:"100"`
}

// everything has a field of each type that a configuration may have.
type everything struct {
	shared
	Path    string             `json:"path" doc:"The file." example:"users.csv" required:"true"`
	Token   sdk.Secret         `json:"token" doc:"For the API." required:"true"`
	Every   time.Duration      `json:"every" default:"30s" doc:"How often."`
	Mode    string             `json:"mode" enum:"fast,safe" default:"safe"`
	Servers []server1          `json:"servers" doc:"Where to ask."`
	Named   map[string]server1 `json:"named"`
	Main    server1            `json:"main"`
	Keys    []sdk.Secret       `json:"keys"`
	Month   sdk.Month          `json:"from" example:"2026-01"`
	Ratio   float64            `json:"ratio"`
	On      bool               `json:"on" default:"true"`
	Maybe   *int               `json:"maybe"`
	Any     any                `json:"any"`
	Tables  []string           `json:"tables" default:"[\"a\",\"b\"]"`
	Sub     struct {
		Depth int `json:"depth" default:"3"`
	} `json:"sub"`
	Hidden  string `json:"-"`
	private string //nolint:unused // must not become a key
}

func schemaFor[C any](t *testing.T) *schema {
	t.Helper()
	s, err := schemaOf(reflect.TypeFor[C](), "test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheSchemaOfAStruct(t *testing.T) {
	t.Parallel()
	text, err := json.MarshalIndent(schemaFor[everything](t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "schema.json", append(text, '\n'))
	// The other end reads what this one wrote.
	again, err := parseSchema(text)
	if err != nil {
		t.Fatal(err)
	}
	if written, err := json.MarshalIndent(again, "", "  "); err != nil || string(written) != string(text) {
		t.Errorf("%v\n%s", err, written)
	}
}

func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != string(want) {
		t.Errorf("%s differs:\n%s", path, have)
	}
}

func TestAConfigurationBecomesAStruct(t *testing.T) {
	t.Parallel()
	var c everything
	problems := decodeConfig(schemaFor[everything](t), Settings{
		JSON: []byte(`{"path": "u.csv", "every": "1m30s", "servers": [{"host": "a"}, {"host": "b", "port": 1}],
			"named": {"x/y": {"host": "c"}}, "keys": [null, "open"], "from": "2026-02", "ratio": 2, "maybe": 5, "any": {"a": [1]}}`),
		Secrets: map[string]sdk.Secret{"/token": sdk.NewSecret("t"), "/servers/1/key": sdk.NewSecret("k"),
			"/named/x~1y/key": sdk.NewSecret("n"), "/keys/0": sdk.NewSecret("first")},
	}, &c)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	have := fmt.Sprint(c.Path, c.Token.Reveal(), c.Every, c.Mode, c.Servers[0].Port, c.Servers[1].Port, c.Servers[1].Key.Reveal(),
		c.Named["x/y"].Key.Reveal(), c.Named["x/y"].Port, c.Keys[0].Reveal(), c.Keys[1].Reveal(), c.Month, c.Ratio, c.On, *c.Maybe,
		c.Tables, c.Sub.Depth, c.Batch)
	if want := "u.csvt1m30ssafe7687 1kn7687firstopen2026-022 true5 [a b] 3 100"; strings.ReplaceAll(have, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("%s, want %s", have, want)
	}
}

func TestProblemsSayWhere(t *testing.T) {
	t.Parallel()
	const rest = `"path": "x", "token": "t"`
	for config, want := range map[string]string{
		`{}`:                                                         "/path is missing",
		`{"path": "", "token": "t"}`:                                 "/path is empty",
		`{"path": 7, "token": "t"}`:                                  "/path want a string, have an integer",
		`{"path": null, "token": "t"}`:                               "/path want a string, have null",
		`{` + rest + `, "pth": 1}`:                                   `/pth is not known; did you mean "path"?`,
		`{` + rest + `, "PATH": 1}`:                                  `/PATH is not known; did you mean "path"?`,
		`{` + rest + `, "zzzzzzzzz": 1}`:                             "/zzzzzzzzz is not known; known are batch, path, token",
		`{` + rest + `, "every": "soon"}`:                            "/every want a duration",
		`{` + rest + `, "every": 30}`:                                "/every want a string, have an integer",
		`{` + rest + `, "mode": "odd"}`:                              "/mode want one of fast, safe",
		`{` + rest + `, "servers": [{}]}`:                            "/servers/0/host is missing",
		`{` + rest + `, "servers": {"host": "a"}}`:                   "/servers want an array, have an object",
		`{` + rest + `, "named": {"a": {"host": "h", "b": 1}}}`:      "/named/a/b is not known",
		`{` + rest + `, "servers": [{"host": "a", "port": 1.5}]}`:    "/servers/0/port want an integer, have a number",
		`{` + rest + `, "servers": [{"host": "a", "port": 700000}]}`: " servers.port does not fit uint16",
		`{` + rest + `, "from": "soon"}`:                             ` a value cannot be read: "soon" is no month`,
		`{` + rest + `, "maybe": "a"}`:                               "/maybe want an integer, have a string",
		`[]`:                                                         " want an object, have an array",
		`{`:                                                          " not JSON",
		`{} {}`:                                                      " something follows",
	} {
		var c everything
		problems := decodeConfig(schemaFor[everything](t), Settings{JSON: []byte(config)}, &c)
		if len(problems) == 0 || !strings.HasPrefix(problems[0].Path+" "+problems[0].Message, want) {
			t.Errorf("%s: %v, want %s", config, problems, want)
		}
	}
}

func TestSecretsWithoutAPlaceAreProblems(t *testing.T) {
	t.Parallel()
	for _, pointer := range []string{"", "token", "/keys/0", "/keys/x", "/path/x", "/none/x"} {
		var c everything
		problems := decodeConfig(schemaFor[everything](t), Settings{
			JSON: []byte(`{"path": "x", "keys": []}`), Secrets: map[string]sdk.Secret{pointer: sdk.NewSecret("hunter2")},
		}, &c)
		if len(problems) != 1 || problems[0].Path != pointer || strings.Contains(fmt.Sprint(problems), "hunter2") {
			t.Errorf("%q: %v", pointer, problems)
		}
	}
}

func TestMistakesOfAuthorsAreFound(t *testing.T) {
	t.Parallel()
	type itself struct {
		Again []itself `json:"again"`
	}
	for name, check := range map[string]func() error{
		"no struct": func() error { _, err := schemaOf(reflect.TypeFor[string](), ""); return err },
		"a channel": func() error { _, err := schemaOf(reflect.TypeFor[struct{ C chan int }](), ""); return err },
		"in itself": func() error { _, err := schemaOf(reflect.TypeFor[itself](), ""); return err },
		"bad default": func() error {
			_, err := schemaOf(reflect.TypeFor[struct {
				N int `default:"many"`
			}](), "")
			return err
		},
		"bad name":     func() error { _, err := compile(Definition[none]{Name: "A b"}); return err },
		"without role": func() error { _, err := compile(Definition[none]{Name: "a"}); return err },
	} {
		if check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(`{"path": "x", "servers": [{"host": "a"}]}`, "/servers/0/key")
	f.Add(`{"keys": [null], "named": {"a": {}}, "any": 1e400}`, "/keys/0")
	s, err := schemaOf(reflect.TypeFor[everything](), "test")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, config, pointer string) {
		const secret = "hunter2hunter2"
		var c everything
		problems := decodeConfig(s, Settings{JSON: []byte(config), Secrets: map[string]sdk.Secret{pointer: sdk.NewSecret(secret)}}, &c)
		for _, p := range problems {
			if strings.Contains(p.Message, secret) && !strings.Contains(config, secret) {
				t.Errorf("%+v", p)
			}
		}
	})
}
