package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/datadis-engine/datadis/tools/deploy/internal/sandbox"
)

// builder carries out a Dockerfile: each stage in a folder of its own. The stage
// that compiles stands on this very system, over which its folder is laid; any
// other starts empty, for the test to fill.
type builder struct {
	dir     string // of the stages
	context string // what the builder is sent
	args    map[string]string
	stages  map[string]*stage
	last    *stage
}

// stage is what was made of one FROM.
type stage struct {
	files    string // what it holds, or adds to this system
	onSystem bool
	env      map[string]string
	args     map[string]string
	workdir  string
	user     string
	entry    []string
	cmd      []string
	labels   map[string]string
	ports    []string
}

// build carries out the Dockerfile and returns its last stage.
func build(ctx context.Context, dir, repository string, args map[string]string) (*stage, error) {
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		return nil, err
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	stages, meta, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return nil, err
	}
	b := &builder{dir: dir, context: filepath.Join(dir, "context"), args: maps.Clone(args), stages: map[string]*stage{}}
	if err := sendContext(repository, b.context); err != nil {
		return nil, err
	}
	for _, m := range meta {
		for _, a := range m.Args {
			b.args[a.Key] = deref(a.Value)
		}
	}
	for i, one := range stages {
		if err := b.stage(ctx, one, i+1 < len(stages)); err != nil {
			return nil, fmt.Errorf("stage %s: %w", one.Name, err)
		}
	}
	return b.last, nil
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// sendContext copies what .dockerignore lets through.
func sendContext(repository, to string) error {
	file, err := os.Open(filepath.Join(repository, ".dockerignore"))
	if err != nil {
		return err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return err
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return err
	}
	return filepath.WalkDir(repository, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		within, err := filepath.Rel(repository, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if within == ".git" || within == "bin" || within == "tools" {
				return fs.SkipDir // they are ignored, and large
			}
			return nil
		}
		if skip, err := ignored.MatchesOrParentMatches(within); skip || err != nil {
			return err
		}
		return copyFile(name, filepath.Join(to, within))
	})
}

// stage carries out one stage.
func (b *builder) stage(ctx context.Context, parsed instructions.Stage, compiles bool) error {
	s := &stage{
		files: filepath.Join(b.dir, parsed.Name), onSystem: compiles, workdir: "/",
		env: map[string]string{}, args: map[string]string{}, labels: map[string]string{},
	}
	if err := os.MkdirAll(s.files, 0o755); err != nil {
		return err
	}
	b.stages[parsed.Name], b.last = s, s
	for _, command := range parsed.Commands {
		if err := b.step(ctx, s, command); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	return nil
}

// step carries out one instruction. One that is not known here is an error: it
// must be taught.
func (b *builder) step(ctx context.Context, s *stage, command instructions.Command) error {
	switch c := command.(type) {
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			s.args[a.Key] = deref(a.Value)
			if given, ok := b.args[a.Key]; ok {
				s.args[a.Key] = given
			}
		}
		return nil
	case *instructions.EnvCommand:
		return s.assign(s.env, c.Env)
	case *instructions.LabelCommand:
		return s.assign(s.labels, c.Labels)
	case *instructions.WorkdirCommand:
		s.workdir = path.Join(s.workdir, c.Path)
		return os.MkdirAll(filepath.Join(s.files, s.workdir), 0o755)
	case *instructions.CopyCommand:
		return b.copy(s, c)
	case *instructions.RunCommand:
		return b.run(ctx, s, c)
	case *instructions.UserCommand:
		s.user = c.User
	case *instructions.ExposeCommand:
		s.ports = append(s.ports, c.Ports...)
	case *instructions.EntrypointCommand:
		s.entry = c.CmdLine
		if c.PrependShell {
			return errors.New("needs a shell, and the image has none")
		}
	case *instructions.CmdCommand:
		s.cmd = c.CmdLine
		if c.PrependShell {
			return errors.New("needs a shell, and the image has none")
		}
	case *instructions.StopSignalCommand:
	default:
		return fmt.Errorf("the test knows no %s", command.Name())
	}
	return nil
}

// assign expands and keeps variables or labels.
func (s *stage) assign(to map[string]string, pairs instructions.KeyValuePairs) error {
	all := maps.Clone(s.args)
	maps.Copy(all, s.env)
	lex := shell.NewLex('\\')
	for _, pair := range pairs {
		value, _, err := lex.ProcessWord(pair.Value, shell.EnvsFromSlice(environ(all)))
		if err != nil {
			return err
		}
		to[strings.Trim(pair.Key, `"`)] = value
	}
	return nil
}

func environ(variables map[string]string) []string {
	var list []string
	for name, value := range variables {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// copy copies files of the context, or of another stage.
func (b *builder) copy(s *stage, c *instructions.CopyCommand) error {
	from := b.context
	if c.From != "" {
		other := b.stages[c.From]
		if other == nil {
			return fmt.Errorf("there is no stage %s", c.From)
		}
		from = other.files
	}
	to := c.DestPath
	if !path.IsAbs(to) {
		to = path.Join(s.workdir, to) + "/"[:strings.Count(to, "/")&1]
	}
	for _, source := range c.SourcePaths {
		name := filepath.Join(from, source)
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		target := filepath.Join(s.files, to)
		if !info.IsDir() {
			if strings.HasSuffix(c.DestPath, "/") {
				target = filepath.Join(target, filepath.Base(source))
			}
			err = copyFile(name, target)
		} else {
			err = os.CopyFS(target, os.DirFS(name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run runs a command with a shell, over this system. Its caches are this
// system's caches, and there is nothing to fetch that is not there.
func (b *builder) run(ctx context.Context, s *stage, c *instructions.RunCommand) error {
	if !s.onSystem {
		return errors.New("the image has no shell")
	}
	variables := maps.Clone(s.args)
	maps.Copy(variables, s.env)
	for _, name := range []string{"PATH", "HOME", "GOPROXY", "GOTOOLCHAIN"} {
		if value, ok := os.LookupEnv(name); ok {
			variables[name] = value
		}
	}
	var mounts []sandbox.Mount
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		out, err := exec.CommandContext(ctx, "go", "env", name).Output()
		if err != nil {
			return fmt.Errorf("go env %s: %w", name, err)
		}
		dir := strings.TrimSpace(string(out))
		variables[name] = dir
		mounts = append(mounts, sandbox.Mount{Source: dir, Target: dir})
	}
	merged, work := filepath.Join(b.dir, "merged"), filepath.Join(b.dir, "work")
	if err := errors.Join(os.MkdirAll(merged, 0o755), os.MkdirAll(work, 0o755)); err != nil {
		return err
	}
	cmd, err := sandbox.Command(ctx, sandbox.Spec{
		Root: merged, Overlay: &sandbox.Overlay{Lower: "/", Upper: s.files, Work: work},
		Mounts: mounts, Dir: s.workdir, Env: environ(variables),
		Args: []string{"/bin/sh", "-c", strings.Join(c.CmdLine, "\n")},
	})
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// copyFile copies a file with its mode.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// platform are the arguments that a builder sets by itself.
func platform() map[string]string {
	return map[string]string{
		"BUILDPLATFORM": "linux/" + runtime.GOARCH, "BUILDARCH": runtime.GOARCH,
		"TARGETPLATFORM": "linux/" + runtime.GOARCH, "TARGETARCH": runtime.GOARCH,
	}
}
