package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
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

	mu      sync.Mutex
	process *process // nil while there is none
	down    string   // why
	setup   plugin.Setup
}

// Start starts an instance: it must shake hands, be what its manifest says, and
// accept its configuration. Later ends of the process are mended until Close.
func (h *Host) Start(ctx context.Context, in Instance) (*Running, error) {
	settings, problems := h.settings(&in)
	if len(problems) > 0 {
		return nil, fmt.Errorf("instance %s: %s", in.Name, summarize(problems))
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Running{
		host: h, instance: in, settings: settings, stop: stop, stopped: make(chan struct{}),
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
	p, err := r.host.startProcess(ctx, processConfig{path: r.instance.candidate.Path, log: r.log})
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
	r.process, r.setup, r.down = p, setup, ""
	r.mu.Unlock()
	return p, nil
}

// configure asks who the process is, and gives it its configuration.
func (r *Running) configure(ctx context.Context, p *process) (plugin.Setup, error) {
	is, err := p.client.Describe(ctx)
	if err != nil {
		return plugin.Setup{}, err
	}
	if was := r.instance.candidate.Description; was != nil && (was.Name != is.Name || was.Version != is.Version) {
		return plugin.Setup{}, fmt.Errorf("it says that it is %s %s, and its manifest %s %s; write the manifest anew",
			is.Name, is.Version, was.Name, was.Version)
	}
	in := sdk.Instance{Name: r.instance.Name, Dir: r.instance.dir, Temp: p.dir}
	problems, err := p.client.ValidateConfig(ctx, in, r.settings)
	if err != nil {
		return plugin.Setup{}, err
	}
	if len(problems) > 0 {
		return plugin.Setup{}, &ConfigError{Instance: r.instance.Name, File: r.instance.File, Problems: problems}
	}
	return p.client.Configure(ctx, in, r.settings)
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
	misses := 0
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
			if problem != "" {
				r.log.Warn("plugin says that something is missing", "problem", problem)
			}
			continue
		}
		if misses++; misses >= t.HealthMisses && ctx.Err() == nil {
			r.fell(p, fmt.Errorf("it did not answer %d times in a row", misses))
			return true
		}
	}
}

// fell takes a process out of use.
func (r *Running) fell(p *process, why error) {
	r.mu.Lock()
	r.process, r.down = nil, oneLine(why.Error())
	r.mu.Unlock()
	p.kill()
	r.log.Error("plugin fell; it is started again", "error", why)
}

// restart starts another process, after a pause. It returns nil when the
// context ended, or when the plugin falls so often that it is no use.
func (r *Running) restart(ctx context.Context, crashes *[]time.Time, backoff *time.Duration) *process {
	t := r.host.config.Timing
	for {
		recent := (*crashes)[:0]
		for _, at := range *crashes {
			if time.Since(at) < t.CrashWindow {
				recent = append(recent, at)
			}
		}
		if *crashes = recent; len(recent) >= t.Crashes {
			r.mu.Lock()
			r.down = fmt.Sprintf("crash-loop: %d times in %s; last: %s", len(recent), t.CrashWindow, r.down)
			r.mu.Unlock()
			r.log.Error("plugin falls too often; it is not started any more", "times", len(recent), "within", t.CrashWindow)
			return nil
		}
		timer := time.NewTimer(*backoff/2 + rand.N(*backoff))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		*backoff = min(2**backoff, t.BackoffMax)
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

// Close drains the plugin and ends its process.
func (r *Running) Close() {
	r.stop()
	<-r.stopped
}

// Name is the instance's name.
func (r *Running) Name() string { return r.instance.Name }

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
