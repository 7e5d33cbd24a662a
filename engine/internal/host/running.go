package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// Running is an instance whose process is watched: one that crashes or freezes
// is replaced. It implements the roles of its plugin; a call while there is no
// process fails with an unavailable [sdk.Error], and may be repeated.
type Running struct {
	host     *Host
	instance Instance
	settings plugin.Settings
	log      *slog.Logger
	stop     context.CancelFunc
	stopped  chan struct{}

	kinds []plugin.Kind // that are wanted; none: all

	mu       sync.Mutex
	process  *process  // nil while there is none
	down     string    // why
	next     time.Time // when it is tried again; zero: not any more
	setup    plugin.Setup
	restarts int
}

// Start starts an instance, for the given roles or for all that it plays: it
// must shake hands, be what its manifest says, and accept its configuration.
// Later ends of the process are mended until Close; the context is only for the
// start.
func (h *Host) Start(ctx context.Context, in Instance, kinds ...plugin.Kind) (*Running, error) {
	if in.Status == OK && in.candidate.Description == nil { // made in code, and not surveyed
		h.examine(&in, h.Candidates(ctx))
	}
	if in.Status != OK && len(in.Problems) == 0 {
		return nil, fmt.Errorf("instance %s: %s: %s", in.Name, in.Status, in.Reason)
	}
	settings, problems := h.settings(&in)
	if len(problems) > 0 {
		return nil, fmt.Errorf("instance %s: %w", in.Name, &ConfigError{in.Name, in.File, problems})
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Running{
		host: h, instance: in, settings: settings, kinds: kinds, stop: stop, stopped: make(chan struct{}),
		log: h.log.With("plugin", in.Plugin, "instance", in.Name),
	}
	p, err := r.start(ctx)
	if err != nil {
		stop()
		return nil, fmt.Errorf("instance %s: %w", in.Name, err)
	}
	go r.supervise(life, p)
	return r, nil
}

// start brings a process up to its work.
func (r *Running) start(ctx context.Context) (*process, error) {
	p, err := r.host.startProcess(ctx, processConfig{
		path: r.instance.candidate.Path, allowed: r.host.config.Environment, secrets: r.settings.Secrets, log: r.log,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.host.config.Timing.SetUp)
	defer cancel()
	setup, err := r.configure(ctx, p)
	if err != nil {
		err = p.explain(err)
		p.kill()
		return nil, err
	}
	r.mu.Lock()
	r.process, r.setup, r.down, r.next = p, setup, "", time.Time{}
	r.mu.Unlock()
	return p, nil
}

// configure asks who the process is, and gives it its configuration.
func (r *Running) configure(ctx context.Context, p *process) (plugin.Setup, error) {
	is, err := p.client.Describe(ctx)
	if err != nil {
		return plugin.Setup{}, err
	}
	if field := is.Differs(r.instance.candidate.Description); field != "" {
		return plugin.Setup{}, fmt.Errorf("its %s is not what its manifest says; write the manifest anew: %s manifest -w",
			field, r.instance.candidate.Path)
	}
	in := sdk.Instance{Name: r.instance.Name, Dir: r.instance.dir, Temp: p.dir.path}
	problems, err := p.client.ValidateConfig(ctx, in, r.settings)
	if err != nil {
		return plugin.Setup{}, err
	}
	if len(problems) > 0 {
		return plugin.Setup{}, &ConfigError{Instance: r.instance.Name, File: r.instance.File, Problems: problems}
	}
	return p.client.Configure(ctx, in, r.settings, r.kinds...)
}

// ConfigError is a configuration that the plugin itself does not accept.
type ConfigError struct {
	Instance, File string
	Problems       []sdk.Problem
}

// Error implements error.
func (e *ConfigError) Error() string { return "configuration: " + summarize(e.Problems) }

// List is each problem on its own.
func (e *ConfigError) List() []Problem {
	list := make([]Problem, len(e.Problems))
	for i, p := range e.Problems {
		list[i] = Problem{Instance: e.Instance, File: e.File, Path: p.Path, Message: p.Message}
	}
	return list
}

// supervise watches the process, and replaces it when it ends, until the
// context does.
func (r *Running) supervise(ctx context.Context, p *process) {
	defer close(r.stopped)
	var crashes []time.Time
	backoff := r.host.config.Timing.BackoffFirst
	for p != nil {
		began := time.Now()
		if !r.watch(ctx, p) { // told to stop
			r.mu.Lock()
			r.process, r.down = nil, "it was stopped"
			r.mu.Unlock()
			p.stop(context.WithoutCancel(ctx))
			return
		}
		crashes = append(crashes, time.Now())
		if time.Since(began) >= r.host.config.Timing.Stable {
			backoff = r.host.config.Timing.BackoffFirst
		}
		p = r.restart(ctx, &crashes, &backoff)
	}
}

// watch returns true when the process has to be replaced, false when the
// context ended.
func (r *Running) watch(ctx context.Context, p *process) bool {
	t := r.host.config.Timing
	ticker := time.NewTicker(t.HealthInterval)
	defer ticker.Stop()
	misses, missing := 0, ""
	for {
		select {
		case <-ctx.Done():
			return false
		case <-p.child.exited:
			r.fell(p, p.explain(errors.New("the process is gone")))
			return true
		case <-ticker.C:
		}
		check, cancel := context.WithTimeout(ctx, t.HealthDeadline)
		problem, err := p.client.CheckHealth(check)
		cancel()
		if err == nil {
			misses = 0
			if problem != missing {
				r.tellHealth(problem)
				missing = problem
			}
			continue
		}
		if misses++; misses >= t.HealthMisses && ctx.Err() == nil {
			r.fell(p, fmt.Errorf("it did not answer %d times in a row", misses))
			return true
		}
	}
}

// tellHealth logs a change of what the plugin says that it misses.
func (r *Running) tellHealth(problem string) {
	if problem == "" {
		r.log.Info("plugin has what it needs again")
		return
	}
	r.log.Warn("plugin says that something is missing", "problem", problem)
}

// fell takes a process out of use.
func (r *Running) fell(p *process, why error) {
	r.mu.Lock()
	r.process, r.down = nil, oneLine(why.Error())
	r.next = time.Now().Add(r.host.config.Timing.BackoffFirst)
	r.mu.Unlock()
	p.kill()
	attributes := []any{"error", why}
	if stack := p.child.output.stack(); stack != "" {
		attributes = append(attributes, "stack", stack)
	}
	r.log.Error("plugin fell", attributes...)
}

// restart starts another process, after a pause. It returns nil when the
// context ended, or when the plugin falls so often that it is no use.
func (r *Running) restart(ctx context.Context, crashes *[]time.Time, backoff *time.Duration) *process {
	t := r.host.config.Timing
	for {
		*crashes = slices.DeleteFunc(*crashes, func(at time.Time) bool { return time.Since(at) >= t.CrashWindow })
		if len(*crashes) >= t.Crashes {
			r.giveUp(len(*crashes))
			return nil
		}
		pause := *backoff/2 + rand.N(*backoff)
		*backoff = min(2**backoff, t.BackoffMax)
		if !r.rest(ctx, pause) {
			return nil
		}
		p, err := r.start(ctx)
		if err == nil {
			r.log.Info("plugin started again")
			return p
		}
		if ctx.Err() != nil {
			return nil
		}
		r.log.Error("plugin does not start", "error", err)
		*crashes = append(*crashes, time.Now())
	}
}

// rest waits for the next attempt, and tells whether there is to be one.
func (r *Running) rest(ctx context.Context, pause time.Duration) bool {
	r.mu.Lock()
	r.next = time.Now().Add(pause)
	r.restarts++
	r.mu.Unlock()
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
func (r *Running) giveUp(times int) {
	window := r.host.config.Timing.CrashWindow
	r.mu.Lock()
	r.down = fmt.Sprintf("crash-loop: it fell %d times in %s; last: %s", times, window, r.down)
	r.next = time.Time{}
	r.mu.Unlock()
	r.log.Error("plugin falls too often; it is not started any more", "times", times, "within", window)
}

// Close drains the plugin and ends its process. It may be called again.
func (r *Running) Close() {
	r.stop()
	<-r.stopped
}

// State is how a Running is, for people.
type State struct {
	Up       bool
	Reason   string // why it is not up
	Restarts int    // attempts since Start
}

// State is how the plugin is now.
func (r *Running) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return State{Up: r.process != nil, Reason: r.down, Restarts: r.restarts}
}

// Plays tells whether the instance was started for the role, and plays it.
func (r *Running) Plays(kind plugin.Kind) bool {
	return r.instance.Plays(kind) && (len(r.kinds) == 0 || slices.Contains(r.kinds, kind))
}

// Name is the instance's name.
func (r *Running) Name() string { return r.instance.Name }

// Plugin is the name of the plugin that the instance is of.
func (r *Running) Plugin() string { return r.instance.Plugin }

// Version is the plugin's; "" if it was not asked.
func (r *Running) Version() string {
	if d := r.instance.candidate.Description; d != nil {
		return d.Version
	}
	return ""
}

// Route is where a source's time series go.
func (r *Running) Route() sdk.Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.setup.Route
}

// Intake is what a harmonizer wants and may write.
func (r *Running) Intake() sdk.Intake {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.setup.Intake
}
