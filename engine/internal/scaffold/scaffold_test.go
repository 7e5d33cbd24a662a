package scaffold

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func project(t *testing.T, kind string) Project {
	t.Helper()
	return Project{Kind: kind, Name: "acme", Dir: filepath.Join(t.TempDir(), "new"), Module: "example.com/acme"}
}

func TestAProjectIsWrittenWhole(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"source", "harmonizer"} {
		p := project(t, kind)
		if err := p.Write(); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"main.go", "plugin.go", "plugin_test.go", "Makefile", "README.md", ".gitignore", "go.mod", "go.sum",
			"config_acme.example.json", "third_party/datadis/go.mod", "third_party/datadis/LICENSE", "third_party/datadis/sdk/source.go"} {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Error(err)
			}
			if strings.Contains(string(text), "{{.") || strings.Contains(string(text), "{{if") {
				t.Errorf("%s has a hole", file)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(p.Dir), ".new-plugin-*")); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
}

func TestAReleasedSDKIsRequired(t *testing.T) {
	t.Parallel()
	p := project(t, "source")
	p.SDKVersion = "v1.2.3"
	if err := p.Write(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(p.Dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "require github.com/datadis-engine/datadis v1.2.3") || strings.Contains(string(text), "replace") {
		t.Errorf("%s", text)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "third_party")); err == nil {
		t.Error("the SDK is written along")
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	p := project(t, "source")
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(); err != nil {
		t.Fatalf("an empty folder: %v", err)
	}
	before, err := os.ReadDir(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a folder that is not empty: %v", err)
	}
	if after, _ := os.ReadDir(p.Dir); len(after) != len(before) {
		t.Error("it was changed")
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Project){
		"neither source nor harmonizer": func(p *Project) { p.Kind = "sink" },
		"a name has only":               func(p *Project) { p.Name = "Acme Corp" },
		"no path of a Go module":        func(p *Project) { p.Module = "../x y" },
		"no version":                    func(p *Project) { p.SDKVersion = "latest" },
	} {
		p := project(t, "source")
		change(&p)
		if err := p.Write(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
		if _, err := os.Stat(p.Dir); err == nil {
			t.Error("something was written")
		}
	}
}

func TestTheSumsLeaveTheEnginesModulesOut(t *testing.T) {
	t.Parallel()
	m, err := readModule()
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"kafka", "redis", "cobra", "parquet"} {
		if strings.Contains(string(m.sums), word) {
			t.Errorf("%s is in go.sum", word)
		}
	}
	for _, path := range slices.Concat(direct, indirect) {
		if !strings.Contains(string(m.sums), path+" "+m.versions[path]+" h1:") {
			t.Errorf("%s is not in go.sum", path)
		}
	}
}
