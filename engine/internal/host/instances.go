package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// Instance is a plugin as one configuration sets it up.
type Instance struct {
	Name   string // the source's or the harmonizer's name
	Plugin string // the name of the binary
	File   string // that the configuration came from; "" for one made in code
	Kinds  []plugin.Kind
	Limits Limits // of its own; those of the Config apply where it has none

	Status   Status
	Reason   string
	Problems []sdk.Problem // with the configuration

	dir       string
	config    []byte // as written, without the key "plugin"; secrets not yet resolved
	candidate Candidate
	holders   []string
}

// NewInstance is an instance made in code, for Config.Extra. Relative paths of
// the configuration refer to dir.
func NewInstance(name, pluginName, dir string, config map[string]any) (Instance, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return Instance{}, fmt.Errorf("instance %s: %w", name, err)
	}
	return Instance{Name: name, Plugin: pluginName, Status: OK, dir: dir, config: text}, nil
}

// Plays tells whether the instance's plugin has the role.
func (i *Instance) Plays(kind plugin.Kind) bool { return slices.Contains(i.Kinds, kind) }

// Description is what the plugin says about itself; nil where it is not known.
func (i *Instance) Description() *plugin.Description { return i.candidate.Description }

// Path is the file of the plugin; "" where there is none.
func (i *Instance) Path() string { return i.candidate.Path }

// SecretFiles are the files that secrets of the instance were read from.
func (i *Instance) SecretFiles() []string { return i.holders }

// LimitsOver are the limits of the instance's process, given those of all.
func (i *Instance) LimitsOver(all Limits) Limits { return i.Limits.over(all) }

// Warnings are doubts about the plugin that do not keep it from being started.
func (i *Instance) Warnings() []string { return i.candidate.Warnings }

// Problem is why an instance cannot be used.
type Problem struct {
	Instance string
	File     string
	Status   Status        // of the instance
	Kinds    []plugin.Kind // of its plugin, where that is known
	Path     string        // JSON pointer into the file, "" for the whole
	Message  string
}

// String is the problem on one line.
func (p Problem) String() string {
	where := p.Instance
	if p.File != "" {
		where = p.File
	}
	if p.Path != "" {
		where += " " + p.Path
	}
	return where + ": " + p.Message
}

// Instances lists the configured instances that can be started, and what is
// wrong with the others. The order is by name.
func (h *Host) Instances(ctx context.Context) ([]Instance, []Problem) {
	all, _ := h.Survey(ctx)
	var usable []Instance
	var problems []Problem
	for _, in := range all {
		switch {
		case in.Status == OK:
			usable = append(usable, in)
		case in.Status == Disabled:
		case len(in.Problems) == 0:
			problems = append(problems, Problem{Instance: in.Name, File: in.File, Status: in.Status, Kinds: in.Kinds, Message: in.Reason})
		}
		for _, p := range in.Problems {
			problems = append(problems, Problem{Instance: in.Name, File: in.File, Status: in.Status, Kinds: in.Kinds, Path: p.Path, Message: p.Message})
		}
	}
	return usable, problems
}

// Survey lists every configured instance, usable or not, and every file in the
// plugin folders.
func (h *Host) Survey(ctx context.Context) ([]Instance, []Candidate) {
	candidates := h.Candidates(ctx)
	list := readInstances(h.config.ConfigDir)
	for _, extra := range h.config.Extra {
		if slices.ContainsFunc(list, func(in Instance) bool { return in.Name == extra.Name }) {
			extra.Status, extra.Reason = InvalidConfig, fmt.Sprintf("config_%s.json is an instance of the same name", extra.Name)
		}
		list = append(list, extra)
	}
	for i := range list {
		if list[i].Status == OK {
			h.examine(&list[i], candidates)
		}
	}
	slices.SortStableFunc(list, func(a, b Instance) int { return strings.Compare(a.Name, b.Name) })
	return list, candidates
}

// examine finds the instance's plugin and checks the configuration.
func (h *Host) examine(in *Instance, candidates []Candidate) {
	c, ok := find(candidates, in.Plugin)
	if !ok {
		in.Status = NoPlugin
		in.Reason = fmt.Sprintf("there is no %s%s in %s", plugin.FilePrefix, in.Plugin, strings.Join(h.config.Paths, ", "))
		return
	}
	in.candidate = c
	if c.Description != nil {
		in.Kinds = c.Description.Kinds
	}
	if c.Status != OK {
		in.Status, in.Reason = c.Status, c.Reason
		return
	}
	if _, in.Problems = h.settings(in); len(in.Problems) > 0 {
		in.Status, in.Reason = InvalidConfig, summarize(in.Problems)
	}
}

// summarize puts problems on one line.
func summarize(problems []sdk.Problem) string {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = strings.TrimPrefix(p.Path+": "+p.Message, ": ")
	}
	return strings.Join(lines, "; ")
}

// settings resolves and checks an instance's configuration.
func (h *Host) settings(in *Instance) (plugin.Settings, []sdk.Problem) {
	tree, err := decodeObject(in.config)
	if err != nil {
		return plugin.Settings{}, []sdk.Problem{{Message: err.Error()}}
	}
	var schema map[string]any
	if text := in.candidate.Description.ConfigSchema; len(text) > 0 {
		if err := json.Unmarshal(text, &schema); err != nil {
			return plugin.Settings{}, []sdk.Problem{{Message: "the plugin's own schema is no JSON object"}}
		}
	}
	r := &resolver{dir: in.dir, lookupEnv: h.config.LookupEnv, root: schema, secrets: make(map[string]sdk.Secret)}
	resolved := r.resolve(schema, tree, "", 0)
	if in.holders = r.files; r.inline && in.File != "" {
		in.holders = append(in.holders, in.File)
	}
	if len(r.problems) > 0 {
		return plugin.Settings{}, r.problems
	}
	if problems := checkSchema(in.candidate.Description.ConfigSchema, resolved, r.secrets); len(problems) > 0 {
		return plugin.Settings{}, problems
	}
	text, err := json.Marshal(withoutSecrets(resolved, r.secrets, ""))
	if err != nil {
		return plugin.Settings{}, []sdk.Problem{{Message: err.Error()}}
	}
	return plugin.Settings{JSON: text, Secrets: r.secrets}, nil
}

// readInstances reads config_<name>.json files; a folder that does not exist
// has none.
func readInstances(dir string) []Instance {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []Instance{{Name: "-", File: dir, Status: InvalidConfig, Reason: err.Error()}}
	}
	var list []Instance
	for _, entry := range entries {
		name, ok := strings.CutPrefix(entry.Name(), "config_")
		if name, isJSON := strings.CutSuffix(name, ".json"); ok && isJSON {
			list = append(list, readInstance(name, filepath.Join(dir, entry.Name())))
		}
	}
	return list
}

func readInstance(name, file string) Instance {
	in := Instance{Name: name, Plugin: name, File: file, Status: OK, dir: absolute(filepath.Dir(file))}
	err := in.read()
	if err == nil && !validName.MatchString(name) {
		err = fmt.Errorf("an instance's name has only a-z, 0-9, _ and -")
	}
	if err != nil {
		in.Status, in.Reason = InvalidConfig, err.Error()
	}
	return in
}

// read takes the key "plugin" out of the file; the rest is the plugin's.
func (i *Instance) read() error {
	text, err := os.ReadFile(i.File)
	if err != nil {
		return err
	}
	tree, err := decodeObject(text)
	if err != nil {
		return err
	}
	delete(tree, "$schema") // for editors
	if named, ok := tree["plugin"]; ok {
		delete(tree, "plugin")
		if err := i.take(named); err != nil {
			return err
		}
	}
	i.config, err = json.Marshal(tree)
	return err
}

// take reads what the file says to the engine.
func (i *Instance) take(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	o, err := parseOwn(text)
	if err != nil {
		return err
	}
	if o.Name != "" {
		i.Plugin = o.Name
	}
	if i.Limits, err = o.Limits.parse(); err != nil {
		return err
	}
	if o.Disabled {
		i.Status, i.Reason = Disabled, "its file says so"
	}
	return nil
}

// decodeObject keeps numbers as they are written.
func decodeObject(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	if tree == nil {
		return nil, errors.New("not a JSON object: null")
	}
	return tree, nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
