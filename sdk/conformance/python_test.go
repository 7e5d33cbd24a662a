package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/datadis-engine/datadis/sdk/conformance"
)

// python is a Python that has grpcio: the one that DATADIS_TEST_PYTHON names,
// else the one that scripts/python.sh has prepared.
func python(t *testing.T) string {
	t.Helper()
	path := os.Getenv("DATADIS_TEST_PYTHON")
	if path == "" {
		path = filepath.Join("..", "..", ".cache", "python", "bin", "python")
	}
	path, err := filepath.Abs(path)
	if err == nil {
		err = exec.CommandContext(t.Context(), path, "-c", "import grpc_tools, cryptography").Run()
	}
	if err != nil {
		t.Skip("there is no Python with grpcio; scripts/python.sh prepares one")
	}
	return path
}

// inPython makes a plugin of testdata/python: the generated code beside it, and
// a script that starts it with nothing in its environment.
func inPython(t *testing.T) string {
	t.Helper()
	interpreter, dir := python(t), t.TempDir()
	text, err := os.ReadFile("testdata/python/main.py")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "main.py"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../proto/plugin/v1/*.proto")
	if err != nil || len(files) == 0 {
		t.Fatal("no .proto files", err)
	}
	args := append([]string{"-m", "grpc_tools.protoc", "-I../../proto", "--python_out=" + dir, "--grpc_python_out=" + dir}, files...)
	if out, err := exec.CommandContext(t.Context(), interpreter, args...).CombinedOutput(); err != nil {
		t.Fatalf("protoc: %v\n%s", err, out)
	}
	path := filepath.Join(dir, "datadis-plugin-python")
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' '%s' \"$@\"\n", interpreter, filepath.Join(dir, "main.py"))
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAPluginInPythonConforms(t *testing.T) {
	t.Parallel()
	report := try(t, inPython(t), conformance.Options{})
	for _, f := range report.Findings {
		t.Error(f.Error())
	}
	for _, check := range []string{"source.list", "harmonizer.months", "harmonizer.kill", "process.drain"} {
		ran := false
		for _, c := range report.Checks {
			ran = ran || c.Name == check && c.Status == conformance.Passed
		}
		if !ran {
			t.Errorf("%s did not pass", check)
		}
	}
}
