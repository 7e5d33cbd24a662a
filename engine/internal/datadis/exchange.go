package datadis

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// reply is what came back for a request.
type reply struct {
	status   int
	header   http.Header
	body     []byte
	received time.Time
}

// errResent says that the connection broke after the request was sent. Go's
// transport would send it again on another connection; Datadis could take that
// for the identical query that it refuses.
var errResent = errors.New("the connection was lost after the request was sent")

// exchange sends a request once and reads the whole answer. Only an answer that
// can be used comes without an error.
func (c *Client) exchange(ctx context.Context, r request) (_ reply, err error) {
	var sent atomic.Bool
	var began atomic.Pointer[time.Time]
	defer func() {
		if at := began.Load(); at != nil {
			c.observe(r.endpoint, *at, err)
		}
	}()
	inner, cancel := context.WithCancelCause(withEndpoint(ctx, r.endpoint))
	defer cancel(nil)
	inner = httptrace.WithClientTrace(inner, &httptrace.ClientTrace{
		GetConn: func(string) { // it has its place: the time of the call begins
			now := time.Now()
			began.CompareAndSwap(nil, &now)
		},
		GotConn: func(httptrace.GotConnInfo) {
			if sent.Load() {
				cancel(errResent)
			}
		},
		WroteHeaders: func() { sent.Store(true) },
	})
	answer, err := c.roundTrip(inner, r)
	if err != nil {
		if cause := context.Cause(inner); errors.Is(cause, errResent) {
			err = cause
		}
		return reply{}, broken(ctx, r, answer.status, err, sent.Load())
	}
	return answer, classify(r, answer)
}

// roundTrip carries a request and reads its answer. It calls the transport
// itself, not through an http.Client: redirects are not followed with
// credentials in hand, and no error holds the URL with its CUPS and NIF.
func (c *Client) roundTrip(ctx context.Context, r request) (reply, error) {
	url := strings.TrimRight(c.config.BaseURL, "/") + r.endpoint.path(r.version)
	if len(r.query) > 0 {
		url += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, url, strings.NewReader(r.body))
	if err != nil {
		return reply{}, errors.New("the request cannot be built; see base_url")
	}
	req.Header = r.header
	// A transport repeats a request by itself when a connection that it used
	// before turns out to be closed. A guarded one must not be sent twice.
	req.Close = r.endpoint.guarded
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	body, err := readBody(res.Body, res.ContentLength, maxBody)
	if closeErr := res.Body.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close the answer: %w", closeErr)
	}
	return reply{
		status:   res.StatusCode,
		header:   res.Header,
		body:     body,
		received: c.config.Now(),
	}, err
}

// broken is the error of an exchange without a whole answer.
func broken(ctx context.Context, r request, status int, err error, sent bool) error {
	e := &Error{
		Kind:            ErrUnavailable,
		Endpoint:        r.endpoint.name,
		Status:          status,
		MaybeRegistered: sent && r.endpoint.guarded,
		Err:             err,
	}
	switch {
	case ctx.Err() != nil:
		e.Kind = ErrCancelled
		e.Err = ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		e.Err = errors.New("no answer in time")
	}
	return e
}
