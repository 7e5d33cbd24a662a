package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	datadis "github.com/datadis-engine/datadis"
)

//go:embed template
var templates embed.FS

// sdkDir is where the SDK's source lies in a new plugin's folder.
const sdkDir = "third_party/datadis"

// Project says what to write.
type Project struct {
	Kind       string // source or harmonizer
	Name       string // of the plugin
	Dir        string // to write; it must not exist, or be empty
	Module     string // Go module path
	SDKVersion string // a released version; "": the engine's own source is written along
}

// Homepage of the engine, for the README.
func (Project) Homepage() string { return "https://github.com/datadis-engine/datadis" }

var (
	validName    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	validModule  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~/-]*$`)
	validVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*$`)
)

// Check finds what cannot be written.
func (p Project) Check() error {
	switch {
	case p.Kind != "source" && p.Kind != "harmonizer":
		return fmt.Errorf("%q is neither source nor harmonizer", p.Kind)
	case !validName.MatchString(p.Name):
		return fmt.Errorf("a plugin cannot be called %q: a name has only a-z, 0-9, _ and -, and begins with a letter or a digit", p.Name)
	case !validModule.MatchString(p.Module) || strings.Contains(p.Module, ".."):
		return fmt.Errorf("%q is no path of a Go module; write one such as example.com/%s", p.Module, p.Name)
	case p.SDKVersion != "" && !validVersion.MatchString(p.SDKVersion):
		return fmt.Errorf("%q is no version of the SDK; write one such as v1.2.3", p.SDKVersion)
	}
	return nil
}

// Write writes the project, whole or not at all.
func (p Project) Write() error {
	if err := p.Check(); err != nil {
		return err
	}
	files, err := p.files()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return err
	}
	if err := mayTake(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".new-plugin-")
	if err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(temporary) }() // not there any more if all went well
	for name, text := range files {
		if err := writeFile(filepath.Join(temporary, filepath.FromSlash(name)), text); err != nil {
			return err
		}
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	_ = os.Remove(dir) // an empty folder is in the way, anything else stays
	if err := os.Rename(temporary, dir); err != nil {
		return fmt.Errorf("put the plugin's folder in its place: %w", err)
	}
	return nil
}

// mayTake refuses a place where something is already.
func mayTake(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the place for the plugin cannot be used: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty; name another folder with --dir", dir)
	}
	return nil
}

func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write a file: %w", err)
	}
	return nil
}

// files are the project's files by their paths, with slashes.
func (p Project) files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, folder := range []string{"template/common", "template/" + p.Kind} {
		entries, err := templates.ReadDir(folder)
		if err != nil {
			return nil, fmt.Errorf("the template of a %s: %w", p.Kind, err)
		}
		for _, entry := range entries {
			text, err := p.fill(folder + "/" + entry.Name())
			if err != nil {
				return nil, err
			}
			files[p.fileName(entry.Name())] = text
		}
	}
	return files, p.addModule(files)
}

// fileName is what a template is called once it is filled in.
func (p Project) fileName(template string) string {
	switch name := strings.TrimSuffix(template, ".tmpl"); name {
	case "gitignore":
		return ".gitignore"
	case "config.json":
		return "config_" + p.Name + ".example.json"
	default:
		return name
	}
}

func (p Project) fill(path string) ([]byte, error) {
	text, err := templates.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parsed, err := template.New(path).Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("a template: %w", err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("a template: %w", err)
	}
	return append(bytes.TrimRight(out.Bytes(), "\n"), '\n'), nil
}

// addSDK copies the SDK's source, without its tests.
func addSDK(files map[string][]byte) error {
	return fs.WalkDir(datadis.SDK, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return fs.SkipDir
		case entry.IsDir(), strings.HasSuffix(path, "_test.go"), path == "go.mod", path == "go.sum":
			return nil
		}
		text, err := datadis.SDK.ReadFile(path)
		files[sdkDir+"/"+path] = text
		return err
	})
}
