// Command datadis-plugin-file is a source that reads its Datadis users from a
// CSV or JSON file. README.md in its folder is written for those who use it.
package main

import (
	"context"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func main() { plugin.Serve(definition()) }

func definition() plugin.Definition[Config] {
	return plugin.Definition[Config]{
		Name:    "file",
		Version: "1.0.0",
		Summary: "Users from a CSV or JSON file",
		Description: "Reads Datadis users from a CSV file with the columns username, password, authorized_nifs, self and cups, " +
			"or from a JSON array of objects with the same names.",
		Check: check,
		Source: func(_ context.Context, in sdk.Instance, c Config) (sdk.Source, sdk.Route, error) {
			return &source{path: in.Path(c.Path), logger: plugin.Logger}, c.Route(in.Name), nil
		},
	}
}
