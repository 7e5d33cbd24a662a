package sdktest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/datadis-engine/datadis/sdk/conformance"
)

// Build compiles the plugin in the given folder, and returns the binary's path.
// Name is the plugin's, as in datadis-plugin-<name>.
func Build(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "datadis-plugin-"+name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// Conformance tries a binary against every promise of the protocol, a subtest
// for each check, as `engine plugins conformance` does.
func Conformance(t *testing.T, binary string, o conformance.Options) {
	t.Helper()
	report, err := conformance.Run(t.Context(), binary, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range report.Checks {
		t.Run(check.Name, func(t *testing.T) {
			for _, f := range report.Findings {
				if f.Check == check.Name {
					t.Error(f.Error())
				}
			}
			if check.Status == conformance.Skipped {
				t.Skip(check.Reason)
			}
		})
	}
	if c := report.Card; c != nil {
		t.Logf("starts in %v; batch p50 %v, p99 %v; %.0f items/s; %d MiB", c.Start, c.P50, c.P99, c.PerSecond, c.RSS>>20)
	}
}
