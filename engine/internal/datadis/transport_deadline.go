package datadis

import (
	"context"
	"net/http"
	"time"
)

// deadline gives each call its time, until its body is closed.
type deadline struct {
	next        http.RoundTripper
	data, login time.Duration
}

// RoundTrip implements [http.RoundTripper].
func (d deadline) RoundTrip(req *http.Request) (*http.Response, error) {
	timeout := d.data
	if endpointOf(req.Context()) == loginCall {
		timeout = d.login
	}
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	res, err := d.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	res.Body = onClose(res.Body, cancel)
	return res, nil
}

// endpointKey is where the context of a request has its endpoint, for the round
// trippers that treat endpoints differently.
type endpointKey struct{}

func withEndpoint(ctx context.Context, e *endpoint) context.Context {
	return context.WithValue(ctx, endpointKey{}, e)
}

// endpointOf is the endpoint that a request is for; nil if it is not ours.
func endpointOf(ctx context.Context) *endpoint {
	e, _ := ctx.Value(endpointKey{}).(*endpoint)
	return e
}
