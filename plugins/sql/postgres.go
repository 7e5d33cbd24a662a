package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/sdk"
)

// postgres is a PostgreSQL, or what speaks like one.
type postgres struct{ config *pgx.ConnConfig }

// What was being done when something failed.
const (
	connecting = "connecting"
	listing    = "listing users"
	asking     = "asking the database"
)

// closeTimeout is for saying goodbye; the server notices without, too.
const closeTimeout = 2 * time.Second

// list implements [server].
func (p *postgres) list(ctx context.Context, query string, timeout time.Duration, head func([]column) error, row func([][]byte) error) error {
	conn, err := pgx.ConnectConfig(ctx, p.config.Copy())
	if err != nil {
		return database.Failed(ctx, connecting, err)
	}
	defer closePostgres(ctx, conn)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err == nil {
		_, err = tx.Exec(ctx, "SELECT set_config('statement_timeout', $1, true)", strconv.FormatInt(timeout.Milliseconds(), 10))
	}
	if err != nil {
		return database.Failed(ctx, listing, err)
	}
	statement, err := conn.Prepare(ctx, "users", query)
	if err != nil {
		return failedQuery(ctx, err)
	}
	if len(statement.ParamOIDs) > 0 {
		return queryError(errors.New("the query has parameters, such as $1, for which there are no values"))
	}
	columns, err := describe(ctx, tx, statement.Fields)
	if err != nil {
		return failedQuery(ctx, err)
	}
	if err := head(columns); err != nil || row == nil {
		return err
	}
	return readRows(ctx, tx, statement.Name, row)
}

// readRows runs the prepared query. The rows come as texts, one at a time.
func readRows(ctx context.Context, tx pgx.Tx, statement string, row func([][]byte) error) error {
	rows, err := tx.Query(ctx, statement, pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		return failedQuery(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.RawValues()); err != nil {
			return err // its context has ended, and with it the connection
		}
	}
	return failedQuery(ctx, rows.Err())
}

// ping implements [server].
func (p *postgres) ping(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, p.config.Copy())
	if err != nil {
		return database.Failed(ctx, connecting, err)
	}
	defer closePostgres(ctx, conn)
	return database.Failed(ctx, asking, conn.Ping(ctx))
}

func closePostgres(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // only read from: closing it cannot lose anything
}

// failedQuery is an error while the query ran. A refusal of the server's that
// waiting does not mend is the query's fault.
func failedQuery(ctx context.Context, err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || ctx.Err() != nil {
		return database.Failed(ctx, listing, err)
	}
	switch refused.Code {
	case "25006":
		return queryError(fmt.Errorf("the query writes, and may only read (SQLSTATE %s)", refused.Code))
	case "57014":
		return sdk.Later(errTooSlow, 0)
	}
	switch refused.Code[:min(2, len(refused.Code))] {
	case "22": // the message quotes the value
		return queryError(fmt.Errorf("the query converts a value that cannot be converted, or divides by zero (SQLSTATE %s)", refused.Code))
	case "42", "0A", "21", "P0":
		where := ""
		if refused.Position > 0 {
			where = fmt.Sprintf(" at character %d", refused.Position)
		}
		return queryError(fmt.Errorf("the database refuses the query%s: %s (SQLSTATE %s)", where, refused.Message, refused.Code))
	}
	return database.Failed(ctx, listing, err)
}

// describe says what the columns hold. Types of extensions have no fixed
// number, so the database is asked.
func describe(ctx context.Context, tx pgx.Tx, fields []pgconn.FieldDescription) ([]column, error) {
	oids := make([]uint32, len(fields))
	for i, f := range fields {
		oids[i] = f.DataTypeOID
	}
	rows, err := tx.Query(ctx, `SELECT t.oid, format_type(t.oid, NULL), t.typcategory::text, coalesce(e.typcategory::text, '')
		FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
		WHERE t.oid = ANY($1)`, oids)
	if err != nil {
		return nil, err
	}
	known := make(map[uint32]column)
	var oid uint32
	var name, category, element string
	_, err = pgx.ForEachRow(rows, []any{&oid, &name, &category, &element}, func() error {
		known[oid] = column{kind: postgresKind(oid, category, element), is: name}
		return nil
	})
	columns := make([]column, len(fields))
	for i, f := range fields {
		columns[i] = known[f.DataTypeOID]
		columns[i].name = f.Name
	}
	return columns, err
}

func postgresKind(oid uint32, category, element string) kind {
	switch oid {
	case pgtype.JSONOID, pgtype.JSONBOID:
		return jsonKind
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		return integerKind
	}
	switch {
	case isText(category):
		return textKind
	case category == "A" && isText(element):
		return arrayKind
	case category == "B":
		return boolKind
	}
	return otherKind
}

// isText tells whether a category of types (PostgreSQL manual, pg_type) is one
// of texts: strings, enumerations, and constants without a type.
func isText(category string) bool { return category != "" && strings.Contains("SEX", category) }
