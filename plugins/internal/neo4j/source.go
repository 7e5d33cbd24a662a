package neo4j

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"regexp"

	"github.com/datadis-engine/datadis/plugins/internal/route"
	"github.com/datadis-engine/datadis/sdk"
)

// SourceConfig is the configuration of a source of users in Neo4j.
type SourceConfig struct {
	Neo4j          Config     `json:"neo4j" doc:"The connection to Neo4j." required:"true"`
	SecretPassword sdk.Secret `json:"secret_password" doc:"The secret that the users' passwords are encrypted with; see engine secret encrypt." required:"true"`
	Label          string     `json:"label" doc:"The label of the nodes that hold Datadis users." default:"DatadisSource"`
	route.Config
}

// LabelName is what labels that are configured have to look like: they cannot
// be parameters of a query.
var LabelName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)

// Route is where the time series of an instance go.
func (c SourceConfig) Route(instance string) sdk.Route {
	return c.routes(instance).Route(instance)
}

// routes has the projects' own name of the topic.
func (c SourceConfig) routes(instance string) route.Config {
	r := c.Config
	r.Topic = cmp.Or(r.Topic, "datadis."+instance+"hbase")
	return r
}

// Source makes the source. The logger is for a call.
func (c SourceConfig) Source(client *Client, logger func(context.Context) *slog.Logger) *Source {
	return &Source{client: client, label: cmp.Or(c.Label, DefaultLabel), secret: c.SecretPassword, logger: logger}
}

// Check finds what is wrong with the settings. It asks nobody.
func (c SourceConfig) Check(in sdk.Instance) []sdk.Problem {
	problems := append(c.Neo4j.Check(in, "/neo4j"), c.routes(in.Name).Check(in.Name)...)
	if c.SecretPassword.Empty() {
		problems = append(problems, sdk.Problem{Path: "/secret_password", Message: "is empty; it is what engine secret encrypt was given"})
	}
	if !LabelName.MatchString(cmp.Or(c.Label, DefaultLabel)) {
		problems = append(problems, sdk.Problem{Path: "/label", Message: "is no label: use letters, digits and underscores, and no digit first"})
	}
	return problems
}

// Users is a source with a connection of its own, which it closes.
type Users struct {
	*Source
	io.Closer
}

// NewUsers makes a source and its route.
func NewUsers(in sdk.Instance, c SourceConfig, logger func(context.Context) *slog.Logger) (*Users, sdk.Route, error) {
	client, err := Open(in, c.Neo4j)
	if err != nil {
		return nil, sdk.Route{}, err
	}
	return &Users{c.Source(client, logger), client}, c.Route(in.Name), nil
}

// CheckHealth implements the SDK's HealthChecker.
func (u *Users) CheckHealth(ctx context.Context) error { return u.client.CheckHealth(ctx) }
