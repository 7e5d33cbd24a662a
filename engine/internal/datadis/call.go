package datadis

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Answer is a body that Datadis sent with status 200 and that is a whole JSON
// document. Whether it is the right one, Decode tells.
type Answer struct {
	Body       []byte // as received, or inflated if it was compressed
	API        string // V1 or V2
	Status     int
	ReceivedAt time.Time
}

// request is one call as it is sent.
type request struct {
	endpoint *endpoint
	version  string // of the API
	method   string
	query    url.Values
	body     string
	header   http.Header
	hide     []string // values that must not be seen in messages
}

// get makes a call of the data API, with V2 if there is one. A server that has
// only V1 is recognised once and then spoken to in V1.
func (c *Client) get(ctx context.Context, e *endpoint, params url.Values, t token) (Answer, error) {
	version := c.version()
	answer, err := c.getVersion(ctx, e, version, params, t)
	switch {
	case version == V1:
		return answer, err
	case !errors.Is(err, errUnknownPath):
		if err == nil {
			c.newAPI.Store(true)
		}
		return answer, err
	case e.v1 == "" || c.newAPI.Load():
		return answer, err
	}
	answer, oldErr := c.getVersion(ctx, e, V1, params, t)
	if errors.Is(oldErr, errUnknownPath) {
		return Answer{}, err // neither is there: not a matter of versions
	}
	if oldErr == nil && c.oldAPI.CompareAndSwap(false, true) {
		c.log.WarnContext(ctx, "this Datadis has no version 2 of the API; version 1 is used, which does not tell when a distributor fails")
	}
	return answer, oldErr
}

// getVersion makes a call of the data API in one version.
func (c *Client) getVersion(ctx context.Context, e *endpoint, version string, params url.Values, t token) (Answer, error) {
	if e.path(version) == "" {
		return Answer{}, &Error{Kind: ErrInvalidRequest, Endpoint: e.name, Message: "version " + version + " of the API does not have it"}
	}
	r, err := c.call(ctx, request{
		endpoint: e,
		version:  version,
		method:   http.MethodGet,
		query:    params,
		header:   http.Header{"Authorization": {"Bearer " + t.text}},
		hide:     []string{t.text, params.Get("cups"), params.Get("authorizedNif")},
	})
	if err != nil {
		return Answer{}, err
	}
	return Answer{Body: r.body, API: version, Status: r.status, ReceivedAt: r.received}, nil
}

// call sends a request: a guarded one once, the others again while Datadis is
// unavailable.
func (c *Client) call(ctx context.Context, r request) (reply, error) {
	if r.endpoint.guarded || c.config.Tries == 1 {
		return c.exchange(ctx, r)
	}
	delays := backoff.NewExponentialBackOff()
	delays.InitialInterval = c.config.RetryDelay
	delays.Multiplier = 2
	answer, err := backoff.Retry(ctx, func() (reply, error) {
		answer, err := c.exchange(ctx, r)
		if err != nil && (!errors.Is(err, ErrUnavailable) || errors.Is(err, errUnknownPath)) {
			err = backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithBackOff(delays), backoff.WithMaxTries(uint(c.config.Tries)), backoff.WithMaxElapsedTime(0))
	return answer, settled(ctx, r.endpoint, err)
}

// settled is the error of a retried call as callers know it.
func settled(ctx context.Context, e *endpoint, err error) error {
	var ours *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return ours
	case ctx.Err() != nil: // while waiting for the next try
		return &Error{Kind: ErrCancelled, Endpoint: e.name, Err: err}
	default:
		return &Error{Kind: ErrUnavailable, Endpoint: e.name, Err: err}
	}
}
