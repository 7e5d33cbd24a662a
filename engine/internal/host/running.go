package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

	path    string       // of the file that is started
	private *copied      // it, where it is a copy
	journal *journal     // nil where nothing is kept
	board   *board       // nil where nothing is kept
	kept    *slog.Logger // that writes to the journal alone

	mu       sync.Mutex
	process  *process      // nil while there is none
	down     string        // why
	next     time.Time     // when it is tried again; zero: not any more
	missing  string        // what the plugin says that it misses
	closed   bool          // it was stopped
	changed  chan struct{} // closed at the next change of these
	setup    plugin.Setup
	restarts int
}

// set changes the state, and tells those who wait for that.
func (r *Running) set(change func()) {
	r.mu.Lock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	r.told()
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
		changed: make(chan struct{}), kept: slog.New(slog.DiscardHandler), log: h.log.With("plugin", in.Plugin, "instance", in.Name),
	}
	for _, warning := range in.Warnings() {
		r.log.Warn("plugin is not to be trusted blindly", "problem", warning)
	}
	r.keep()
	p, err := r.first(ctx)
	if err != nil {
		r.kept.Error("plugin does not start", "error", err) // the caller tells everybody else
		stop()
		r.unkeep()
		return nil, fmt.Errorf("instance %s: %w", in.Name, err)
	}
	go r.supervise(life, p)
	return r, nil
}

// first starts the first process, of the binary that later ones will be of too.
func (r *Running) first(ctx context.Context) (*process, error) {
	var err error
	if r.path, r.private, err = r.host.runnable(&r.instance.candidate); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		p, err := r.start(ctx)
		if err == nil || attempt == firstAttempts || !errors.As(err, new(killedError)) {
			return p, err
		}
		r.log.Warn("plugin was killed by somebody else while it started", "error", err)
	}
}

// firstAttempts is how often a first start is tried where somebody kills the
// process meanwhile.
const firstAttempts = 3

// start brings a process up to its work.
func (r *Running) start(ctx context.Context) (*process, error) {
	p, err := r.host.startProcess(ctx, processConfig{
		path: r.path, allowed: r.host.config.Environment, secrets: r.settings.Secrets, log: r.log,
		limits: r.instance.Limits.over(r.host.config.Limits),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.host.config.Timing.SetUp)
	defer cancel()
	setup, err := r.configure(ctx, p)
	if err != nil {
		if p.over() {
			f := p.fell(err)
			if err = f.why; f.outside {
				err = killedError{err}
			}
		}
		p.kill()
		return nil, err
	}
	r.set(func() { r.process, r.setup, r.down, r.next, r.missing = p, setup, "", time.Time{}, "" })
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
		list[i] = Problem{Instance: e.Instance, File: e.File, Status: InvalidConfig, Path: p.Path, Message: p.Message}
	}
	return list
}

// Close drains the plugin and ends its process. It may be called again.
func (r *Running) Close() {
	r.stop()
	<-r.stopped
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
