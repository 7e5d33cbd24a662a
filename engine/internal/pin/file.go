package pin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
)

// format is the version of the lock file.
const format = 1

// AnyPlatform is the platform of plugins that are scripts.
const AnyPlatform = "any"

// Here is the platform of this process: GOOS/GOARCH.
const Here = runtime.GOOS + "/" + runtime.GOARCH

// Pin is one binary that is trusted.
type Pin struct {
	Version string `json:"version,omitempty"` // of the plugin, for people
	SHA256  string `json:"sha256"`            // hex
	Size    int64  `json:"size"`              // bytes
}

// File is the lock file: plugin → platform → pin.
type File struct {
	Path    string
	Plugins map[string]map[string]Pin
}

// wire is how the file looks.
type wire struct {
	Format  int                       `json:"format"`
	Plugins map[string]map[string]Pin `json:"plugins"`
}

var hexSum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ValidSum tells whether the text is a SHA-256 in hex, lower case.
func ValidSum(text string) bool { return hexSum.MatchString(text) }

// New is a lock file that does not exist yet.
func New(path string) *File { return &File{Path: path, Plugins: make(map[string]map[string]Pin)} }

// Load reads a lock file. The error is [fs.ErrNotExist] if there is none.
func Load(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the lock file: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var w wire
	if err := decoder.Decode(&w); err != nil {
		return nil, fmt.Errorf("the lock file %s is damaged: %w; restore it from version control, or write it anew with `engine plugins lock`", path, err)
	}
	if w.Format != format {
		return nil, fmt.Errorf("the lock file %s has format %d, this engine knows %d", path, w.Format, format)
	}
	f := New(path)
	for name, platforms := range w.Plugins {
		f.Plugins[name] = platforms
		for platform, p := range platforms {
			if !ValidSum(p.SHA256) {
				return nil, fmt.Errorf("the lock file %s has no SHA-256 for %s on %s", path, name, platform)
			}
		}
	}
	return f, nil
}

// LoadOrNew reads a lock file; one that does not exist is empty.
func LoadOrNew(path string) (*File, error) {
	f, err := Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return New(path), nil
	}
	return f, err
}

// Find is what is pinned for a plugin on this platform.
func (f *File) Find(name string) (Pin, bool) {
	for _, platform := range []string{Here, AnyPlatform} {
		if p, ok := f.Plugins[name][platform]; ok {
			return p, true
		}
	}
	return Pin{}, false
}

// Change is what Set did.
type Change string

// The changes.
const (
	Added   Change = "added"
	Updated Change = "updated"
	Same    Change = "same"
)

// Set pins a binary. Pins for other platforms stay as they are.
func (f *File) Set(name, platform string, p Pin) Change {
	old, known := f.Plugins[name][platform]
	if f.Plugins[name] == nil {
		f.Plugins[name] = make(map[string]Pin)
	}
	f.Plugins[name][platform] = p
	switch {
	case !known:
		return Added
	case old != p:
		return Updated
	default:
		return Same
	}
}

// Save writes the file whole, or not at all.
func (f *File) Save() error {
	text, err := json.MarshalIndent(wire{format, f.Plugins}, "", "  ")
	if err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	if err := Replace(f.Path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	return nil
}

// Replace writes a file whole, or not at all, whatever stops it.
func Replace(path string, content []byte, mode fs.FileMode) error {
	draft, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = draft.Write(content)
	err = errors.Join(err, draft.Chmod(mode), draft.Sync(), draft.Close())
	if err == nil {
		err = os.Rename(draft.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return nil
}
