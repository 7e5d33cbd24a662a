// Command datadis-plugin-file is a source: it hands over the Datadis users that
// stand in a CSV or JSON file.
package main

import (
	"context"
	"log/slog"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func main() { plugin.Serve(definition) }

var definition = plugin.Definition[Config]{
	Name:        "file",
	Version:     "1.0.0",
	Summary:     "Datadis users from a CSV or JSON file",
	Description: "A source for projects whose users stand in a file: CSV with the header username,password,authorized_nifs,self,cups, or a JSON array of objects with these names.",
	License:     "Apache-2.0",
	Check:       check,
	Source: func(_ context.Context, in sdk.Instance, config Config) (sdk.Source, sdk.Route, error) {
		return &source{path: in.Path(config.Path), log: slog.Default()}, config.route(in.Name), nil
	},
}
