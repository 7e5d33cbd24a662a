package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/pin"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func newPluginsInstallCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install PATH",
		Short: "Put a plugin's binary into the plugin folder, with its manifest",
		Long: `Copy the binary at PATH into the first folder of plugins.paths, write its
manifest beside it, and pin it in the lock file, if there is one. The binary is
started once, without a configuration, to ask what it is: install only what you
trust, and give the SHA-256 that its authors published.

It is refused if its SHA-256 is another, if it is for another system or
processor, if it is not the plugin that its file's name says, or if it speaks no
protocol of this engine. The installed file is exchanged whole; an engine that
runs goes on with the older one.`,
		Example: `  engine plugins install ./datadis-plugin-acme
  engine plugins install ./datadis-plugin-acme --sha256 4bf5122f…`,
		Args: cobra.ExactArgs(1),
	}
	p := a.outputFlag(cmd)
	sum := cmd.Flags().String("sha256", "", "the SHA-256 that the binary must have, in `hex`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		want := strings.ToLower(strings.TrimSpace(*sum))
		if want != "" && !pin.ValidSum(want) {
			return wrongUsage(fmt.Errorf("--sha256 %s is no SHA-256; write its 64 hexadecimal digits", *sum))
		}
		s, err := a.settings()
		if err != nil {
			return err
		}
		done, err := installPlugin(cmd.Context(), a, s, args[0], want)
		if err != nil {
			return fmt.Errorf("%s is not installed: %w", args[0], err)
		}
		return printOne(p, done, done.write)
	}
	return cmd
}

// installed is what `engine plugins install` did.
type installed struct {
	Plugin   string        `json:"plugin"`
	Kinds    []plugin.Kind `json:"kinds"`
	Version  string        `json:"version"`
	Replaced string        `json:"replaced,omitempty"` // the version that was there
	Path     string        `json:"path"`
	SHA256   string        `json:"sha256"`
	Lock     string        `json:"lock,omitempty"` // the file that it was pinned in
}

func (i *installed) write(w io.Writer) error {
	fmt.Fprintf(w, "%s %s (%s) is installed: %s\n", i.Plugin, i.Version, joinKinds(i.Kinds), i.Path)
	if i.Replaced != "" {
		fmt.Fprintf(w, "it replaces %s\n", i.Replaced)
	}
	fmt.Fprintf(w, "sha256 %s\n", i.SHA256)
	if i.Lock != "" {
		fmt.Fprintf(w, "pinned in %s\n", i.Lock)
	}
	_, err := fmt.Fprintf(w, "next: engine plugins inspect %s\n", i.Plugin)
	return err
}

func installPlugin(ctx context.Context, a *app, s *settings.Settings, path, want string) (*installed, error) {
	lock, err := pin.Load(s.Plugins.Lock)
	if errors.Is(err, fs.ErrNotExist) {
		lock, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	received, err := host.New(a.hostConfig(s)).Receive(ctx, path, want)
	if err != nil {
		return nil, err
	}
	defer received.Close()
	d := received.Description
	folder := s.Plugins.Paths[0]
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("make the plugin folder: %w", err)
	}
	done := &installed{
		Plugin: d.Name, Kinds: d.Kinds, Version: d.Version, SHA256: received.SHA256,
		Path: filepath.Join(folder, plugin.FilePrefix+d.Name),
	}
	if old, err := host.ReadManifest(done.Path + ".json"); err == nil {
		done.Replaced = old.Version
	}
	if err := placePlugin(received, done.Path); err != nil {
		return nil, err
	}
	if lock != nil {
		lock.Set(d.Name, received.Platform, pin.Pin{Version: d.Version, SHA256: received.SHA256, Size: received.Size})
		if err := lock.Save(); err != nil {
			return nil, fmt.Errorf("it is in place, and not pinned: %w", err)
		}
		done.Lock = lock.Path
	}
	return done, nil
}

// placePlugin exchanges the binary and its manifest. In between there is no
// manifest, rather than one of another binary.
func placePlugin(received *host.Delivery, path string) error {
	manifest, err := received.Description.Manifest()
	if err != nil {
		return err
	}
	content, err := os.ReadFile(received.Path())
	if err != nil {
		return err
	}
	if err := os.Remove(path + ".json"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the older manifest: %w", err)
	}
	if err := pin.Replace(path, content, 0o755); err != nil {
		return fmt.Errorf("put the binary in place: %w", err)
	}
	if err := pin.Replace(path+".json", manifest, 0o644); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	return nil
}
