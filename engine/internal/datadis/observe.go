package datadis

import (
	"errors"
	"time"
)

// classes names what can come of a call, for whoever counts.
var classes = []struct {
	kind Kind
	name string
}{
	{ErrBadCredentials, "bad_credentials"}, {ErrUnauthorised, "unauthorised"}, {ErrNoData, "no_data"},
	{ErrRepeated, "repeated"}, {ErrThrottled, "throttled"}, {ErrInvalidRequest, "invalid_request"},
	{ErrUnavailable, "unavailable"}, {ErrCancelled, "cancelled"}, {ErrUnreadable, "unreadable"},
}

// answered is the class of a call whose answer can be used.
const answered = "ok"

// Classes lists what an Observer is told of calls.
func Classes() []string {
	names := []string{answered}
	for _, c := range classes {
		names = append(names, c.name)
	}
	return names
}

// classOf names what came of a call.
func classOf(err error) string {
	if err == nil {
		return answered
	}
	for _, c := range classes {
		if errors.Is(err, c.kind) {
			return c.name
		}
	}
	return "unavailable"
}

// Endpoints lists what an Observer is told was called.
func Endpoints() []string {
	var names []string
	for _, e := range []*endpoint{loginCall, suppliesCall, distributorsCall, contractsCall, consumptionCall, powerCall, reactiveCall} {
		names = append(names, e.name)
	}
	return names
}

// observe tells the observer what came of a call that began then.
func (c *Client) observe(e *endpoint, began time.Time, err error) {
	if c.config.Observer != nil {
		c.config.Observer.Call(e.name, classOf(err), time.Since(began))
	}
}
