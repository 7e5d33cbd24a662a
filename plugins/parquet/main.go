// Command datadis-plugin-parquet is a harmonizer: it writes supplies and
// readings into tidy Parquet and CSV files that anybody can open.
package main

import (
	"context"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func main() { plugin.Serve(definition) }

var definition = plugin.Definition[Config]{
	Name:        "parquet",
	Version:     "1.0.0",
	Summary:     "Tidy Parquet and CSV files of supplies and readings",
	Description: "A harmonizer that writes a folder per source, series and supply, with a file per month, and a table of the supplies. Files are replaced whole; a revised month leaves one version.",
	License:     "Apache-2.0",
	Check: func(_ context.Context, in sdk.Instance, config Config) []sdk.Problem {
		return config.check(in)
	},
	Harmonizer: func(ctx context.Context, in sdk.Instance, config Config) (sdk.Harmonizer, sdk.Intake, error) {
		h, err := newHarmonizer(ctx, in, config)
		if err != nil {
			return nil, sdk.Intake{}, err
		}
		return h, sdk.Intake{Sources: config.Sources}, nil
	},
}
