package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Stamped by the Makefile.
var (
	version = ""
	commit  = ""
)

// pluginProtocol is the version of the plugins' protocol.
const pluginProtocol = 1

// build describes this binary.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Protocol int    `json:"protocol"`
}

// thisBuild is what was stamped, else what Go knows: binaries made with
// `go install` are not stamped.
func thisBuild() build {
	b := build{
		Version:  version,
		Commit:   commit,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Protocol: pluginProtocol,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		if b.Version == "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && b.Commit == "" {
				b.Commit = s.Value
			}
		}
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	if b.Commit == "" {
		b.Commit = "unknown"
	}
	return b
}

func newVersionCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which engine this is",
		Args:  cobra.NoArgs,
	}
	p := a.outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		b := thisBuild()
		return printOne(p, b, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "engine %s\ncommit %s\n%s %s\nplugin protocol %d\n", b.Version, b.Commit, b.Go, b.Platform, b.Protocol)
			return err
		})
	}
	return cmd
}
