package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/datadis-engine/datadis/engine/internal/scaffold"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func newPluginsNewCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new source|harmonizer NAME",
		Short: "Write the folder of a new plugin, which builds and passes its tests as it is",
		Long: `Write a folder with a source or a harmonizer in Go: code, tests, Makefile, README,
an example configuration. It builds and can be installed as it is. The SDK lies in
it, as this engine has it; with --sdk-version a released one is required instead.`,
		Example: `  engine plugins new harmonizer acme
  engine plugins new source north --dir ~/north --module git.example.com/north`,
		Args: cobra.ExactArgs(2),
	}
	var p scaffold.Project
	cmd.Flags().StringVar(&p.Dir, "dir", "", "`folder` to write (default "+plugin.FilePrefix+"NAME)")
	cmd.Flags().StringVar(&p.Module, "module", "", "`path` of the Go module (default example.com/"+plugin.FilePrefix+"NAME)")
	cmd.Flags().StringVar(&p.SDKVersion, "sdk-version", "", "released `version` of the SDK to require")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p.Kind, p.Name = args[0], args[1]
		if p.Dir == "" {
			p.Dir = plugin.FilePrefix + p.Name
		}
		if p.Module == "" {
			p.Module = "example.com/" + plugin.FilePrefix + p.Name
		}
		if err := p.Check(); err != nil {
			return wrongUsage(err)
		}
		if err := p.Write(); err != nil {
			return err
		}
		return a.nextSteps(p)
	}
	return cmd
}

// nextSteps says what to type now.
func (a *app) nextSteps(p scaffold.Project) error {
	tidy := ""
	if p.SDKVersion != "" {
		tidy = "    go mod tidy\n"
	}
	_, err := fmt.Fprintf(a.stdout, `%s is a %s. Now:

    cd %s
%s    make test
    make build
    engine plugins install %s
    cp config_%s.example.json <plugins.config_dir>/config_%s.json
    engine plugins list

plugin.go is where to begin.
`, p.Name, p.Kind, p.Dir, tidy, filepath.Join("bin", plugin.FilePrefix+p.Name), p.Name, p.Name)
	return err
}
