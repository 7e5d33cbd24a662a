package deploy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// root of the repository.
const root = "../.."

// TestDockerfileLint applies the rules of `docker build --check`.
func TestDockerfileLint(t *testing.T) {
	text := read(t, filepath.Join(root, "Dockerfile"))
	for _, warning := range lint(t, text) {
		t.Error(warning)
	}
}

// TestDockerfileLintFinds makes sure that the linter is not blind.
func TestDockerfileLintFinds(t *testing.T) {
	found := strings.Join(lint(t, []byte("from scratch\nENV API_TOKEN=abc\nWORKDIR here\nCMD run me\nMAINTAINER me\n")), "\n")
	for _, rule := range []string{"SecretsUsedInArgOrEnv", "WorkdirRelativePath", "JSONArgsRecommended", "MaintainerDeprecated", "ConsistentInstructionCasing"} {
		if !strings.Contains(found, rule) {
			t.Errorf("%s was not found; only: %s", rule, found)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// lint lists what the linter says, a line each.
func lint(t *testing.T, text []byte) []string {
	t.Helper()
	sources := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", text)
	sources.Definition = &llb.Definition{Def: [][]byte{}, Metadata: nil, Source: &pb.Source{}}
	results, err := dockerfile2llb.DockerfileLint(t.Context(), text, dockerfile2llb.ConvertOpt{
		SourceMap: sources, MetaResolver: anyImage{},
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	if results.Error != nil {
		lines = append(lines, "cannot be built: "+results.Error.Message)
	}
	for _, w := range results.Warnings {
		line := int32(0)
		if w.Location != nil && len(w.Location.Ranges) > 0 {
			line = w.Location.Ranges[0].Start.Line
		}
		lines = append(lines, fmt.Sprintf("Dockerfile:%d: %s: %s", line, w.RuleName, w.Detail))
	}
	return lines
}

// anyImage stands in for a registry: it knows every image, and that it is made
// for every platform.
type anyImage struct{}

// ResolveImageConfig implements llb.ImageMetaResolver.
func (anyImage) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := []byte(`{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/bin"]},"rootfs":{"type":"layers","diff_ids":[]}}`)
	return ref, digest.FromBytes(config), config, nil
}
