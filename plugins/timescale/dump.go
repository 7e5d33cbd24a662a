package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// dumps are the tables by their keys, without the numbers that differ from one
// database to another.
var dumps = []struct{ table, query string }{
	{"reading", `SELECT concat_ws(' ', source, cups, property, resolution, start_time, period), to_jsonb(r)::text FROM readings r`},
	{"chunk", `SELECT concat_ws(' ', s.source, s.cups, s.property, s.resolution, c.month), (to_jsonb(c) - 'series_id')::text
		FROM chunk c JOIN series s ON s.id = c.series_id`},
	{"supply", `SELECT concat_ws(' ', cups, username, authorized_nif), to_jsonb(s)::text FROM supply s`},
	{"run", `SELECT id, to_jsonb(r)::text FROM run r`},
}

// DumpState implements [sdk.StateDumper]: every row of the schema. It is for
// tests, and reads all that is there.
func (h *harmonizer) DumpState(ctx context.Context, write func(key, value string) error) error {
	return h.transact(ctx, "reading what is there", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL TIME ZONE 'UTC'"); err != nil {
			return err
		}
		for _, d := range dumps {
			rows, err := tx.Query(ctx, d.query)
			if err != nil {
				return fmt.Errorf("table %s: %w", d.table, err)
			}
			var key, value string
			if _, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error { return write(d.table+" "+key, value) }); err != nil {
				return fmt.Errorf("table %s: %w", d.table, err)
			}
		}
		return nil
	})
}
