package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// life is one process of a slot, from its start to its end.
type life struct {
	client string // as the simulator's log names it
	slot   string
	began  time.Time
	pid    int
	log    string // file
	ended  chan struct{}

	mu     sync.Mutex
	killed time.Time      // when SIGKILL was sent; zero: never
	frozen []outage       // SIGSTOP to SIGCONT
	code   int            // exit code; -1: a signal
	over   time.Time      // when it ended
	asked  syscall.Signal // to end, by the suite; 0: not
	atEnd  bool           // asked when all was over
}

// outage is when something did not answer. Zero: it has not ended.
type outage struct{ from, until time.Time }

// overlaps tells whether it touches an interval.
func (o outage) overlaps(from, until time.Time) bool {
	return !o.from.After(until) && (o.until.IsZero() || !o.until.Before(from))
}

// slot is where one process of a kind runs, and the next one when it has ended.
type slot struct {
	name string
	args func(nth int) []string
	rest time.Duration // before the next one

	mu      sync.Mutex
	current *life
}

// crowd is all processes of a chaos.
type crowd struct {
	f     *fleet
	slots map[string]*slot
	logs  string // folder

	keeping sync.WaitGroup
	number  atomic.Int64

	mu    sync.Mutex
	lives []*life
}

// keep starts a process in a slot, and another one whenever it has ended, until
// the context ends. Those that come to nothing are started again soon.
func (c *crowd) keep(ctx context.Context, s *slot) {
	c.keeping.Go(func() {
		for nth := 0; ctx.Err() == nil; nth++ {
			l, err := c.start(s.name, s.args(nth))
			if err != nil {
				c.f.Errorf("start %s: %v", s.name, err)
				return
			}
			s.mu.Lock()
			s.current = l
			s.mu.Unlock()
			<-l.ended
			_ = pause(ctx, s.rest) // the loop looks at the context
		}
	})
}

// start starts a process that the simulator knows by name.
func (c *crowd) start(slot string, args []string) (*life, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	client := fmt.Sprintf("%s.%d", slot, c.number.Add(1))
	l := &life{client: client, slot: slot, log: filepath.Join(c.logs, client+".log"), ended: make(chan struct{})}
	log, err := os.Create(l.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has its own
	cmd := exec.Command(self, args...)
	cmd.Env = slices.Concat(c.f.environ, []string{
		"DATADIS_DATADIS_BASE_URL=" + c.f.url + clientPath + client, "ENGINE_TEST_AS=engine", "GOCOVERDIR=" + c.logs,
	})
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	l.began, l.pid = time.Now(), cmd.Process.Pid
	c.mu.Lock()
	c.lives = append(c.lives, l)
	c.mu.Unlock()
	go func() {
		defer close(l.ended)
		_ = cmd.Wait() // the code is looked at below
		l.mu.Lock()
		defer l.mu.Unlock()
		l.code, l.over = cmd.ProcessState.ExitCode(), time.Now()
	}()
	return l, nil
}

// hit does something to the process of a slot, if there is one. It returns
// false if there is none.
func (c *crowd) hit(name, action string) bool {
	s := c.slots[name]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil && s.current.hit(action)
}

// hit sends a signal to a process that has not ended.
func (l *life) hit(action string) bool {
	select {
	case <-l.ended:
		return false
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	signal := map[string]syscall.Signal{
		killIt: syscall.SIGKILL, stopIt: syscall.SIGTERM, freezeIt: syscall.SIGSTOP, thawIt: syscall.SIGCONT,
	}[action]
	switch action {
	case killIt:
		l.killed, l.asked = now, signal
	case stopIt:
		l.asked = signal
	case freezeIt:
		l.frozen = append(l.frozen, outage{from: now})
	case thawIt:
		if n := len(l.frozen); n == 0 || !l.frozen[n-1].until.IsZero() {
			return false // it was another one that froze
		}
		l.frozen[len(l.frozen)-1].until = now
	}
	return syscall.Kill(l.pid, signal) == nil // else it ended this moment
}

// wasFrozen tells whether a process was frozen in an interval.
func (l *life) wasFrozen(from, until time.Time) bool {
	return slices.ContainsFunc(l.frozen, func(o outage) bool { return o.overlaps(from, until) })
}

// all are the processes so far.
func (c *crowd) all() []*life {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.lives)
}

// end lets all processes end: well, or by force when patience ends.
func (c *crowd) end(stopKeeping context.CancelFunc) {
	c.f.Helper()
	stopKeeping()
	deadline := time.After(patience)
	for _, l := range c.all() {
		l.hit(thawIt)
		l.atEnd = l.hit(stopIt)
	}
	for _, l := range c.all() {
		select {
		case <-l.ended:
		case <-deadline:
			c.f.Errorf("%s does not end", l.client)
			l.hit(killIt)
			<-l.ended
		}
	}
	c.keeping.Wait()
}

// sane finds processes that panicked, or raced.
func (c *crowd) sane() {
	c.f.Helper()
	for _, l := range c.all() {
		text, err := os.ReadFile(l.log)
		if err != nil {
			c.f.Error(err)
		}
		for _, sign := range []string{"panic:", "WARNING: DATA RACE", "fatal error:", "SIGSEGV"} {
			if at := bytes.Index(text, []byte(sign)); at >= 0 {
				c.f.Errorf("%s: %s", l.client, text[at:min(at+4000, len(text))])
			}
		}
	}
}

// who finds a process by its name in the simulator's log.
func who(lives []*life) map[string]*life {
	by := make(map[string]*life, len(lives))
	for _, l := range lives {
		by[l.client] = l
	}
	return by
}

// kind is what a slot runs.
func (l *life) kind() string {
	kind, _, _ := strings.Cut(l.slot, "-")
	return kind
}
