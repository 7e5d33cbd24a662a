package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/sdk"
)

// harmonizer writes into a database. It keeps nothing between two calls that is
// not in there: each call is one transaction, and repeating it changes nothing.
type harmonizer struct {
	config Config
	pool   *pgxpool.Pool

	mu    sync.Mutex
	ready bool // the tables are there, in the newest version
}

// connections are one to write with, and one for the health.
const connections = 2

// newHarmonizer connects to nothing yet: a database that is down is waited for.
func newHarmonizer(in sdk.Instance, c Config) (*harmonizer, error) {
	connect, wrong := c.Within(in).Postgres(application)
	if wrong != nil {
		return nil, sdk.Reject("config", fmt.Errorf("%s %s", wrong.Path, wrong.Message))
	}
	config, err := pgxpool.ParseConfig("") // the only way to make one
	if err != nil {
		return nil, fmt.Errorf("preparing connections: %w", err)
	}
	config.ConnConfig, config.MaxConns, config.MinConns = connect, connections, 0
	pool, err := pgxpool.NewWithConfig(context.Background(), config) // ends with Close
	if err != nil {
		return nil, fmt.Errorf("preparing connections: %w", err)
	}
	return &harmonizer{config: c, pool: pool}, nil
}

// Close implements [io.Closer].
func (h *harmonizer) Close() error {
	h.pool.Close()
	return nil
}

// CheckHealth implements [plugin.HealthChecker].
func (h *harmonizer) CheckHealth(ctx context.Context) error {
	return database.Failed(ctx, "asking the database", h.pool.Ping(ctx))
}

// transact does something in a transaction, after making sure that the tables
// are there.
func (h *harmonizer) transact(ctx context.Context, doing string, do func(pgx.Tx) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ready {
		err := h.begin(ctx, func(tx pgx.Tx) error { return migrate(ctx, tx, h.config) })
		if err != nil {
			return database.Failed(ctx, "preparing the tables", err)
		}
		h.ready = true
	}
	err := h.begin(ctx, do)
	if tablesAreGone(err) {
		h.ready = false
		return sdk.Later(fmt.Errorf("%s: a table is gone; they are made again", doing), time.Second)
	}
	return database.Failed(ctx, doing, err)
}

// begin does something in a transaction. Names in it are those of the schema;
// the setting ends with the transaction, as connections may be shared.
func (h *harmonizer) begin(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, h.pool, func(tx pgx.Tx) error {
		path := pgx.Identifier{h.config.schema()}.Sanitize()
		if _, err := tx.Exec(ctx, "SELECT set_config('search_path', $1, true)", path); err != nil {
			return err
		}
		return do(tx)
	})
}

// tablesAreGone tells whether somebody dropped a table or the schema.
func tablesAreGone(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "42P01" || refused.Code == "3F000")
}

// HarmonizeTimeSeries implements [sdk.Harmonizer]. When it returns, everything
// is committed.
func (h *harmonizer) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	p := newPlan(h.config, batch.Items)
	if len(p.jobs) == 0 {
		return sdk.Result{Items: p.result()}, nil
	}
	err := h.transact(ctx, "writing readings", func(tx pgx.Tx) error { return p.write(ctx, tx) })
	if err != nil {
		return sdk.Result{}, err
	}
	return sdk.Result{Items: p.result()}, nil
}

// BeginRun implements [sdk.RunBeginner].
func (h *harmonizer) BeginRun(ctx context.Context, run sdk.Run) error {
	return h.transact(ctx, "noting the start of a run", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO run (id, policy, started) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
			run.ID, run.Policy, run.Started)
		return err
	})
}

// EndRun implements [sdk.RunEnder]. It deletes nothing: what a run did not see
// may be there all the same.
func (h *harmonizer) EndRun(ctx context.Context, end sdk.RunEnd) (sdk.Result, error) {
	return sdk.Result{}, h.transact(ctx, "noting the end of a run", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO run (id, policy, started, finished, outcome, failed_grants) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (id) DO UPDATE SET finished = excluded.finished, outcome = excluded.outcome, failed_grants = excluded.failed_grants`,
			end.Run.ID, end.Run.Policy, end.Run.Started, end.Finished, string(end.Outcome), len(end.FailedGrants))
		return err
	})
}
