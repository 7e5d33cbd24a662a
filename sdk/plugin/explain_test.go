package plugin

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

func explained(t *testing.T) *binary {
	t.Helper()
	b, err := compile(Definition[everything]{
		Name: "demo", Version: "1.2.3", Summary: "Users from a file.", Description: "It reads a file.", License: "Apache-2.0",
		Source: func(context.Context, sdk.Instance, everything) (sdk.Source, sdk.Route, error) {
			return nil, sdk.Route{}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.description.Build, b.description.SDK = Build{}, SDK{} // differ from place to place
	return b
}

func TestRunByHandAPluginExplainsItself(t *testing.T) {
	t.Parallel()
	b := explained(t)
	for _, test := range []struct {
		args   string
		code   int
		golden string
		errs   string
	}{
		{"", 0, "help.txt", ""},
		{"--help", 0, "help.txt", ""},
		{"version", 0, "version.txt", ""},
		{"describe", 0, "manifest.json", ""},
		{"manifest", 0, "manifest.json", ""},
		{"config", 0, "config.txt", ""},
		{"config -format markdown", 0, "config.md", ""},
		{"config -format example", 0, "config.json", ""},
		{"config -format pdf", 2, "", "none of"},
		{"conformance -odd", 2, "", "not defined"},
		{"manifest --odd", 2, "", "not defined"},
		{"serve", 2, "", `unknown command "serve"`},
	} {
		var out, errs bytes.Buffer
		if code := b.command(strings.Fields(test.args), &out, &errs); code != test.code {
			t.Errorf("%s: exit code %d", test.args, code)
		}
		if test.golden != "" {
			golden(t, test.golden, out.Bytes())
		}
		if !strings.Contains(errs.String(), test.errs) {
			t.Errorf("%s: %s", test.args, errs.String())
		}
	}
}

func TestADescriptionTravels(t *testing.T) {
	t.Parallel()
	d := Description{
		Name: "n", Kinds: []Kind{HarmonizerKind, SourceKind}, Version: "1.2.3", Summary: "s", Description: "d", Homepage: "h",
		License: "l", Authors: []string{"a", "b"}, Protocol: 7, Features: []string{"f"}, ConfigSchema: []byte(`{"type":"object"}`),
		SDK: SDK{Language: "go", Name: "n", Version: "v"}, Build: Build{Revision: "r", Time: "t", Modified: true, Toolchain: "go1"},
	}
	if back := descriptionFromWire(d.toWire()); !reflect.DeepEqual(*back, d) {
		t.Errorf("%+v became %+v", d, *back)
	}
}

func TestAManifestIsWhatThePluginSays(t *testing.T) {
	t.Parallel()
	d := &explained(t).description
	text, err := d.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if field := d.Differs(back); field != "" {
		t.Errorf("%s differs", field)
	}
	back.Build.Revision = "other" // where it was built is no difference
	if field := d.Differs(back); field != "" {
		t.Errorf("%s differs", field)
	}
	back.Version = "2"
	if field := d.Differs(back); field != "version" {
		t.Errorf("%q differs", field)
	}
	for _, bad := range []string{"", "[]", "{}", `{"name":"a","kinds":["source"]}`} {
		if _, err := ParseManifest([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
