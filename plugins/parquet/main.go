// Command datadis-plugin-parquet is a harmonizer that writes tidy Parquet and
// CSV files, one for each supply, series and month. README.md in its folder is
// written for those who use it.
package main

import (
	"context"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func main() { plugin.Serve(definition()) }

func definition() plugin.Definition[Config] {
	return plugin.Definition[Config]{
		Name:    "parquet",
		Version: "1.0.0",
		Summary: "Tidy Parquet and CSV files",
		Description: "Writes one file for each supply, series and month, and a table of all supplies, " +
			"which pandas, DuckDB or a spreadsheet can open.",
		Check: func(_ context.Context, in sdk.Instance, c Config) []sdk.Problem { return c.check(in) },
		Harmonizer: func(ctx context.Context, in sdk.Instance, c Config) (sdk.Harmonizer, sdk.Intake, error) {
			h, err := newHarmonizer(ctx, in, c)
			if err != nil {
				return nil, sdk.Intake{}, err
			}
			return h, sdk.Intake{Sources: c.Sources}, nil
		},
	}
}
