package database

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datadis-engine/datadis/sdk"
)

// connectTimeout is how long a server may take to let somebody in.
const connectTimeout = 10 * time.Second

// parameters are what a URL may say after its question mark; others would be
// sent to the server as settings, or make pgx read files.
var parameters = []string{
	"sslmode", "connect_timeout", "target_session_attrs", "search_path", "default_query_exec_mode", "application_name", "options",
}

// Postgres is the address as pgx takes it. Nothing is connected to.
func (a Address) Postgres(application string) (*pgx.ConnConfig, *sdk.Problem) {
	u, wrong := a.Parse("postgres", "postgresql")
	if wrong != nil {
		return nil, wrong
	}
	query := u.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(parameters, name) {
			return nil, problem(urlPath, "the parameter %q is not known here; known are %s", name, strings.Join(parameters, ", "))
		}
	}
	if a.CAFile != "" {
		if _, wrong := a.TLS(u.Hostname()); wrong != nil {
			return nil, wrong // pgx reads the file itself, and says less about it
		}
		if !query.Has("sslmode") {
			query.Set("sslmode", "verify-full")
		}
		if mode := query.Get("sslmode"); !strings.HasPrefix(mode, "verify-") {
			return nil, problem(caPath, "is of no use with sslmode=%s; write sslmode=verify-full", mode)
		}
		query.Set("sslrootcert", a.CAFile)
		u.RawQuery = query.Encode()
	}
	config, err := pgx.ParseConfig(u.String())
	if err != nil { // its text may quote the URL
		return nil, problem(urlPath, "a parameter has a value that it cannot have; sslmode is one of disable, prefer, require, verify-ca, verify-full, and connect_timeout a number of seconds")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.RuntimeParams["client_encoding"] = "UTF8"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = application
	}
	return config, nil
}
