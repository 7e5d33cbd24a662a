package main

import (
	"context"
	"errors"
	"fmt"
)

// The exit codes. Scripts rely on them; the help of `engine` lists them.
const (
	codeDone        = 0
	codeFailed      = 1
	codeUsage       = 2 // wrong usage or configuration
	codeStrict      = 3 // --strict, and something was rejected or buried
	codeInterrupted = 130
)

// exitError is an error that says which code the process exits with. With a nil
// err nothing is printed: the command has said it all.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

// Unwrap gives the cause.
func (e *exitError) Unwrap() error { return e.err }

// wrongUsage marks an error as the fault of the command line or of the
// configuration.
func wrongUsage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: codeUsage, err: err}
}

// strictly marks a run that ended well, but for what --strict forbids.
func strictly(err error) error { return &exitError{code: codeStrict, err: err} }

// exitCode is the code for what a command returned.
func exitCode(ctx context.Context, err error) int {
	var exit *exitError
	var signalled *interruption
	switch {
	case err == nil:
		return codeDone
	case errors.As(err, &exit):
		return exit.code
	// A command that drained after a signal returns nil. One that was cut short
	// returns what it got of the context.
	case errors.As(context.Cause(ctx), &signalled) && (errors.Is(err, context.Canceled) || errors.As(err, &signalled)):
		return codeInterrupted
	default:
		return codeFailed
	}
}
