package datadis

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Client asks one Datadis. It may be used by many goroutines at once.
type Client struct {
	config    Config
	log       *slog.Logger
	transport http.RoundTripper
	observer  Observer    // may be nil
	oldAPI    atomic.Bool // V1 is spoken, by choice or because there is no V2
	newAPI    atomic.Bool // V2 has answered: a missing path is not its absence

	mu       sync.Mutex // guards sessions
	sessions map[Login]*Session
}

// Login is one username and password.
type Login struct {
	ID       string // names it in logs and keys; not secret
	Username string
	Password sdk.Secret
}

// New makes a client.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("datadis: %w", err)
	}
	config = config.withDefaults()
	c := &Client{
		config:   config,
		log:      config.Logger,
		sessions: make(map[Login]*Session),
	}
	c.transport = c.stack()
	c.oldAPI.Store(config.API == V1)
	return c, nil
}

// stack puts the round trippers on top of each other, the outermost first in
// the comments. A call waits for its place before its time starts to run, and
// one that is not to be made at all waits for nothing.
func (c *Client) stack() http.RoundTripper {
	config := c.config
	var t http.RoundTripper = headers{config.Transport, config.UserAgent} // 5
	t = logging{t, config.Logger}                                         // 4
	t = deadline{t, config.Timeout, config.LoginTimeout}                  // 3
	t = newLimit(t, config.MaxInFlight, config.Limiter, c.waited)         // 2
	return newBreaker(t, config.Logger)                                   // 1
}

// newTransport is an http.Transport for this API.
func newTransport(config Config) *http.Transport {
	dialer := net.Dialer{Timeout: config.ConnectTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: config.ConnectTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        config.MaxInFlight,
		MaxIdleConnsPerHost: config.MaxInFlight,
		// Shorter than servers keep connections: a query sent on one that is
		// being closed could not be told from a query that was received.
		IdleConnTimeout: 30 * time.Second,
		// Datadis labels bodies as compressed that are not.
		DisableCompression: true,
	}
}

// sessionIdle is how long a session that nobody asks for is remembered.
const sessionIdle = 24 * time.Hour

// Session is the session of a login, the same one whenever it is asked for.
func (c *Client) Session(login Login) *Session {
	now := c.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.sessions[login]; ok {
		s.used = now
		return s
	}
	for key, s := range c.sessions { // passwords do not stay for ever
		if now.Sub(s.used) > sessionIdle {
			delete(c.sessions, key)
		}
	}
	s := &Session{
		client: c,
		login:  login,
		slots:  make(chan struct{}, c.config.MaxInFlightPerLogin),
		used:   now,
	}
	c.sessions[login] = s
	return s
}

// version is the version of the API to speak.
func (c *Client) version() string {
	if c.oldAPI.Load() {
		return V1
	}
	return V2
}
