// Package internal only tests how the packages of this module may depend on
// each other. docs/flow.md has the picture.
package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	module    = "github.com/datadis-engine/datadis"
	root      = "../.."
	confluent = "github.com/confluentinc/confluent-kafka-go"

	// longestChain of imports inside the module. Longer ones are hard to follow.
	longestChain = 5
)

// steps are the stations of the data. Each is handed what it works with.
var steps = []string{"producer", "lister", "downloader", "harmonizer"}

// handed are the packages that steps never import: with them they could not be
// tested without servers.
var handed = []string{"queue", "kafka", "host", "run", "vault", "store", "embedded", "settings", "simulator", "worker"}

// forPlugins are the packages that plugins are built on, beside plugins/internal.
var forPlugins = []string{"sdk", "sdk/plugin", "sdk/password"}

// pkg is one package as its files without tests have it.
type pkg struct {
	name      string
	doc       string
	generated bool
	imports   map[string]string // path → a file that imports it
}

// packages reads every package of the module; paths are relative to its root.
func packages(t *testing.T) map[string]*pkg {
	t.Helper()
	all := map[string]*pkg{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(path, entry.Name())
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		if all[dir] == nil {
			all[dir] = &pkg{generated: true, imports: map[string]string{}}
		}
		all[dir].add(path, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages were found: %v", len(all), slices.Collect(maps.Keys(all)))
	}
	return all
}

// skip leaves out what is no package of this module.
func skip(path, name string) error {
	hidden := strings.HasPrefix(name, ".") && name != "." && name != ".."
	if hidden || slices.Contains([]string{"testdata", "bin", "demo", "data", "node_modules"}, name) {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && filepath.Clean(path) != filepath.Clean(root) {
		return filepath.SkipDir // a module of its own
	}
	return nil
}

func (p *pkg) add(path string, file *ast.File) {
	if file.Doc != nil && !ast.IsGenerated(file) {
		p.doc += file.Doc.Text()
	}
	p.name = file.Name.Name
	p.generated = p.generated && ast.IsGenerated(file)
	for _, spec := range file.Imports {
		p.imports[strings.Trim(spec.Path.Value, `"`)] = path
	}
}

// inside lists the packages of the module that p imports, relative to its root.
func (p *pkg) inside() []string {
	var own []string
	for path := range p.imports {
		if rest, ok := strings.CutPrefix(path, module+"/"); ok {
			own = append(own, rest)
		}
	}
	slices.Sort(own)
	return own
}

func TestEveryPackageHasADoc(t *testing.T) {
	t.Parallel()
	for dir, p := range packages(t) {
		switch {
		case p.generated:
		case p.doc == "":
			t.Errorf("package %s has no doc comment", dir)
		case !strings.HasPrefix(p.doc, "Package "+p.name+" ") && !strings.HasPrefix(p.doc, "Command "):
			t.Errorf("the doc of package %s does not start with \"Package %s\" or \"Command\"", dir, p.name)
		}
	}
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	for dir, p := range packages(t) {
		for path, file := range p.imports {
			if why := forbidden(dir, path); why != "" {
				t.Errorf("%s imports %s: %s", strings.TrimPrefix(file, root+"/"), path, why)
			}
		}
	}
}

// forbidden says why a package must not import another, "" if it may.
func forbidden(dir, path string) string {
	own, isOwn := strings.CutPrefix(path, module+"/")
	standard := !strings.Contains(strings.Split(path, "/")[0], ".")
	switch {
	case isOwn && (own == "engine" || strings.HasPrefix(own, "plugins/") && !strings.HasPrefix(own, "plugins/internal/")):
		return "nobody imports a program"
	case dir == "sdk" && !standard:
		return "the words are built on the standard library alone"
	case strings.HasPrefix(dir, "sdk/") && strings.HasPrefix(own, "engine/"):
		return "plugins are built without the engine"
	case strings.HasPrefix(dir, "plugins/") && isOwn && !slices.Contains(forPlugins, own) && !strings.HasPrefix(own, "plugins/internal/") && !strings.HasPrefix(own, dir+"/"):
		return "a plugin sees the sdk alone, as anybody's does"
	case strings.HasPrefix(own, "proto/") && !strings.HasPrefix(dir, "sdk/") && !strings.HasPrefix(dir, "proto/"):
		return "the wire is known to sdk/plugin alone"
	case (path == "C" || strings.HasPrefix(path, confluent)) && dir != "engine/internal/kafka":
		return "only the package kafka needs cgo"
	}
	return forbiddenInEngine(dir, own)
}

func forbiddenInEngine(dir, own string) string {
	name, inEngine := strings.CutPrefix(dir, "engine/internal/")
	other, toEngine := strings.CutPrefix(own, "engine/internal/")
	if !inEngine || !toEngine {
		return ""
	}
	isStep := slices.Contains(steps, name)
	switch {
	case isStep && slices.Contains(handed, other):
		return "a step is handed what it works with"
	case slices.Contains(steps, other):
		return "steps are known to main alone"
	case name == "simulator" || other == "simulator":
		return "the simulator shares no code with what is tried against it"
	case strings.HasSuffix(other, "test") && !strings.HasSuffix(name, "test"):
		return "test code is linked into no binary"
	case other == "settings":
		return "each package has its own Config; main translates"
	}
	return ""
}

func TestChainsOfImportsAreShort(t *testing.T) {
	t.Parallel()
	all := packages(t)
	var walk func(dir string) []string
	walk = func(dir string) []string {
		var longest []string
		if p := all[dir]; p != nil {
			for _, next := range p.inside() {
				if chain := walk(next); len(chain) > len(longest) {
					longest = chain
				}
			}
		}
		return append([]string{dir}, longest...)
	}
	for _, dir := range slices.Sorted(maps.Keys(all)) {
		if chain := walk(dir); len(chain)-1 > longestChain {
			t.Errorf("a chain of %d imports: %s", len(chain)-1, strings.Join(chain, " → "))
		}
	}
}

// The rules above are worth nothing if they let everything pass.
func TestTheRulesForbid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ dir, path string }{
		{"sdk", "google.golang.org/grpc"},
		{"sdk", module + "/sdk/plugin"},
		{"sdk/plugin", module + "/engine/internal/job"},
		{"plugins/file", module + "/engine/internal/job"},
		{"plugins/file", module + "/proto/plugin/v1"},
		{"engine/internal/host", module + "/proto/plugin/v1"},
		{"engine/internal/queue", module + "/plugins/file"},
		{"engine/internal/queue", module + "/engine"},
		{"engine/internal/queue", "C"},
		{"engine", confluent + "/v2/kafka"},
		{"engine/internal/lister", module + "/engine/internal/queue"},
		{"engine/internal/lister", module + "/engine/internal/downloader"},
		{"engine/internal/datadis", module + "/engine/internal/simulator"},
		{"engine/internal/simulator", module + "/engine/internal/datadis"},
		{"engine/internal/queue", module + "/engine/internal/redistest"},
		{"engine/internal/kafka", module + "/engine/internal/settings"},
	} {
		if forbidden(c.dir, c.path) == "" {
			t.Errorf("%s may import %s", c.dir, c.path)
		}
	}
	for _, c := range []struct{ dir, path string }{
		{"sdk", "time"},
		{"engine", module + "/engine/internal/lister"},
		{"engine/internal/lister", module + "/engine/internal/ledger"},
		{"plugins/file", module + "/sdk/plugin"},
		{"engine/internal/kafka", confluent + "/v2/kafka"},
		{"engine/internal/kafkatest", module + "/engine/internal/embedded"},
	} {
		if why := forbidden(c.dir, c.path); why != "" {
			t.Errorf("%s may not import %s: %s", c.dir, c.path, why)
		}
	}
}

// Each invariant of docs/invariants.md is named where it is upheld and where it
// is attacked.
func TestInvariantsAreNamedInCodeAndTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "invariants.md"))
	if err != nil {
		t.Fatal(err)
	}
	headings := regexp.MustCompile(`(?m)^## (\d+)\. `).FindAllSubmatch(page, -1)
	if len(headings) == 0 {
		t.Fatal("the page has no invariants")
	}
	code, tests := named(t)
	for _, h := range headings {
		number := string(h[1])
		if !code[number] {
			t.Errorf("invariant %s is named in no code", number)
		}
		if !tests[number] {
			t.Errorf("invariant %s is named in no test", number)
		}
	}
}

// named lists the invariants that code and tests name.
func named(t *testing.T) (code, tests map[string]bool) {
	t.Helper()
	code, tests = make(map[string]bool), make(map[string]bool)
	mention := regexp.MustCompile(`(?i)invariant\s+(?://\s+)?(\d+)`)
	err := filepath.WalkDir(filepath.Join(root, "engine"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".lua" {
			return err
		}
		text, err := os.ReadFile(path)
		found := code
		if strings.HasSuffix(path, "_test.go") {
			found = tests
		}
		for _, m := range mention.FindAllSubmatch(text, -1) {
			found[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return code, tests
}

// TestOneSeamForTraces: what spans are made of is known to one package.
func TestOneSeamForTraces(t *testing.T) {
	t.Parallel()
	for name, p := range packages(t) {
		for path, file := range p.imports {
			if strings.HasPrefix(path, "go.opentelemetry.io/") && name != "engine/internal/trace" {
				t.Errorf("%s imports %s; only engine/internal/trace may", file, path)
			}
		}
	}
}
