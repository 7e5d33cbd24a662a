package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/desk"
	"github.com/datadis-engine/datadis/engine/internal/downloader"
	"github.com/datadis-engine/datadis/engine/internal/health"
	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/logging"
	"github.com/datadis-engine/datadis/engine/internal/metrics"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/store"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/engine/internal/web"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

// operation says what a process is, for probes, metrics and the page.
type operation struct {
	command string // run, producer, consumer or harmonizer
	// short says that the process soon ends by itself: nothing is served on TCP
	// unless http.listen is set.
	short   bool
	plugins []*host.Running
}

// operate lets people and probes see the process: it counts what the parts do,
// looks whether the process can work, and serves both on TCP, and in local mode
// on the socket of the data folder. It comes after everything is connected and
// before the work begins; what it starts is closed with the servers, before
// them. Once the context ends the process is draining.
func (p *pass) operate(ctx context.Context, o operation) error {
	board := &health.Board{}
	report := func() health.Report {
		for _, one := range o.plugins {
			state := one.State()
			board.Set("plugin "+one.Name(), state.Up, state.Reason)
		}
		return board.Report()
	}
	meters := metrics.New(metrics.Config{
		Version: thisBuild().Version, Command: o.command, Health: report, Plugins: o.shown,
		Endpoints: datadis.Endpoints(), Classes: datadis.Classes(),
		Series: seriesNames(p.settings.Datadis.Series), Results: resultNames(),
	})
	p.count(meters, board)
	stopDraining := context.AfterFunc(ctx, board.Drain)
	p.servers.close.add(func() error { stopDraining(); return nil })

	seen := p.desk()
	p.servers.close.add(background(ctx, p.probe(board), probeEvery))
	p.servers.close.add(background(ctx, p.look(seen, meters), sampleEvery))
	c := web.Config{
		Desk: seen, Health: report, Plugins: o.shown, Metrics: meters.Handler(), Mask: logging.Mask,
		Clear: p.settings.Log.Identifiers == "clear", Command: o.command, Version: thisBuild().Version, Logger: p.log,
	}
	return errors.Join(p.serve(ctx, c, o.short), p.serveSocket(ctx, c, seen))
}

// shown are the plugins as people see them.
func (o operation) shown() []view.Plugin {
	list := make([]view.Plugin, 0, len(o.plugins))
	for _, one := range o.plugins {
		state := one.State()
		shown := view.Plugin{Name: one.Name(), Plugin: one.Plugin(), Version: one.Version(), Up: state.Up, Reason: state.Reason, Restarts: state.Restarts}
		for _, kind := range []plugin.Kind{plugin.SourceKind, plugin.HarmonizerKind} {
			if one.Plays(kind) {
				shown.Kinds = append(shown.Kinds, string(kind))
			}
		}
		list = append(list, shown)
	}
	return list
}

// count lets the parts tell what they do.
func (p *pass) count(m *metrics.Metrics, board *health.Board) {
	p.client.Observe(m)
	p.chunks = func(series sdk.Series, result downloader.Result, n int) { m.Chunks(series.String(), string(result), n) }
	p.servers.publisher.Watch(kafka.Watch{Delivered: m.Delivered, Queued: m.Queued})
	p.servers.store = countedStore{p.servers.store, m}
	board.Set("key", true, "")
	p.secrets.sealer.OnMissing(func(uint8) {
		m.MissingKey()
		board.Fail("key", "credentials are encrypted with a key that is not in secrets.keys", keyMissing)
	})
}

// keyMissing is how long a missing key is believed: items whose key is unknown
// come back sooner.
const keyMissing = time.Minute

// seriesNames are the series as the ledger calls them.
func seriesNames(configured []string) []string {
	var names []string
	for _, s := range seriesOf(configured) {
		names = append(names, s.String())
	}
	return names
}

func resultNames() []string {
	var names []string
	for _, r := range downloader.Results() {
		names = append(names, string(r))
	}
	return names
}

// countedStore counts the writes to the ledger.
type countedStore struct {
	store.Store
	metrics *metrics.Metrics
}

// ledgerPrefix starts the keys of the ledger's books.
const ledgerPrefix = "l:"

// Put implements store.Store.
func (c countedStore) Put(ctx context.Context, key string, set map[string][]byte, del ...string) error {
	if !strings.HasPrefix(key, ledgerPrefix) {
		return c.Store.Put(ctx, key, set, del...)
	}
	began := time.Now()
	err := c.Store.Put(ctx, key, set, del...)
	c.metrics.LedgerWrite(time.Since(began), err)
	return err
}

// desk answers what people ask of this process.
func (p *pass) desk() *desk.Desk {
	c := deskConfig(p.servers, p.now)
	c.Registry = p.registry
	c.Queues = func(run string) (users, devices *queue.Queue) {
		q := openQueues(p.settings, p.servers, run, p.log)
		return q.users, q.devices
	}
	return desk.New(c)
}

// deskConfig is what a desk knows without the servers of runs.
func deskConfig(sv *servers, now func() time.Time) desk.Config {
	return desk.Config{Store: sv.store, Finished: archive{sv.store}.finished, Mask: logging.Mask, Now: now}
}

// How often a process looks at its servers, and at runs and queues.
const (
	probeEvery  = 10 * time.Second
	sampleEvery = 5 * time.Second
)

// background does something now and then until the function that it returns is
// called. It is not bound to the context: a process that drains is still looked
// at.
func background(ctx context.Context, do func(context.Context), every time.Duration) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	do(ctx) // so that the first who asks is told
	go func() {
		defer close(ended)
		for pause(ctx, every) == nil {
			do(ctx)
		}
	}()
	return func() error {
		cancel()
		<-ended
		return nil
	}
}

// look notes where the runs stand.
func (p *pass) look(d *desk.Desk, m *metrics.Metrics) func(context.Context) {
	return func(ctx context.Context) {
		status, err := d.Look(ctx)
		if err != nil {
			if ctx.Err() == nil {
				p.log.Debug("cannot see where the runs stand", "error", err)
			}
			return
		}
		m.Standing(status)
	}
}

// serve listens on TCP. The default address may be taken: another process of
// this machine serves there. One that was asked for may not.
func (p *pass) serve(ctx context.Context, c web.Config, short bool) error {
	h := p.settings.HTTP
	configured := p.settings.Origin("http.listen") != ""
	if h.Off() || short && !configured {
		return nil
	}
	listener, err := web.Listen(h.Listen)
	if errors.Is(err, web.ErrBusy) && !configured {
		p.log.Warn("no health checks, metrics and page are served: another process listens there; set http.listen to another address or to off", "address", h.Listen)
		return nil
	}
	if err != nil {
		return &settingsProblem{"http.listen", err}
	}
	access := web.Access{Token: h.Token, Open: web.ParseLevel(h.Open), Loopback: web.IsLoopback(h.Listen)}
	if !access.Loopback && access.Token.Empty() && access.Open < web.All {
		p.log.Warn("only what http.open says is served: http.listen is no loopback address, and there is no http.token", "address", h.Listen, "open", h.Open)
	}
	server := web.Serve(ctx, listener, web.Handler(c, access), p.log)
	p.servers.close.add(server.Close)
	p.log.Info("health checks, metrics and the page are served", "address", "http://"+server.Address()+"/")
	return nil
}

// serveSocket lets the other commands ask this process, in local mode.
func (p *pass) serveSocket(ctx context.Context, c web.Config, act web.Actions) error {
	if !p.settings.Local().Any() {
		return nil
	}
	server, err := web.ServeSocket(ctx, p.settings.DataDir, web.Private(c, act), p.log)
	if err != nil {
		p.log.Warn("the other commands cannot ask this process", "error", err)
		return nil
	}
	p.servers.close.add(server.Close)
	p.log.Debug("the other commands can ask this process", "socket", server.Address())
	return nil
}

// settingsProblem is a setting that cannot be followed.
type settingsProblem struct {
	key string
	err error
}

func (e *settingsProblem) Error() string { return e.key + ": " + e.err.Error() }

// Unwrap gives the cause.
func (e *settingsProblem) Unwrap() error { return e.err }
