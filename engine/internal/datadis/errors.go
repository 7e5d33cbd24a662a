package datadis

import (
	"fmt"
	"strings"
	"time"
)

// Kind is what a failure means for the caller. Each is an error of its own, so
// errors.Is(err, datadis.ErrUnavailable) asks for it.
type Kind string

// Error implements error.
func (k Kind) Error() string { return string(k) }

// The kinds.
const (
	// ErrBadCredentials: the login is refused. Datadis sometimes says so of
	// good ones: ask once more, later, before concluding anything.
	ErrBadCredentials Kind = "Datadis refuses the login"
	// ErrUnauthorised: the login may not see this supply, or not as this
	// authorised NIF. Another account may.
	ErrUnauthorised Kind = "the account is not authorised"
	// ErrNoData: there is nothing of what was asked for (404). Supplies are an
	// empty list instead.
	ErrNoData Kind = "Datadis has no such data"
	// ErrRepeated: the same query was answered within the last 24 hours. Ask
	// it again when they are over, and nothing else has to wait.
	ErrRepeated Kind = "Datadis was asked the same within 24 hours"
	// ErrThrottled: the login asks too much. All of its calls should wait, for
	// RetryAfter if that is given.
	ErrThrottled Kind = "Datadis asks to slow down"
	// ErrInvalidRequest: Datadis will never accept this request.
	ErrInvalidRequest Kind = "Datadis does not accept the request"
	// ErrUnavailable: there was no answer, or none that can be used. Try
	// again after a while.
	ErrUnavailable Kind = "Datadis is unavailable"
	// ErrCancelled: the caller's context ended first.
	ErrCancelled Kind = "cancelled"
	// ErrUnreadable: a body is not what Datadis documents.
	ErrUnreadable Kind = "the answer cannot be read"
)

// Error is a call that failed. Its text has no secrets, and CUPS and NIFs in it
// are masked.
type Error struct {
	Kind     Kind
	Endpoint string // what was called: login, supplies, consumption, …
	Status   int    // of the HTTP answer, 0 if there was none
	Message  string // what Datadis said, masked and shortened; may be empty
	// RetryAfter is how long Datadis asked to wait; 0 if it did not say.
	RetryAfter time.Duration
	// MaybeRegistered tells that the request had been sent when the answer
	// failed: Datadis may count it as answered and refuse it for 24 hours.
	MaybeRegistered bool
	Err             error // the cause, if it is not the answer itself
}

// Error implements error.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s", e.Endpoint, e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&text, " (status %d)", e.Status)
	}
	if e.Message != "" {
		fmt.Fprintf(&text, ": %s", e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&text, ": %v", e.Err)
	}
	return text.String()
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
