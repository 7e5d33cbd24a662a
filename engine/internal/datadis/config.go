package datadis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// The versions of the API. Only V2 tells which distributors failed to answer.
const (
	V1 = "v1"
	V2 = "v2"
)

// Limiter spaces requests out, over however many processes share it.
type Limiter interface {
	// Wait returns when one more request may be sent.
	Wait(ctx context.Context) error
}

// Config says where Datadis is and how hard to press it. Start from Default.
type Config struct {
	// BaseURL is the scheme and host of the API, and a path prefix if a proxy
	// needs one.
	BaseURL string
	// API is V2 or V1. A server without V2 is asked with V1 from then on,
	// whatever is set here.
	API string

	// Timeout is for a call other than the login, from sending it to the last
	// byte of its body. Datadis often needs a minute.
	Timeout time.Duration
	// LoginTimeout is the same for the login.
	LoginTimeout time.Duration
	// ConnectTimeout is for a connection, and for its TLS handshake.
	ConnectTimeout time.Duration

	// MaxInFlight is how many calls this process has under way at most.
	MaxInFlight int
	// MaxInFlightPerLogin is the same for one login.
	MaxInFlightPerLogin int
	// Limiter is waited for before each request. Nil: no limit.
	Limiter Limiter

	// Tries is how often calls that Datadis does not guard (login, supplies,
	// contracts) are sent in all while it is unavailable. Guarded calls are
	// sent once.
	Tries int
	// RetryDelay is how long to wait before the second try; it doubles for
	// each further one, give or take a half.
	RetryDelay time.Duration
	// LoginRetry is the time after which callers may send a refused login
	// again. For half of it the session remembers the refusal instead of
	// asking.
	LoginRetry time.Duration

	// UserAgent is what the engine calls itself. Datadis blocks some libraries
	// by their default name.
	UserAgent string

	// Now is the clock that tokens expire by. Nil: time.Now.
	Now func() time.Time
	// Logger gets a line per call at debug level. Nil: nothing is logged.
	Logger *slog.Logger
	// Transport carries the requests. Nil: a new http.Transport with
	// ConnectTimeout, made for this API.
	Transport http.RoundTripper
}

// Default is the configuration for the real Datadis.
func Default() Config {
	return Config{
		BaseURL:             "https://datadis.es",
		API:                 V2,
		Timeout:             180 * time.Second,
		LoginTimeout:        60 * time.Second,
		ConnectTimeout:      10 * time.Second,
		MaxInFlight:         32,
		MaxInFlightPerLogin: 2,
		Tries:               3,
		RetryDelay:          2 * time.Second,
		LoginRetry:          30 * time.Second,
		UserAgent:           "Mozilla/5.0 (compatible; datadis-engine/1.0)",
	}
}

// Validate tells everything that is wrong with the configuration.
func (c Config) Validate() error {
	var problems []error
	wrong := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf(field+": "+format, args...))
	}
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		wrong("base_url", "%q is no http or https URL", c.BaseURL)
	} else if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		wrong("base_url", "only scheme, host and path are allowed")
	}
	if c.API != V1 && c.API != V2 {
		wrong("api", "%q is neither %s nor %s", c.API, V2, V1)
	}
	durations := []struct {
		field string
		value time.Duration
	}{
		{"timeout", c.Timeout},
		{"login_timeout", c.LoginTimeout},
		{"connect_timeout", c.ConnectTimeout},
		{"retry_delay", c.RetryDelay},
	}
	for _, d := range durations {
		if d.value <= 0 {
			wrong(d.field, "%s is not positive", d.value)
		}
	}
	if c.LoginRetry < 0 {
		wrong("login_retry", "%s is negative", c.LoginRetry)
	}
	counts := []struct {
		field string
		value int
	}{
		{"max_in_flight", c.MaxInFlight},
		{"max_in_flight_per_login", c.MaxInFlightPerLogin},
		{"tries", c.Tries},
	}
	for _, n := range counts {
		if n.value < 1 {
			wrong(n.field, "%d is less than 1", n.value)
		}
	}
	if c.UserAgent == "" {
		wrong("user_agent", "is empty; Datadis refuses clients without a name")
	}
	return errors.Join(problems...)
}

// withDefaults fills in what may be left out.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Transport == nil {
		c.Transport = newTransport(c)
	}
	return c
}
