package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlServer is a MySQL or a MariaDB.
type mysqlServer struct{ config *mysql.Config }

// list implements [server].
func (m *mysqlServer) list(ctx context.Context, query string, timeout time.Duration, head func([]column) error, row func([][]byte) error) error {
	// The driver would read to its end a result that is not wanted any more,
	// unless its context ends.
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	db, conn, err := m.connect(within)
	if err != nil {
		return mysqlFailed(ctx, connecting, err)
	}
	defer func() { cancel(); _ = db.Close() }() // only read from: closing it cannot lose anything
	if err := limit(within, conn, timeout, row == nil); err != nil {
		return mysqlFailed(ctx, listing, err)
	}
	tx, err := conn.BeginTx(within, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return mysqlFailed(ctx, listing, err)
	}
	rows, err := tx.QueryContext(within, query)
	if err != nil {
		return mysqlFailed(ctx, listing, err)
	}
	defer func() { cancel(); _ = rows.Close() }() // as above
	types, err := rows.ColumnTypes()
	if err != nil {
		return mysqlFailed(ctx, listing, err)
	}
	if err := head(mysqlColumns(types)); err != nil || row == nil {
		return err
	}
	return scanRows(ctx, rows, len(types), row)
}

// scanRows reads the rows one at a time, as texts.
func scanRows(ctx context.Context, rows *sql.Rows, width int, row func([][]byte) error) error {
	cells, values, places := make([]sql.RawBytes, width), make([][]byte, width), make([]any, width)
	for i := range cells {
		places[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return mysqlFailed(ctx, listing, err)
		}
		for i, cell := range cells {
			values[i] = cell
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return mysqlFailed(ctx, listing, rows.Err())
}

// connect makes a connection. It ends with the pool.
func (m *mysqlServer) connect(ctx context.Context) (*sql.DB, *sql.Conn, error) {
	connector, err := mysql.NewConnector(m.config)
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, conn, nil
}

// limit bounds what the query may cost; MySQL and MariaDB have different names
// for that. With columnsOnly a SELECT yields no rows.
func limit(ctx context.Context, conn *sql.Conn, timeout time.Duration, columnsOnly bool) error {
	var version string
	if err := conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return err
	}
	// A server that waits for its reader gives up after a minute by default.
	settings := fmt.Sprintf("SET SESSION net_write_timeout = %d", int(max(time.Minute, timeout).Seconds()))
	if strings.Contains(strings.ToLower(version), "mariadb") {
		settings += fmt.Sprintf(", SESSION max_statement_time = %.3f", timeout.Seconds())
	} else {
		settings += fmt.Sprintf(", SESSION max_execution_time = %d", timeout.Milliseconds())
	}
	if columnsOnly {
		settings += ", SESSION sql_select_limit = 0"
	}
	_, err := conn.ExecContext(ctx, settings)
	return err
}

// ping implements [server].
func (m *mysqlServer) ping(ctx context.Context) error {
	db, conn, err := m.connect(ctx)
	if err != nil {
		return mysqlFailed(ctx, connecting, err)
	}
	defer func() { _ = db.Close() }() // only read from: closing it cannot lose anything
	return mysqlFailed(ctx, asking, conn.PingContext(ctx))
}

func mysqlColumns(types []*sql.ColumnType) []column {
	columns := make([]column, len(types))
	for i, t := range types {
		columns[i] = column{name: t.Name(), kind: mysqlKind(t.DatabaseTypeName()), is: strings.ToLower(t.DatabaseTypeName())}
	}
	return columns
}

func mysqlKind(name string) kind {
	switch strings.TrimPrefix(name, "UNSIGNED ") {
	case "JSON":
		return jsonKind
	case "BIT":
		return bitKind
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT":
		return integerKind
	case "CHAR", "VARCHAR", "TEXT", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET", "NULL",
		// What functions such as AES_DECRYPT yield. That it is UTF-8 is checked.
		"BINARY", "VARBINARY", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB":
		return textKind
	}
	return otherKind
}
