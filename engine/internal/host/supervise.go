package host

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// supervisor replaces the processes of one instance.
type supervisor struct {
	*Running
	falls   []time.Time // by the plugin's own fault, since it last did some work
	backoff time.Duration
}

// maxOutsidePause bounds the pause after somebody killed the process: waiting
// longer mends nothing.
const maxOutsidePause = 2 // times the first pause

// supervise watches the process, and replaces it when it ends, until the
// context does.
func (r *Running) supervise(ctx context.Context, p *process) {
	defer close(r.stopped)
	defer r.unkeep()
	s := &supervisor{Running: r, backoff: r.host.config.Timing.BackoffFirst}
	for p != nil {
		began := time.Now()
		f := r.watch(ctx, p)
		if f == nil { // told to stop
			r.close()
			p.stop(context.WithoutCancel(ctx))
			return
		}
		if p.worked.Load() || time.Since(began) >= r.host.config.Timing.Stable {
			s.falls, s.backoff = nil, r.host.config.Timing.BackoffFirst
		}
		r.retire(p, *f)
		p.kill()
		p = s.replace(ctx, *f)
	}
	<-ctx.Done() // what became of it stays to be seen
	r.close()
}

// close takes the instance out of use for good.
func (r *Running) close() {
	r.set(func() { r.process, r.down, r.next, r.closed = nil, "it was stopped", time.Time{}, true })
}

// retire takes a process that has ended out of use: calls that come now wait for
// the next. Whoever sees the end first does it.
func (r *Running) retire(p *process, f fall) {
	r.mu.Lock()
	current := r.process == p
	r.mu.Unlock()
	if !current {
		return
	}
	r.set(func() {
		if r.process == p {
			r.process, r.down = nil, oneLine(f.why.Error())
			r.next = time.Now().Add(r.host.config.Timing.BackoffFirst)
		}
	})
}

// watch returns why the process has to be replaced; nil when the context ended.
func (r *Running) watch(ctx context.Context, p *process) *fall {
	t := r.host.config.Timing
	ticker := time.NewTicker(t.HealthInterval)
	defer ticker.Stop()
	misses := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.child.exited:
			f := p.fell(errors.New("the process is gone"))
			return &f
		case <-ticker.C:
		}
		check, cancel := context.WithTimeout(ctx, t.HealthDeadline)
		problem, err := p.client.CheckHealth(check)
		cancel()
		if err == nil {
			misses = 0
			r.tellHealth(problem)
			continue
		}
		if misses++; misses >= t.HealthMisses && ctx.Err() == nil {
			p.child.condemn(fmt.Sprintf("it did not answer %d times in a row", misses))
			<-p.child.exited // SIGKILL cannot be ignored
			f := p.fell(errors.New("the process hung"))
			return &f
		}
	}
}

// tellHealth logs a change of what the plugin says that it misses.
func (r *Running) tellHealth(problem string) {
	r.mu.Lock()
	same := r.missing == problem
	r.mu.Unlock()
	if same {
		return
	}
	r.set(func() { r.missing = problem })
	if problem == "" {
		r.log.Info("plugin has what it needs again")
		return
	}
	r.log.Warn("plugin says that something is missing", "problem", problem)
}

// replace starts another process, after a pause. It returns nil when the
// context ended, or when the plugin falls so often that it is no use.
func (s *supervisor) replace(ctx context.Context, f fall) *process {
	t := s.host.config.Timing
	for {
		if !f.outside {
			s.falls = append(s.falls, time.Now())
		}
		s.falls = slices.DeleteFunc(s.falls, func(at time.Time) bool { return time.Since(at) >= t.CrashWindow })
		if len(s.falls) >= t.Crashes {
			s.report(f, 0, false)
			s.giveUp(len(s.falls))
			return nil
		}
		pause := s.pause(f.outside)
		s.report(f, pause, true)
		if !s.rest(ctx, pause) {
			return nil
		}
		p, err := s.start(ctx)
		if err == nil {
			s.log.Info("plugin started again")
			return p
		}
		if ctx.Err() != nil {
			return nil
		}
		f = fall{why: fmt.Errorf("it does not start: %w", err), outside: errors.As(err, new(killedError))}
		s.set(func() { s.down = oneLine(f.why.Error()) })
	}
}

// pause is how long to wait before the next start. It differs from plugin to
// plugin, so that what all of them have lost is not asked for by all at once.
func (s *supervisor) pause(outside bool) time.Duration {
	t := s.host.config.Timing
	pause := s.backoff/2 + rand.N(s.backoff)
	s.backoff = min(2*s.backoff, t.BackoffMax)
	if outside {
		s.backoff = min(s.backoff, maxOutsidePause*t.BackoffFirst)
	}
	return pause
}

// rest waits for the next attempt, and tells whether there is to be one.
func (s *supervisor) rest(ctx context.Context, pause time.Duration) bool {
	s.set(func() {
		s.next = time.Now().Add(pause)
		s.restarts++
	})
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// giveUp leaves the plugin down until somebody mends it.
func (s *supervisor) giveUp(times int) {
	window := s.host.config.Timing.CrashWindow
	s.set(func() {
		s.down = fmt.Sprintf("%s: it fell %d times in %s without doing any work; last: %s", CrashLoop, times, window, s.down)
		s.next = time.Time{}
	})
	s.log.Error("plugin falls too often; it is not started any more", "times", times, "within", window)
}
