// Command datadis-plugin-acme is a third party's plugin, as small as can be: a
// source of one user, and a harmonizer that publishes a line for each chunk. The
// tests build it as if it lay in plugins/, and put it into pods as the examples
// of docs/examples do.
package main

import (
	"context"
	"fmt"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// Config is config_acme.json.
type Config struct {
	Username string     `json:"username" doc:"The user." required:"true"`
	Password sdk.Secret `json:"password" doc:"The password." required:"true"`
}

func main() {
	plugin.Serve(plugin.Definition[Config]{
		Name: "acme", Version: "1.4.0", Summary: "An example",
		Source: func(_ context.Context, _ sdk.Instance, c Config) (sdk.Source, sdk.Route, error) {
			return source{c}, sdk.Route{Topic: "acme.readings", Tables: []string{"t"}, RowKeys: [][]string{{"cups", "timestamp"}}}, nil
		},
		Harmonizer: func(context.Context, sdk.Instance, Config) (sdk.Harmonizer, sdk.Intake, error) {
			return harmonizer{}, sdk.Intake{Sources: []string{"acme"}, OutputTopics: []string{"acme.output"}}, nil
		},
	})
}

type source struct{ Config }

// ListGrants implements [sdk.Source].
func (s source) ListGrants(_ context.Context, send func(sdk.Grant) error) error {
	return send(sdk.Grant{Username: s.Username, Password: s.Password, OwnSupplies: true})
}

type harmonizer struct{}

// HarmonizeTimeSeries implements [sdk.Harmonizer].
func (harmonizer) HarmonizeTimeSeries(_ context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	var result sdk.Result
	for i, chunk := range batch.Items {
		result.Records = append(result.Records, sdk.Record{
			Item: i, Topic: "acme.output", Key: []byte(chunk.CUPS), Value: fmt.Appendf(nil, "%s: %d", chunk.ID, chunk.Len()),
		})
	}
	return result, nil
}
