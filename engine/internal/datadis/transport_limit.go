package datadis

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// limit lets so many requests be under way at once, bodies included, and waits
// for the shared limiter before each.
type limit struct {
	next   http.RoundTripper
	slots  chan struct{}
	shared Limiter // may be nil
	waited func(time.Duration)
}

func newLimit(next http.RoundTripper, inFlight int, shared Limiter, waited func(time.Duration)) limit {
	return limit{next, make(chan struct{}, inFlight), shared, waited}
}

// RoundTrip implements [http.RoundTripper].
func (l limit) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	select {
	case l.slots <- struct{}{}:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	release := func() { <-l.slots }
	if l.shared != nil {
		if err := l.shared.Wait(req.Context()); err != nil {
			release()
			return nil, fmt.Errorf("wait for the request limit: %w", err)
		}
	}
	l.waited(time.Since(began))
	res, err := l.next.RoundTrip(req)
	if err != nil {
		release()
		return nil, err
	}
	res.Body = onClose(res.Body, release)
	return res, nil
}

// onClose calls after when the body is closed, once.
func onClose(body io.ReadCloser, after func()) io.ReadCloser {
	return &closing{ReadCloser: body, after: sync.OnceFunc(after)}
}

type closing struct {
	io.ReadCloser
	after func()
}

// Close implements [io.Closer].
func (c *closing) Close() error {
	defer c.after()
	return c.ReadCloser.Close()
}
