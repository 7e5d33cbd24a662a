package simulator

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Simulator is a Datadis. Its methods may be called at the same time.
type Simulator struct {
	config Config
	clock  *clock
	world  *world
	tokens tokens
	rule   *rule24
	faults *faults
	log    *requestLog
	calls  map[string]endpoint // by path

	closing chan struct{} // closed to let go of calls that wait
	letGo   sync.Once
}

// New makes a simulator. It has to be closed.
func New(config Config) (*Simulator, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s := &Simulator{config: config, closing: make(chan struct{}), tokens: newTokens(config.Seed, config.TokenLife)}
	var err error
	if s.world, err = s.makeWorld(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s.clock = &clock{source: s.startingTime()}
	if s.rule, err = openRule24(config.Dir, config.RepeatAfter, config.Repeat); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s.faults = newFaults(config.Seed, config.Faults)
	s.log = &requestLog{out: config.Log, logger: config.Logger}
	s.calls = s.endpoints()
	return s, nil
}

func (s *Simulator) makeWorld() (*world, error) {
	switch given := s.config.World; {
	case s.config.Recorded != nil:
		return recordedWorld(s.config.Recorded, s.config.Username, s.config.Password)
	case given != nil && len(given.Logins) > 0:
		return compile(*given, s.config.Seed)
	case given != nil:
		made := generate(s.config.Seed, s.config.Accounts, s.config.Supplies)
		made.Distributors = given.Distributors
		return compile(made, s.config.Seed)
	default:
		return compile(generate(s.config.Seed, s.config.Accounts, s.config.Supplies), s.config.Seed)
	}
}

func (s *Simulator) startingTime() func() time.Time {
	switch last := s.world.lastRecorded(); {
	case s.config.Now != nil:
		return s.config.Now
	case !last.IsZero():
		return StartingAt(last.AddDate(0, 0, 1).Add(12 * time.Hour))
	default:
		return time.Now
	}
}

// LetGo ends the waiting of calls that are delayed or stalled, and of all that
// come. Call it before the HTTP server is shut down, which waits for them.
func (s *Simulator) LetGo() { s.letGo.Do(func() { close(s.closing) }) }

// Close lets go of all calls and closes the memory of the 24-hour rule. It is
// for when nobody calls any more.
func (s *Simulator) Close() error {
	s.LetGo()
	return s.rule.close()
}

// Handler serves Datadis, and what is for checkers under /simulator/.
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.serve)
	s.handleAdmin(mux)
	return mux
}

// Now is the simulated time.
func (s *Simulator) Now() time.Time { return s.clock.now() }

// SetNow moves the clock, which runs on from there.
func (s *Simulator) SetNow(t time.Time) { s.clock.set(t) }

// SetFaults replaces the rules of faults and forgets how often they struck.
func (s *Simulator) SetFaults(rules []Rule) error {
	for i, rule := range rules {
		if err := rule.validate(); err != nil {
			return fmt.Errorf("faults[%d]: %w", i, err)
		}
	}
	s.faults.replace(rules)
	return nil
}

// World is the world as it was given or made up, with all passwords.
func (s *Simulator) World() World { return s.world.source }

// Requests are the calls so far that the log still holds, oldest first.
func (s *Simulator) Requests() []Request { return s.log.requests() }

// Summary counts the calls so far.
func (s *Simulator) Summary() Summary { return s.log.summarize() }

// published says what can be seen at a moment.
func (s *Simulator) published(now time.Time) published {
	return published{now: now, lag: s.config.Lag, partialDay: s.config.PartialDay, corrections: s.config.Corrections}
}
