// Command datadis-plugin-sql is a source that reads its Datadis users from
// PostgreSQL, MySQL or MariaDB, by any query. README.md in its folder is written
// for those who use it.
package main

import (
	"context"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func main() { plugin.Serve(definition()) }

func definition() plugin.Definition[Config] {
	return plugin.Definition[Config]{
		Name:    "sql",
		Version: "1.0.0",
		Summary: "Users from PostgreSQL, MySQL or MariaDB",
		Description: "Reads Datadis users with a query that yields the columns username, password, authorized_nifs, self and cups; " +
			"the passwords may be encrypted.",
		Check: check,
		Source: func(_ context.Context, in sdk.Instance, c Config) (sdk.Source, sdk.Route, error) {
			s, wrong := newSource(in, c, plugin.Logger)
			if wrong != nil {
				return nil, sdk.Route{}, sdk.Reject("config", errorOf(*wrong))
			}
			return s, c.Route(in.Name), nil
		},
	}
}
