package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// deadCodes finds the codes of failures that the sources of a package name: as a
// Class, as what a function named class returns, as the reason of a call of bury,
// and in the script that notes a crash.
func deadCodes(t *testing.T, dirs ...string) []string {
	t.Helper()
	var codes []string
	code := func(e ast.Expr) {
		if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING {
			if value, err := strconv.Unquote(text.Value); err == nil && value != "" {
				codes = append(codes, value)
			}
		}
	}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no sources in %s: %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Class" {
						code(n.Value)
					}
				case *ast.CallExpr:
					if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "bury" && len(n.Args) == 4 {
						code(n.Args[2])
					}
				case *ast.FuncDecl:
					if n.Name.Name == "class" {
						ast.Inspect(n.Body, func(n ast.Node) bool {
							if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
								code(r.Results[0])
							}
							return true
						})
					}
				}
				return true
			})
		}
	}
	return codes
}

// TestDeadLettersAreDocumented: docs/dead-letters.md explains every code that an
// item or a message may die of.
func TestDeadLettersAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/dead-letters.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := deadCodes(t, "internal/lister", "internal/downloader", "internal/harmonizer")
	script, err := os.ReadFile("internal/queue/lua/common.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`note\(item, '([a-z_]+)'`).FindAllSubmatch(script, -1) {
		codes = append(codes, string(found[1]))
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	if len(codes) < 10 || !slices.Contains(codes, "crash") {
		t.Fatalf("only these codes were found: %v", codes)
	}
	for _, code := range codes {
		if !strings.Contains(string(text), "`"+code+"`") {
			t.Errorf("%s is not explained", code)
		}
	}
}

// TestSecurityNamesItsTests: the tests that docs/security.md names are there.
func TestSecurityNamesItsTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, root := range []string{".", "../plugins"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			code, err := os.ReadFile(path)
			fmt.Fprintf(&tests, "%s\n%s", path, code)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+|[a-z_]+_test.go)`").FindAllSubmatch(text, -1)
	if len(named) < 15 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, name := range named {
		what := string(name[1])
		if strings.HasPrefix(what, "Test") {
			what = "func " + what + "(t *testing.T)"
		}
		if !strings.Contains(tests.String(), what) {
			t.Errorf("there is no %s", what)
		}
	}
}
