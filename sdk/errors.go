package sdk

import (
	"errors"
	"fmt"
	"time"
)

// Error tells the engine what to do about a failure of a plugin.
type Error struct {
	Kind   ErrorKind
	Reason string        // a stable code, snake_case; "" if there is none
	After  time.Duration // for Unavailable: when to try again; 0 leaves it to the engine
	Origin Origin
	Err    error
}

// ErrorKind is what the engine does.
type ErrorKind string

// The kinds.
const (
	// Unavailable: something that the plugin needs is down. The same batch is
	// tried again, later.
	Unavailable ErrorKind = "unavailable"
	// Precondition: the plugin's target is not ready, or refuses the plugin.
	// Its work stops until somebody mends it.
	Precondition ErrorKind = "precondition"
	// Invalid: the configuration, or the batch, is not acceptable. A batch is
	// halved until the item is found.
	Invalid ErrorKind = "invalid"
)

// Origin is whose fault it was.
type Origin string

// The origins.
const (
	FromInput      Origin = "input"
	FromDownstream Origin = "downstream"
	FromPlugin     Origin = "plugin"
)

// Error implements error.
func (e *Error) Error() string {
	if e.Reason == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s (%s)", e.Err, e.Reason)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Later says that a call failed because something that the plugin needs is
// down, and to try again after the given time; 0 leaves the time to the engine.
func Later(err error, after time.Duration) error {
	return &Error{Kind: Unavailable, After: after, Origin: FromDownstream, Err: err}
}

// Stop says that the plugin cannot work until somebody mends its target.
func Stop(err error) error {
	return &Error{Kind: Precondition, Origin: FromDownstream, Err: err}
}

// Reject says that the input is not acceptable, and why.
func Reject(reason string, err error) error {
	return &Error{Kind: Invalid, Reason: reason, Origin: FromInput, Err: err}
}

// ErrUnsupported says that a plugin does not play the role it was asked for.
var ErrUnsupported = errors.New("the plugin does not support this")
