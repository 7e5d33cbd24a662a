package deploy

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/datadis-engine/datadis/tools/deploy/internal/sandbox"
)

// image is the last stage of the Dockerfile, carried out once, upon a stand-in
// for its base image.
var image struct {
	once sync.Once
	dir  string
	*stage
	err error
}

// possible is asked once.
var possible = sync.OnceValue(sandbox.Possible)

// theImage builds the image, or skips the test where that cannot be done.
func theImage(t *testing.T) *stage {
	t.Helper()
	if err := possible(); err != nil {
		t.Skipf("the image is not tried out: %v", err)
	}
	image.once.Do(func() {
		if image.dir, image.err = os.MkdirTemp("", "image-"); image.err != nil {
			return
		}
		args := platform()
		args["VERSION"], args["COMMIT"] = "1.2.3-test", "0123abcd"
		image.stage, image.err = build(context.Background(), image.dir, root, args)
		if image.err == nil {
			image.err = baseFiles(image.files)
		}
	})
	if image.err != nil {
		t.Fatal(image.err)
	}
	return image.stage
}

func removeImage() {
	if image.dir != "" {
		_ = os.RemoveAll(image.dir)
	}
}

// libraries are what the C library's package of the base image holds and the
// engine may so be linked with.
var libraries = []string{
	"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2",
	"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1",
}

// baseFiles adds what the base image has and the engine needs: the C library,
// certificates, time zones, users. It adds no shell.
func baseFiles(dir string) error {
	files := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
		"/etc/group":  "root:x:0:\nnonroot:x:65532:\n",
		// As in a pod, whose runtime writes these two.
		"/etc/hosts": "127.0.0.1 localhost\n", "/etc/resolv.conf": "",
	}
	problems := []error{os.MkdirAll(filepath.Join(dir, "tmp"), 0o755), os.MkdirAll(filepath.Join(dir, "etc"), 0o755)}
	for name, text := range files {
		problems = append(problems, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	for _, name := range libraries {
		for _, folder := range []string{"/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/lib"} {
			from := filepath.Join(folder, name)
			if _, err := os.Stat(from); err == nil {
				problems = append(problems, copyFile(from, filepath.Join(dir, from)))
			}
		}
	}
	return errors.Join(problems...)
}

// inImage is a Spec for a process in the image, as strict as a pod of the
// manifests: no root, nothing to write to but mounts.
func inImage(s *stage, args ...string) sandbox.Spec {
	return sandbox.Spec{
		Root: s.files, ReadOnlyRoot: true, Dir: s.workdir, UID: 65532, GID: 65532,
		Env: environ(s.env), Args: append(slices.Clone(s.entry), args...),
	}
}

// output runs a process in the image and returns what it prints.
func output(t *testing.T, spec sandbox.Spec) string {
	t.Helper()
	cmd, err := sandbox.Command(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v\n%s%s", spec.Args, err, out.Bytes(), problems.Bytes())
	}
	return out.String()
}

// TestImage looks at what the Dockerfile made.
func TestImage(t *testing.T) {
	s := theImage(t)
	if uid, _, _ := strings.Cut(s.user, ":"); uid == "0" || uid == "" {
		t.Errorf("it runs as user %q", s.user)
	} else if _, err := strconv.Atoi(uid); err != nil {
		t.Errorf("user %q is no number: Kubernetes cannot see that it is not root", s.user)
	}
	for label, want := range map[string]string{
		"org.opencontainers.image.version": "1.2.3-test", "org.opencontainers.image.revision": "0123abcd",
	} {
		if s.labels[label] != want {
			t.Errorf("label %s is %q, not %q", label, s.labels[label], want)
		}
	}
	for _, binary := range binaries(t, s) {
		linked, arch := linkage(t, binary)
		if arch != runtime.GOARCH {
			t.Errorf("%s is for %s", binary, arch)
		}
		for _, library := range linked {
			if !slices.Contains(libraries, library) {
				t.Errorf("%s needs %s, which the base image does not have", filepath.Base(binary), library)
			}
		}
	}
}

// binaries lists the executables of the image, without the base's.
func binaries(t *testing.T, s *stage) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(filepath.Join(s.files, "opt"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode()&0o111 != 0 {
			list = append(list, name)
		}
		if err == nil && info.Mode()&0o022 != 0 {
			t.Errorf("%s can be written by others: %s", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 3 {
		t.Fatalf("only these can be run: %v", list)
	}
	return list
}

// linkage is what a binary is linked with, and for which processor.
func linkage(t *testing.T, name string) (linked []string, arch string) {
	t.Helper()
	file, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	linked, err = file.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	return linked, map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[file.Machine]
}

// TestImageRuns runs the engine as strictly as a pod does: read-only, not root,
// without a shell.
func TestImageRuns(t *testing.T) {
	s := theImage(t)
	var version struct{ Version, Commit string }
	if err := json.Unmarshal([]byte(output(t, inImage(s, "version", "--output", "json"))), &version); err != nil {
		t.Fatal(err)
	}
	if version.Version != "1.2.3-test" || version.Commit != "0123abcd" {
		t.Errorf("it says that it is %+v", version)
	}
	if _, err := os.Stat(filepath.Join(s.files, "bin/sh")); err == nil {
		t.Error("the stand-in has a shell; nothing is shown")
	}

	bare := inImage(s, "plugins", "list", "--output", "json")
	bare.Env = nil // nothing of the environment is needed
	list := output(t, bare)
	for _, plugin := range shipped(t) {
		if !strings.Contains(list, `"`+plugin+`"`) {
			t.Errorf("the plugin %s is not listed: %s", plugin, list)
		}
	}
}

// shipped are the plugins of the repository.
func shipped(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob(filepath.Join(root, "plugins/*/main.go"))
	if err != nil || len(mains) == 0 {
		t.Fatalf("there are no plugins: %v", err)
	}
	var names []string
	for _, main := range mains {
		names = append(names, filepath.Base(filepath.Dir(main)))
	}
	return names
}
