// Command datadis-plugin-timescale is a harmonizer that keeps readings and
// supplies in TimescaleDB or plain PostgreSQL. README.md in its folder is
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
		Name:    "timescale",
		Version: "1.0.0",
		Summary: "Readings and supplies in TimescaleDB or PostgreSQL",
		Description: "Writes a row for each reading, in a hypertable where TimescaleDB is installed and in a plain table " +
			"elsewhere, and a row for each supply and account.",
		Check: check,
		Harmonizer: func(_ context.Context, in sdk.Instance, c Config) (sdk.Harmonizer, sdk.Intake, error) {
			h, err := newHarmonizer(in, c)
			if err != nil {
				return nil, sdk.Intake{}, err
			}
			return h, sdk.Intake{Sources: c.Sources}, nil
		},
	}
}
