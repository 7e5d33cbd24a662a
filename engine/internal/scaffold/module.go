package scaffold

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"

	datadis "github.com/datadis-engine/datadis"
)

const (
	sdkModule = "github.com/datadis-engine/datadis"
	// local is the version of an SDK that lies in the folder.
	local = "v0.0.0"
)

// direct are the modules that the SDK imports, indirect those that they need.
// A test keeps the lists right.
var (
	direct = []string{
		"github.com/hashicorp/go-hclog", "github.com/hashicorp/go-plugin",
		"google.golang.org/genproto/googleapis/rpc", "google.golang.org/grpc", "google.golang.org/protobuf",
	}
	indirect = []string{
		"github.com/fatih/color", "github.com/golang/protobuf", "github.com/hashicorp/yamux",
		"github.com/mattn/go-colorable", "github.com/mattn/go-isatty", "github.com/oklog/run",
		"golang.org/x/net", "golang.org/x/sys", "golang.org/x/text",
	}
	// tested are those that only their tests need; "go mod tidy" wants their sums.
	tested = []string{
		"github.com/bufbuild/protocompile", "github.com/davecgh/go-spew", "github.com/google/go-cmp",
		"github.com/jhump/protoreflect", "github.com/pmezard/go-difflib", "github.com/stretchr/objx",
		"github.com/stretchr/testify", "gonum.org/v1/gonum", "gopkg.in/check.v1", "gopkg.in/yaml.v3",
	}
)

// addModule adds go.mod and, where the SDK is written along, the SDK and the
// sums of what it needs: the engine's own, so that everything is built with
// what the engine was tested with.
func (p Project) addModule(files map[string][]byte) error {
	mod, err := readModule()
	if err != nil {
		return err
	}
	if p.SDKVersion != "" {
		files["go.mod"] = fmt.Appendf(nil, "module %s\n\ngo %s\n\nrequire %s %s\n", p.Module, mod.goVersion, sdkModule, p.SDKVersion)
		return nil
	}
	all := slices.Concat(direct, indirect)
	slices.Sort(all)
	files["go.mod"] = fmt.Appendf(nil, "module %s\n\ngo %s\n\nrequire %s %s\n\n%s\nreplace %s => ./%s\n",
		p.Module, mod.goVersion, sdkModule, local, mod.require(all, " // indirect"), sdkModule, sdkDir)
	files[sdkDir+"/go.mod"] = fmt.Appendf(nil, "module %s\n\ngo %s\n\n%s\n%s",
		sdkModule, mod.goVersion, mod.require(direct, ""), mod.require(indirect, " // indirect"))
	files["go.sum"] = mod.sums
	files[sdkDir+"/go.sum"] = mod.sums
	return addSDK(files)
}

// module is what the engine's go.mod and go.sum say.
type module struct {
	goVersion string
	versions  map[string]string
	sums      []byte
}

func readModule() (*module, error) {
	text, err := datadis.SDK.ReadFile("go.mod")
	if err != nil {
		return nil, err
	}
	m := &module{versions: map[string]string{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(lines.Text()), "require "))
		switch {
		case len(fields) >= 2 && fields[0] == "go":
			m.goVersion = fields[1]
		case len(fields) >= 2 && strings.HasPrefix(fields[1], "v"):
			m.versions[fields[0]] = fields[1]
		}
	}
	for _, path := range slices.Concat(direct, indirect) {
		if m.versions[path] == "" {
			return nil, fmt.Errorf("the SDK needs %s, and go.mod does not name it", path)
		}
	}
	m.sums, err = sdkSums()
	return m, err
}

func (m *module) require(paths []string, comment string) string {
	w := &strings.Builder{}
	w.WriteString("require (\n")
	for _, path := range paths {
		fmt.Fprintf(w, "\t%s %s%s\n", path, m.versions[path], comment)
	}
	w.WriteString(")\n")
	return w.String()
}

// sdkSums are the lines of go.sum that the SDK's modules need.
func sdkSums() ([]byte, error) {
	text, err := datadis.SDK.ReadFile("go.sum")
	if err != nil {
		return nil, err
	}
	wanted := slices.Concat(direct, indirect, tested)
	var kept bytes.Buffer
	for line := range bytes.Lines(text) {
		if path, _, _ := strings.Cut(string(line), " "); slices.Contains(wanted, path) {
			kept.Write(line)
		}
	}
	return kept.Bytes(), nil
}
