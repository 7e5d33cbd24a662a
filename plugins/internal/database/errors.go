package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datadis-engine/datadis/sdk"
)

// When a server that is down, or has no room, is tried again.
const (
	downRetry = 10 * time.Second
	fullRetry = time.Minute
)

// Classes and codes of SQLSTATE (PostgreSQL manual, appendix A).
const (
	badValueClass   = "22"
	constraintClass = "23"
	rollbackClass   = "40"
	resourceClass   = "53"
	connectionClass = "08"
	systemClass     = "58"
	operatorClass   = "57"
	diskFull        = "53100"
	readOnly        = "25006"
	cancelled       = "57014"
)

// Failed is an error of PostgreSQL as the engine decides on it. It says what was
// being done, and leaves out what may quote a value.
func Failed(ctx context.Context, doing string, err error) error {
	var told *sdk.Error
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	case errors.As(err, &refused):
		return refusedBy(refused, doing)
	}
	if why, untrusted := UntrustedServer(err); untrusted {
		return sdk.Stop(fmt.Errorf("%s: %s", doing, why))
	}
	if strings.Contains(err.Error(), "server refused TLS connection") { // pgx has no value for it
		return sdk.Stop(fmt.Errorf("%s: the server does not speak TLS, and the URL asks for it", doing))
	}
	if IsDown(err) {
		return sdk.Later(fmt.Errorf("%s: the database cannot be reached: %w", doing, lastCause(err)), downRetry)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// IsDown tells whether an error is one of the connection.
func IsDown(err error) bool {
	var network net.Error
	var connecting *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connecting) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		strings.Contains(err.Error(), "conn closed")
}

// lastCause leaves out what the driver puts before the cause, which is said
// once for each address that was tried.
func lastCause(err error) error {
	var operation *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &name):
		return name
	case errors.As(err, &operation):
		return operation
	}
	return err
}

// refusedBy is what the server answered. Class 22 quotes the value in its
// message, so that it is named by its code alone.
func refusedBy(e *pgconn.PgError, doing string) error {
	err := fmt.Errorf("%s: %s (SQLSTATE %s)", doing, e.Message, e.Code)
	switch class := e.Code[:min(2, len(e.Code))]; {
	case e.Code == diskFull:
		return sdk.Later(err, fullRetry)
	case e.Code == cancelled:
		return sdk.Later(fmt.Errorf("%s: it took too long, or somebody cancelled it (SQLSTATE %s)", doing, e.Code), downRetry)
	case e.Code == readOnly:
		return sdk.Later(fmt.Errorf("%s: the server takes no writes now; is it a standby? (SQLSTATE %s)", doing, e.Code), downRetry)
	case class == badValueClass:
		return sdk.Reject("bad_value", fmt.Errorf("%s: the database cannot take a value (SQLSTATE %s)", doing, e.Code))
	case class == constraintClass:
		return sdk.Reject("bad_value", err)
	case class == rollbackClass:
		return sdk.Later(err, time.Second)
	case class == resourceClass, class == connectionClass, class == operatorClass, class == systemClass:
		return sdk.Later(err, downRetry)
	}
	return sdk.Stop(err) // a wrong password, a missing permission, another schema
}
