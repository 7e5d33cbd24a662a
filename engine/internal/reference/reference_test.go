package reference

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/plugins/reference.md")

const (
	root     = "../../.."
	document = root + "/docs/plugins/reference.md"
)

// shipped asks every plugin of this repository for its options.
func shipped(t *testing.T) []Options {
	t.Helper()
	programs, err := filepath.Glob(root + "/plugins/*/main.go")
	if err != nil || len(programs) == 0 {
		t.Fatal("no plugins", err)
	}
	var all []Options
	for _, program := range programs {
		name := filepath.Base(filepath.Dir(program))
		binary := filepath.Join(t.TempDir(), name)
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, filepath.Dir(program)).CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		table, err := exec.CommandContext(t.Context(), binary, "config", "-format", "markdown").Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, Options{name, string(table)})
	}
	return all
}

func TestTheReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	want, err := Document(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("docs/plugins/reference.md is not what the protocol, the kit and the plugins say; `make generate` mends it")
	}
}

func TestEveryFileOfTheProtocolIsThere(t *testing.T) {
	t.Parallel()
	protos, err := filepath.Glob(root + "/proto/plugin/v1/*.proto")
	if err != nil || len(protos) != len(files) {
		t.Fatalf("%d files of %d are in the reference: %v", len(files), len(protos), err)
	}
	text, err := Document(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"| `ListGrants` | ListGrantsRequest → stream ListGrantsResponse |",
		"| `password` | Secret | 3 |  |", "| `summary` | GrantSummary | 2 | One of part. The last message. |",
		"| `OUTCOME_PARTIAL` | 2 | Something failed; see the failed grants. |", "| `end-run.partial-cancels` |",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is missing", part)
		}
	}
}

func TestWhatIsNotUnderstoodIsNotLeftOut(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"message A {\n  group B = 1 {\n", "extend A {\n", "message A {\n  int32 a = 1; int32 b = 2;\n}\n"} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
