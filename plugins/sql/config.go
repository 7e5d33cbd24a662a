package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/plugins/internal/route"
	"github.com/datadis-engine/datadis/sdk"
)

// Config is what config_<instance>.json may say besides "plugin".
type Config struct {
	database.Address
	Query          string        `json:"query" doc:"What yields the users: one SELECT, with the columns username, password and, if wanted, authorized_nifs, self, cups and key." example:"SELECT username, password, authorized_nifs, self, cups FROM datadis_users" required:"true"`
	SecretPassword sdk.Secret    `json:"secret_password" doc:"The secret that the passwords of the column are encrypted with, as engine secret encrypt does. Without it they are taken as they are."`
	Timeout        time.Duration `json:"timeout" doc:"How long a listing may take, from the query to the last user." default:"10m" example:"10m"`
	route.Config
}

const (
	defaultTimeout = 10 * time.Minute
	// checkTimeout keeps the check of a configuration within what the engine
	// gives a plugin to be set up.
	checkTimeout = 8 * time.Second
)

var schemes = []string{"postgres", "postgresql", "mysql", "mariadb"}

// check finds everything that is wrong with the configuration, and asks the
// database what columns the query has. A database that is down is no mistake of
// the configuration, and must not keep the other sources from running: the
// listing, and the plugin's health, tell of it.
func check(ctx context.Context, in sdk.Instance, c Config) []sdk.Problem {
	var problems []sdk.Problem
	if strings.TrimSpace(c.Query) == "" {
		problems = append(problems, sdk.Problem{Path: "/query", Message: "is missing; write a SELECT that yields username and password"})
	}
	if c.Timeout < 0 {
		problems = append(problems, sdk.Problem{Path: "/timeout", Message: "is negative"})
	}
	problems = append(problems, c.Config.Check(in.Name)...)
	s, wrong := newSource(in, c, nil)
	if wrong != nil {
		return append(problems, *wrong)
	}
	if len(problems) > 0 {
		return problems
	}
	return s.checkQuery(ctx)
}

// newSource is the source that a configuration asks for. Nothing is connected
// to.
func newSource(in sdk.Instance, c Config, logger func(context.Context) *slog.Logger) (*source, *sdk.Problem) {
	address := c.Within(in)
	s := &source{query: c.Query, secret: c.SecretPassword, timeout: cmp.Or(c.Timeout, defaultTimeout), logger: logger}
	u, wrong := address.Parse(schemes...)
	if wrong != nil {
		return nil, wrong
	}
	if strings.HasPrefix(u.Scheme, "postgres") {
		config, wrong := address.Postgres("datadis-plugin-sql")
		s.server = &postgres{config: config}
		return s, wrong
	}
	config, wrong := mysqlConfig(address, u)
	s.server = &mysqlServer{config: config}
	return s, wrong
}

// checkQuery asks the database what columns the query has, and finds what is
// wrong with them. No row is read.
func (s *source) checkQuery(ctx context.Context) []sdk.Problem {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := s.server.list(ctx, s.query, s.timeout, func(columns []column) error {
		_, err := newTable(columns)
		return err
	}, nil)
	var told *sdk.Error
	if !errors.As(err, &told) || told.Kind == sdk.Unavailable {
		return nil
	}
	path := "/url"
	if told.Reason == reasonQuery {
		path = "/query"
	}
	var columns *columnError
	if !errors.As(err, &columns) {
		return []sdk.Problem{{Path: path, Message: told.Err.Error()}}
	}
	var problems []sdk.Problem
	for _, message := range columns.messages {
		problems = append(problems, sdk.Problem{Path: path, Message: message})
	}
	return problems
}

// errorOf is a problem as an error.
func errorOf(p sdk.Problem) error { return fmt.Errorf("%s %s", p.Path, p.Message) }
