// Command datadis-plugin-cosmic is a source whose Datadis users lie in Neo4j,
// with encrypted passwords. README.md in its folder is written for those who
// use it.
package main

import (
	"context"

	"github.com/datadis-engine/datadis/plugins/internal/neo4j"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func main() { plugin.Serve(definition()) }

// Config is what config_<instance>.json may say besides "plugin".
type Config struct{ neo4j.SourceConfig }

func definition() plugin.Definition[Config] {
	return plugin.Definition[Config]{
		Name:    "cosmic",
		Version: "1.0.0",
		Summary: "Users from Neo4j, with encrypted passwords",
		Description: "Reads Datadis users from the nodes DatadisSource of a Neo4j database: username, Password (encrypted), " +
			"authorized_nif, self and cups.",
		Check: func(_ context.Context, in sdk.Instance, c Config) []sdk.Problem { return c.Check(in) },
		Source: func(_ context.Context, in sdk.Instance, c Config) (sdk.Source, sdk.Route, error) {
			users, route, err := neo4j.NewUsers(in, c.SourceConfig, plugin.Logger)
			if err != nil {
				return nil, sdk.Route{}, err
			}
			return users, route, nil
		},
	}
}
