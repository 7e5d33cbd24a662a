package simulator

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"
)

// Config says what to simulate. The zero value is a small world at the present
// time that forgets everything when it is closed.
type Config struct {
	// Seed decides the world, the values and the faults.
	Seed uint64
	// Accounts is how many logins the made-up world has; default 10.
	Accounts int
	// Supplies is how many supplies each of its holders has; default 5.
	Supplies int
	// World replaces the made-up one. Without logins it only sets distributors.
	World *World

	// Recorded is a folder of bodies that Datadis once sent, each the array or
	// the object of a consumption answer in a .json file. They replace the
	// world: every login owns the supplies found in them.
	Recorded fs.FS
	// Username and Password are all that a recorded world lets in; empty:
	// whoever gives any.
	Username, Password string

	// Now is the simulated time; default [time.Now], or noon of the day after
	// the last recorded one, running on. The clock can be moved from there.
	Now func() time.Time
	// Lag is how long after its end an interval is published; default 48h,
	// negative: none.
	Lag time.Duration
	// PartialDay publishes hour by hour, so that the last day is truncated.
	// Without it whole days of Madrid are published.
	PartialDay bool
	// Corrections of values that were published as estimated; default none.
	Corrections Corrections

	// RepeatAfter is when an identical query is answered again; default 24h,
	// negative: at once.
	RepeatAfter time.Duration
	// Repeat says what counts as a query asked.
	Repeat RepeatMode
	// Dir is where the queries that were asked are remembered over restarts;
	// "": in memory only.
	Dir string

	// TokenLife is how long a token is good; default 24h.
	TokenLife time.Duration
	// BlockedAgents are beginnings of User-Agent headers that are refused;
	// default those of libraries that do not name the product. Empty, not nil:
	// none.
	BlockedAgents []string
	// Latency of every answer, in real time; default none.
	Latency Latency
	// Faults are the rules to begin with.
	Faults []Rule

	// Log gets the request log, one JSON object per line; may be nil.
	Log io.Writer
	// Logger gets what goes wrong in the simulator itself; may be nil.
	Logger *slog.Logger
}

// Corrections turn some estimated hours into other, measured ones.
type Corrections struct {
	Share float64       // of all hours, 0 to 1
	After time.Duration // from the end of the hour
}

// Latency is a range that the time of each answer is taken from.
type Latency struct{ Min, Max time.Duration }

// Sizes and times of the zero Config.
const (
	defaultAccounts = 10
	defaultSupplies = 5
	defaultLag      = 48 * time.Hour
	day             = 24 * time.Hour // of tokens and of the rule, not of calendars
)

func (c Config) withDefaults() Config {
	if c.Accounts == 0 {
		c.Accounts = defaultAccounts
	}
	if c.Supplies == 0 {
		c.Supplies = defaultSupplies
	}
	if c.RepeatAfter == 0 {
		c.RepeatAfter = day
	}
	if c.TokenLife == 0 {
		c.TokenLife = day
	}
	c.Lag = lagOrDefault(c.Lag)
	if c.BlockedAgents == nil {
		c.BlockedAgents = []string{"Go-http-client/", "Java/", "ReactorNetty/"}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func lagOrDefault(lag time.Duration) time.Duration {
	switch {
	case lag == 0:
		return defaultLag
	case lag < 0:
		return 0
	default:
		return lag
	}
}

func (c Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Accounts < 0 {
		bad("accounts: %d is negative", c.Accounts)
	}
	if c.Supplies < 0 {
		bad("supplies: %d is negative", c.Supplies)
	}
	if c.World != nil && c.Recorded != nil {
		bad("world: a recorded world cannot have another one beside it")
	}
	if s := c.Corrections.Share; s < 0 || s > 1 {
		bad("corrections.share: %v is not between 0 and 1", s)
	}
	if c.Latency.Min < 0 || c.Latency.Max < c.Latency.Min {
		bad("latency: %s to %s is no range", c.Latency.Min, c.Latency.Max)
	}
	for i, rule := range c.Faults {
		if err := rule.validate(); err != nil {
			bad("faults[%d]: %w", i, err)
		}
	}
	return errors.Join(errs...)
}
