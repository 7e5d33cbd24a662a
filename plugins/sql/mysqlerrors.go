package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/go-sql-driver/mysql"

	"github.com/datadis-engine/datadis/plugins/internal/database"
	"github.com/datadis-engine/datadis/sdk"
)

// Numbers of errors (MySQL manual, Server Error Message Reference), by what is
// to be done about them. The messages of those that are not listed may quote a
// value, and are not told.
var (
	mysqlRefuses = []uint16{1044, 1045, 1049, 1227, 1251, 1524, 1698, 1820, 3118, 3159, 4151}
	mysqlQuery   = []uint16{1052, 1054, 1055, 1060, 1064, 1065, 1140, 1142, 1143, 1146, 1222, 1241, 1248, 1305, 1318, 1327, 1356, 1370, 1630}
	mysqlBusy    = []uint16{1040, 1053, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1927}
	mysqlTooSlow = []uint16{1969, 3024}
)

const mysqlReadOnly = 1792

// mysqlFailed is an error of the server, or of the way to it, as the engine
// decides on it.
func mysqlFailed(ctx context.Context, doing string, err error) error {
	var refused *mysql.MySQLError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	case errors.As(err, &refused):
		return mysqlRefused(doing, refused)
	case errors.Is(err, mysql.ErrNoTLS):
		return sdk.Stop(fmt.Errorf("%s: the server does not speak TLS, and the configuration asks for it", doing))
	}
	if why, untrusted := database.UntrustedServer(err); untrusted {
		return sdk.Stop(fmt.Errorf("%s: %s", doing, why))
	}
	if mysqlDown(err) {
		return sdk.Later(fmt.Errorf("%s: the database cannot be reached: %w", doing, err), dialTimeout)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func mysqlDown(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func mysqlRefused(doing string, e *mysql.MySQLError) error {
	told := fmt.Errorf("%s: %s (error %d)", doing, e.Message, e.Number)
	switch {
	case slices.Contains(mysqlTooSlow, e.Number):
		return sdk.Later(errTooSlow, 0)
	case slices.Contains(mysqlBusy, e.Number):
		return sdk.Later(told, dialTimeout)
	case slices.Contains(mysqlRefuses, e.Number):
		return sdk.Stop(told)
	case slices.Contains(mysqlQuery, e.Number):
		return queryError(fmt.Errorf("the database refuses the query: %s (error %d)", e.Message, e.Number))
	case e.Number == mysqlReadOnly:
		return queryError(fmt.Errorf("the query writes, and may only read (error %d)", e.Number))
	}
	return queryError(fmt.Errorf("the database refuses the query (error %d)", e.Number))
}
