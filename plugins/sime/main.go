// Command datadis-plugin-sime is a source whose Datadis users lie in Neo4j, and
// a harmonizer that describes their supplies there, in the BIGG ontology.
// README.md in its folder is written for those who use it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func main() {
	var command func(to io.Writer, args []string) error
	if len(os.Args) > 1 {
		command = commands[os.Args[1]]
	}
	if command == nil {
		plugin.Serve(definition())
		return
	}
	if err := command(os.Stdout, os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "datadis-plugin-sime %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// commands are what the binary does by hand, beside what every plugin does.
var commands = map[string]func(to io.Writer, args []string) error{
	"gazetteer": importGazetteer,
	"mapping":   printMapping,
}

func definition() plugin.Definition[Config] {
	return plugin.Definition[Config]{
		Name:    "sime",
		Version: "1.0.0",
		Summary: "Users from Neo4j; supplies into the BIGG ontology",
		Description: "Reads Datadis users from the nodes DatadisSource of a Neo4j database, and describes their supplies in it " +
			"as a mapping says: devices, points of delivery, locations, sensors. Points of time series go to Kafka.",
		Check: func(_ context.Context, in sdk.Instance, c Config) []sdk.Problem { return c.Check(in) },
		Source: func(_ context.Context, in sdk.Instance, c Config) (sdk.Source, sdk.Route, error) {
			users, route, err := neo4j.NewUsers(in, c.SourceConfig, plugin.Logger)
			if err != nil {
				return nil, sdk.Route{}, err
			}
			return users, route, nil
		},
		Harmonizer: func(_ context.Context, in sdk.Instance, c Config) (sdk.Harmonizer, sdk.Intake, error) {
			h, err := newHarmonizer(in, c, plugin.Logger)
			if err != nil {
				return nil, sdk.Intake{}, err
			}
			return h, sdk.Intake{Sources: c.sources(in), OutputTopics: []string{c.points(in)}}, nil
		},
	}
}
