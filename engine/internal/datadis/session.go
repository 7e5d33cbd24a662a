package datadis

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Session asks as one login. It logs in when it first has to, keeps the token
// until shortly before it expires, and lets only so many calls be under way at
// once. It may be used by many goroutines.
type Session struct {
	client *Client
	login  Login
	slots  chan struct{} // a token in it per call under way
	used   time.Time     // guarded by client.mu

	mu      sync.Mutex // guards the rest
	current token
	flight  *flight   // the login under way, if there is one
	refused error     // what the last login said, if it was refused
	retry   time.Time // when a refused login may be sent again
}

// flight is a login that several calls wait for.
type flight struct {
	done  chan struct{} // closed when the login is over
	token token
	err   error
}

// Login logs in unless the session has a token. Callers need it only to learn
// whether the login works: every other call logs in by itself.
func (s *Session) Login(ctx context.Context) error {
	release, err := s.acquire(ctx, loginCall)
	if err != nil {
		return err
	}
	defer release()
	_, err = s.token(ctx, token{})
	return err
}

// ask makes one call: it waits for the login's cap, logs in if needed, and once
// more if the token is refused.
func (s *Session) ask(ctx context.Context, e *endpoint, params url.Values) (Answer, error) {
	release, err := s.acquire(ctx, e)
	if err != nil {
		return Answer{}, err
	}
	defer release()
	used, err := s.token(ctx, token{})
	if err != nil {
		return Answer{}, err
	}
	answer, err := s.client.get(ctx, e, params, used)
	if !errors.Is(err, errTokenRefused) {
		return answer, err
	}
	used, err = s.token(ctx, used)
	if err != nil {
		return Answer{}, err
	}
	return s.client.get(ctx, e, params, used)
}

// acquire waits for one of the login's slots.
func (s *Session) acquire(ctx context.Context, e *endpoint) (release func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, &Error{Kind: ErrCancelled, Endpoint: e.name, Err: ctx.Err()}
	}
}

// token is a token other than the stale one. Whoever needs it while a login is
// under way waits for that login and shares its outcome.
func (s *Session) token(ctx context.Context, stale token) (token, error) {
	for {
		s.mu.Lock()
		now := s.client.config.Now()
		switch {
		case s.current.text != "" && s.current != stale && now.Before(s.current.until):
			defer s.mu.Unlock()
			return s.current, nil
		case s.refused != nil && now.Before(s.retry):
			defer s.mu.Unlock()
			return token{}, s.refused
		case s.flight == nil:
			f := &flight{done: make(chan struct{})}
			s.flight = f
			s.mu.Unlock()
			s.fly(ctx, f)
			return f.token, f.err
		}
		f := s.flight
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return token{}, &Error{Kind: ErrCancelled, Endpoint: loginCall.name, Err: ctx.Err()}
		}
		// A login that its own caller gave up says nothing to the others.
		if !errors.Is(f.err, ErrCancelled) {
			return f.token, f.err
		}
	}
}

// fly logs in and tells everybody who waits.
func (s *Session) fly(ctx context.Context, f *flight) {
	f.token, f.err = s.client.logIn(ctx, s.login)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight, s.refused = nil, nil
	switch {
	case f.err == nil:
		s.current = f.token
	case errors.Is(f.err, ErrBadCredentials):
		s.refused = f.err
		s.retry = s.client.config.Now().Add(s.client.config.LoginRetry / 2)
	}
	close(f.done)
}

// logIn asks for a token.
func (c *Client) logIn(ctx context.Context, login Login) (token, error) {
	form := url.Values{"username": {login.Username}, "password": {login.Password.Reveal()}}.Encode()
	r, err := c.call(ctx, request{
		endpoint: loginCall,
		version:  c.version(),
		method:   http.MethodPost,
		body:     form,
		header:   http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		hide:     []string{login.Username, login.Password.Reveal(), strings.TrimSpace(form)},
	})
	if err != nil {
		return token{}, err
	}
	return parseToken(r.body, r.received)
}
