package datadis

import (
	"errors"
	"time"
)

// Observer counts calls. Its methods are called by many goroutines at once, and
// must be quick.
type Observer interface {
	// Call tells of one call: what was called (one of Endpoints), what came of it
	// (one of Classes), and how long that took once it could be sent.
	Call(endpoint, class string, took time.Duration)
	// Waited tells how long a call waited for its place.
	Waited(took time.Duration)
}

// Observe sets who counts the calls. Call it before the client is used.
func (c *Client) Observe(o Observer) { c.observer = o }

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
	if c.observer != nil {
		c.observer.Call(e.name, classOf(err), time.Since(began))
	}
}

func (c *Client) waited(took time.Duration) {
	if c.observer != nil {
		c.observer.Waited(took)
	}
}
