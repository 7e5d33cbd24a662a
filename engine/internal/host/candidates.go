package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/datadis-engine/datadis/engine/internal/pin"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// Status of a file in the plugin folders, or of an instance.
type Status string

// The statuses.
const (
	OK            Status = "ok"
	Ignored       Status = "ignored"        // a file that is no plugin
	Shadowed      Status = "shadowed"       // an earlier folder has a plugin of the same name
	NotExecutable Status = "not-executable" // the file may not be run
	NoManifest    Status = "no-manifest"    // and it is forbidden to ask the binary
	Incompatible  Status = "incompatible"   // another version of the protocol
	WrongPlatform Status = "wrong-platform" // a binary for another system or processor
	Unpinned      Status = "unpinned"       // locked, and the lock file does not know it
	Modified      Status = "modified"       // locked, and it is not what was pinned
	Unsafe        Status = "unsafe"         // locked, and others may exchange it
	Failed        Status = "failed"         // asked what it is, it did not answer
	NotConfigured Status = "not-configured" // a binary without an instance
	NoPlugin      Status = "no-plugin"      // an instance without its binary
	InvalidConfig Status = "invalid-config" // an instance whose configuration is not acceptable
	Disabled      Status = "disabled"       // an instance that its own file leaves out
)

// The statuses of an instance in a running engine, besides OK.
const (
	Restarting Status = "restarting"
	Unhealthy  Status = "unhealthy"  // it says that something is missing
	CrashLoop  Status = "crash-loop" // it fell too often and is not started any more
	Stopped    Status = "stopped"
)

// Candidate is a file in the plugin folders.
type Candidate struct {
	Name        string // of the plugin; "" for a file that is none
	Path        string
	Description *plugin.Description // nil where it is not known
	Manifest    bool                // it was read, the binary not started
	Status      Status
	Reason      string
	Warnings    []string // doubts that would refuse it if the engine were locked

	pinned string // its SHA-256, where the lock file has the same
}

// Refused tells whether the plugin is there and not allowed: others go on
// without it.
func (s Status) Refused() bool {
	switch s { //nolint:exhaustive // the others are mistakes, or good
	case Unpinned, Modified, Unsafe, NoManifest, Incompatible, WrongPlatform, NotExecutable, Failed:
		return true
	}
	return false
}

// validName is what plugins and instances may be called; the names become parts
// of paths, topics and keys.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Candidates lists the files in the plugin folders: plugins, and others with
// the reason why they are none. A plugin with a manifest is not started.
func (h *Host) Candidates(ctx context.Context) []Candidate {
	var list []Candidate
	for _, dir := range h.config.Paths {
		list = append(list, scan(dir)...)
	}
	shadow(list)
	h.trust(list)
	var asked sync.WaitGroup
	for i := range list {
		c := &list[i]
		switch {
		case c.Status == OK:
			asked.Go(func() { h.describe(ctx, c) })
		case c.Name != "":
			c.Description, _ = ReadManifest(c.Path + ".json") // for people only: nothing is started
		}
	}
	asked.Wait()
	return list
}

// shadow marks plugins that an earlier folder has too.
func shadow(list []Candidate) {
	first := make(map[string]string)
	for i := range list {
		c := &list[i]
		if c.Status != OK {
			continue
		}
		if path, ok := first[c.Name]; ok {
			c.Status, c.Reason = Shadowed, "by "+path
			continue
		}
		first[c.Name] = c.Path
	}
}

// scan lists a folder, without those below it.
func scan(dir string) []Candidate {
	entries, err := os.ReadDir(dir)
	if err != nil {
		reason := "the folder cannot be read: " + err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			reason = "there is no such folder"
		}
		return []Candidate{{Path: dir, Status: Ignored, Reason: reason}}
	}
	names := make(map[string]bool, len(entries))
	for _, entry := range entries {
		names[entry.Name()] = true
	}
	var list []Candidate
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") || isManifest(entry.Name(), names) {
			continue
		}
		list = append(list, classify(dir, entry.Name()))
	}
	return list
}

// isManifest tells whether the file belongs to a binary beside it.
func isManifest(name string, names map[string]bool) bool {
	binary, ok := strings.CutSuffix(name, ".json")
	return ok && names[binary] && strings.HasPrefix(binary, plugin.FilePrefix)
}

// classifyName is the name of the plugin whose binary is called so; "" if it is
// none.
func classifyName(file string) string {
	name, ok := strings.CutPrefix(file, plugin.FilePrefix)
	if !ok || !validName.MatchString(name) {
		return ""
	}
	return name
}

// classify looks at a file without starting it.
func classify(dir, file string) Candidate {
	c := Candidate{Path: filepath.Join(dir, file), Status: Ignored}
	name, ok := strings.CutPrefix(file, plugin.FilePrefix)
	info, err := os.Stat(c.Path) // follows links: volumes are mounted as such
	switch {
	case !ok:
		c.Reason = fmt.Sprintf("the name does not begin with %s", plugin.FilePrefix)
	case strings.HasSuffix(file, ".json"):
		c.Reason = "a manifest without its binary"
	case !validName.MatchString(name):
		c.Reason = "a plugin's name has only a-z, 0-9, _ and -"
	case err != nil:
		c.Reason = err.Error()
	case !info.Mode().IsRegular():
		c.Reason = "no regular file"
	case info.Mode().Perm()&0o111 == 0:
		c.Name, c.Status, c.Reason = name, NotExecutable, "it may not be run; chmod +x"
	default:
		c.Name, c.Status = name, OK
		if platform, err := pin.Platform(c.Path); err != nil {
			c.Status, c.Reason = NotExecutable, "it cannot be read: "+err.Error()
		} else if !pin.Runs(platform) {
			c.Status, c.Reason = WrongPlatform, fmt.Sprintf("it is for %s, this is %s", platform, pin.Here)
		}
	}
	return c
}

// describe finds out what a plugin is.
func (h *Host) describe(ctx context.Context, c *Candidate) {
	description, err := ReadManifest(c.Path + ".json")
	switch {
	case err == nil:
		c.Manifest = true
	case !errors.Is(err, fs.ErrNotExist):
		c.Status, c.Reason = Failed, oneLine(err.Error())
		return
	case h.config.Locked:
		c.Status, c.Reason = NoManifest, fmt.Sprintf("there is no %s.json, and plugins.locked forbids to ask", filepath.Base(c.Path))
		return
	default:
		if description, err = h.ask(ctx, c.Path); err != nil {
			c.Status, c.Reason = Failed, oneLine(err.Error())
			if errors.As(err, new(*ProtocolError)) {
				c.Status = Incompatible
			}
			return
		}
	}
	c.Description = description
	if description.Name != c.Name {
		c.Status, c.Reason = Failed, fmt.Sprintf("it calls itself %q, and the file %q", description.Name, c.Name)
	} else if !Speaks(description.Protocol) {
		c.Status, c.Reason = Incompatible, (&ProtocolError{description.Protocol}).Error()
	}
}

// ReadManifest reads the manifest of a plugin.
func ReadManifest(path string) (*plugin.Description, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	description, err := plugin.ParseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return description, nil
}

// find is the plugin of that name that is used.
func find(list []Candidate, name string) (Candidate, bool) {
	for _, c := range list {
		if c.Name == name && c.Status != Shadowed {
			return c, true
		}
	}
	return Candidate{}, false
}

// oneLine makes a message fit a table.
func oneLine(message string) string { return strings.Join(strings.Fields(message), " ") }
