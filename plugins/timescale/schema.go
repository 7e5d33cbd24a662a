package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/datadis-engine/datadis/sdk"
)

// versions are the steps that the tables have been through: 1.sql makes them,
// each later one changes what the one before left.
//
//go:embed schema/*.sql
var versions embed.FS

// chunkInterval is how much time a chunk of the hypertable holds. A month of
// quarter hours of a thousand supplies is three million rows.
const chunkInterval = "30 days"

const reasonNoExtension = "no_timescaledb"

// errNoExtension says that hypertable is on, and cannot be.
func errNoExtension() error {
	return &sdk.Error{Kind: sdk.Precondition, Reason: reasonNoExtension, Origin: sdk.FromDownstream,
		Err: errors.New("the extension timescaledb is not in this database; have an administrator run CREATE EXTENSION timescaledb, or write auto")}
}

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// findExtension is the schema that TimescaleDB's functions lie in, quoted; ""
// if the database does not have it.
func findExtension(ctx context.Context, q querier) (string, error) {
	var schema string
	err := q.QueryRow(ctx, `SELECT quote_ident(n.nspname) FROM pg_catalog.pg_extension e
		JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'`).Scan(&schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return schema, err
}

// migrate brings the tables to the newest version, in a transaction that has the
// schema in its search path. Processes that start at the same time take turns.
func migrate(ctx context.Context, tx pgx.Tx, c Config) error {
	schema := c.schema()
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext($1))", application+" "+schema); err != nil {
		return fmt.Errorf("waiting for other processes: %w", err)
	}
	version, err := currentVersion(ctx, tx, schema)
	if err != nil {
		return err
	}
	steps, err := fs.Glob(versions, "schema/*.sql")
	if err != nil {
		return err
	}
	slices.SortFunc(steps, func(a, b string) int { return number(a) - number(b) })
	newest := number(steps[len(steps)-1])
	if version > newest {
		return sdk.Stop(fmt.Errorf("the tables in the schema %s have version %d, and this plugin knows %d: use a newer one", schema, version, newest))
	}
	for _, step := range steps {
		if number(step) <= version {
			continue
		}
		text, err := versions.ReadFile(step)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, string(text)); err != nil {
			return fmt.Errorf("making version %d of the tables: %w", number(step), err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO version (version) VALUES ($1)", number(step)); err != nil {
			return fmt.Errorf("noting version %d of the tables: %w", number(step), err)
		}
	}
	return makeHypertable(ctx, tx, c, version == 0)
}

// number is the version that a step leads to.
func number(step string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(path.Base(step), ".sql"))
	if err != nil {
		return 0 // no step: it is never run
	}
	return n
}

// currentVersion is the version of the tables, 0 if there are none. It makes the
// schema, and the table of versions.
func currentVersion(ctx context.Context, tx pgx.Tx, schema string) (int, error) {
	// CREATE SCHEMA IF NOT EXISTS asks for a permission even if there is nothing
	// to do.
	var there bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", schema).Scan(&there)
	if err == nil && !there {
		_, err = tx.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{schema}.Sanitize())
	}
	if err != nil {
		return 0, fmt.Errorf("making the schema %s: %w", schema, err)
	}
	err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'version')", schema).Scan(&there)
	if err == nil && !there {
		_, err = tx.Exec(ctx, "CREATE TABLE version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())")
	}
	var version int
	if err == nil {
		err = tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM version").Scan(&version)
	}
	if err != nil {
		return 0, fmt.Errorf("reading the version of the tables: %w", err)
	}
	return version, nil
}

// makeHypertable makes a hypertable of the readings. A table that was plain
// until now is only changed if that is required: it takes long where much is in
// it.
func makeHypertable(ctx context.Context, tx pgx.Tx, c Config, fresh bool) error {
	if mode := c.hypertable(); mode == hypertableOff || mode == hypertableAuto && !fresh {
		return nil
	}
	functions, err := findExtension(ctx, tx)
	if err != nil {
		return fmt.Errorf("looking for TimescaleDB: %w", err)
	}
	if functions == "" {
		if c.hypertable() == hypertableOn {
			return errNoExtension()
		}
		return nil
	}
	table := pgx.Identifier{c.schema(), "reading"}.Sanitize()
	_, err = tx.Exec(ctx, "SELECT "+functions+`.create_hypertable($1::regclass, 'start_time',
		chunk_time_interval => $2::interval, create_default_indexes => false, if_not_exists => true, migrate_data => true)`, table, chunkInterval)
	if err != nil {
		return fmt.Errorf("making a hypertable of the readings: %w", err)
	}
	return nil
}
