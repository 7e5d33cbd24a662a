package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/sdk"
)

// Config is what config_<instance>.json may say besides "plugin".
type Config struct {
	database.Address
	Schema     string   `json:"schema" doc:"The database schema that holds the tables; made if it is missing." default:"datadis" example:"datadis"`
	Hypertable string   `json:"hypertable" doc:"auto: a hypertable if the extension timescaledb is there when the tables are made; on: required, and made of a plain table too; off: a plain table." enum:"auto,on,off" default:"auto" example:"auto"`
	Sources    []string `json:"sources" doc:"The sources whose data is written. Without it: all." example:"[\"north\"]"`
}

const (
	defaultSchema = "datadis"
	// checkTimeout keeps the check of a configuration within what the engine
	// gives a plugin to be set up.
	checkTimeout = 8 * time.Second
	application  = "datadis-plugin-timescale"

	hypertableAuto = "auto"
	hypertableOn   = "on"
	hypertableOff  = "off"
)

var (
	sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
)

func (c Config) schema() string { return cmp.Or(c.Schema, defaultSchema) }

func (c Config) hypertable() string { return cmp.Or(c.Hypertable, hypertableAuto) }

// takes tells whether a source's data is wanted.
func (c Config) takes(source string) bool {
	return len(c.Sources) == 0 || slices.Contains(c.Sources, source)
}

// check finds everything that is wrong with the configuration, and connects. It
// makes nothing. A database that is down is no mistake of the configuration:
// the plugin waits for it.
func check(ctx context.Context, in sdk.Instance, c Config) []sdk.Problem {
	var problems []sdk.Problem
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if !schemaName.MatchString(c.schema()) || strings.HasPrefix(c.schema(), "pg_") {
		report("/schema", "%q cannot name a schema: use small letters, digits and underscores, and do not begin with pg_", c.schema())
	}
	if modes := []string{hypertableAuto, hypertableOn, hypertableOff}; !slices.Contains(modes, c.hypertable()) {
		report("/hypertable", "want one of %s", strings.Join(modes, ", "))
	}
	for i, source := range c.Sources {
		if !sourceName.MatchString(source) {
			report(fmt.Sprintf("/sources/%d", i), "%q is no name of a source: use small letters, digits, dashes and underscores", source)
		}
	}
	config, wrong := c.Within(in).Postgres(application)
	if wrong != nil {
		return append(problems, *wrong)
	}
	if len(problems) > 0 {
		return problems
	}
	var told *sdk.Error
	if err := c.try(ctx, config); errors.As(err, &told) && told.Kind != sdk.Unavailable {
		path := "/url"
		if told.Reason == reasonNoExtension {
			path = "/hypertable"
		}
		report(path, "%v", told.Err)
	}
	return problems
}

// try connects, and looks whether what the configuration asks for is there.
func (c Config) try(ctx context.Context, config *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return database.Failed(ctx, "connecting", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // only read from
	there, err := findExtension(ctx, conn)
	if err != nil {
		return database.Failed(ctx, "looking for TimescaleDB", err)
	}
	if c.hypertable() == hypertableOn && there == "" {
		return errNoExtension()
	}
	return nil
}
