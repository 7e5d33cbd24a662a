package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/crash"
	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/desk"
	"github.com/datadis-engine/datadis/engine/internal/downloader"
	"github.com/datadis-engine/datadis/engine/internal/entitlement"
	"github.com/datadis-engine/datadis/engine/internal/envelope"
	"github.com/datadis-engine/datadis/engine/internal/finisher"
	"github.com/datadis-engine/datadis/engine/internal/hold"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/ledger"
	"github.com/datadis-engine/datadis/engine/internal/lister"
	"github.com/datadis-engine/datadis/engine/internal/login"
	"github.com/datadis-engine/datadis/engine/internal/producer"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/trace"
	"github.com/datadis-engine/datadis/engine/internal/vault"
	"github.com/datadis-engine/datadis/sdk"
)

// pass is what the processes of a run have in common.
type pass struct {
	settings *settings.Settings
	log      *slog.Logger
	servers  *servers
	secrets  *secrets
	registry *runs.Registry
	client   *datadis.Client
	holds    *hold.Holds
	places   chan struct{} // of guarded calls, over all runs
	process  string        // names this process in leases
	traces   *trace.Tracer // nil: none
	now      func() time.Time
	chunks   func(series sdk.Series, result downloader.Result, n int) // counts what comes of chunks; nil: nobody
}

// openPass connects to everything.
func openPass(ctx context.Context, s *settings.Settings, log *slog.Logger, now func() time.Time) (*pass, error) {
	sv, err := openServers(ctx, s, log)
	if err != nil {
		return nil, err
	}
	p := &pass{settings: s, log: log, servers: sv, registry: runs.NewRegistry(sv.users, s.Run.ProducerSilence), process: processName(), now: now}
	p.places = make(chan struct{}, places(s))
	p.holds = hold.New(sv.devices, p.process, s.Run.Lease, log)
	if p.traces, err = openTraces(ctx, s, p.process, log); err == nil {
		sv.close.add(func() error { return p.traces.Close(ctx) })
		p.secrets, err = openSecrets(ctx, s, sv)
	}
	if err == nil {
		p.client, err = newDatadis(s, sv, now, log)
	}
	if err != nil {
		return nil, errors.Join(err, sv.close.run())
	}
	return p, nil
}

// places is how many guarded calls are begun at once: those that may be in
// flight, and a few that are about to be.
func places(s *settings.Settings) int { return s.Datadis.MaxInFlight + s.Datadis.MaxInFlight/8 }

// processName is unique among the processes of a deployment, and tells people
// which one it is.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "engine"
	}
	return fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().Unix()%100000)
}

func (p *pass) ledgerConfig() ledger.Config {
	return ledger.Config{RepeatAfter: p.settings.Datadis.RepeatAfter, Now: p.now}
}

// ending is how long the credentials of a run outlive its deadline, so that
// its end can say whose accounts were not listed. They are erased with it.
const ending = 10 * time.Minute

func (p *pass) credentials(runID string) *vault.Credentials {
	return vault.NewCredentials(p.servers.users, p.secrets.sealer, runID, p.settings.Run.Deadline+ending)
}

// produce opens a run, or joins the one of its policy or slot, and queues the
// accounts of the sources.
func (p *pass) produce(ctx context.Context, sc scope, slot string, plugged *plugins) (runs.Run, producer.Report, error) {
	sources, routes := plugged.grantors()
	topics := make([]string, 0, len(routes))
	for _, route := range routes {
		topics = append(topics, route.Topic)
	}
	if err := p.servers.ensureTopics(ctx, p.settings, topics...); err != nil {
		return runs.Run{}, producer.Report{}, err
	}
	for {
		run, err := p.open(ctx, sc, slot, routes)
		if err != nil || run.State == runs.Finished {
			return run, producer.Report{}, err
		}
		report, err := p.fill(ctx, run, sources, plugged.failed)
		if !errors.Is(err, queue.ErrSealed) { // it was over just before this producer was seen
			return run, report, err
		}
	}
}

// fill queues the accounts of the sources for a run that this process has
// joined, and says at the end what failed: nobody has to wait for a producer
// that knows that it could not do it.
func (p *pass) fill(ctx context.Context, run runs.Run, sources []producer.Source, failed map[string]string) (producer.Report, error) {
	crash.Here(crash.ProducerOpened)
	beating, stop := context.WithCancel(ctx)
	var heart sync.WaitGroup
	heart.Go(func() { p.beat(beating, run.ID) })
	defer heart.Wait()
	defer stop()
	step := producer.New(producer.Config{
		Identities:  p.secrets.identities,
		Queue:       userQueue{openQueues(p.settings, p.servers, run.ID, p.log).users, desk.NewHandover(p.servers.store)},
		Credentials: p.credentials(run.ID),
		Logger:      p.log.With("run", run.ID, "phase", "produce"),
	})
	report, err := step.Run(ctx, sources)
	noted := maps.Clone(failed)
	maps.Copy(noted, report.Failed)
	if err != nil {
		err = fmt.Errorf("run %s: %w", run.ID, err)
		for _, source := range sources {
			noted[source.Name] = "the producer stopped before all of its accounts were queued"
		}
	}
	report.Failed = noted
	crash.Here(crash.ProducerFilled)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	return report, errors.Join(err, p.registry.Done(last, run.ID, p.process, noted))
}

// lastWords is how long a process that stops may take to say so.
const lastWords = 10 * time.Second

// open opens a run, or joins one, and announces its routes. One that is about
// to finish is waited for.
func (p *pass) open(ctx context.Context, sc scope, slot string, routes map[string]sdk.Route) (runs.Run, error) {
	spec := runs.Spec{
		Policy: string(sc.policy), Slot: slot, Started: p.now(), Life: p.settings.Run.Deadline,
		From: sc.window.From, To: sc.window.To, Now: sc.start, Routes: routes,
	}
	for {
		run, err := p.registry.Open(ctx, p.process, spec)
		switch {
		case errors.Is(err, runs.ErrSealed):
			if err := pause(ctx, time.Second); err != nil {
				return run, err
			}
			continue
		case err != nil || run.State == runs.Finished:
			return run, err
		}
		return run, p.announceStart(ctx, run)
	}
}

// announceStart publishes where the run's data will be.
func (p *pass) announceStart(ctx context.Context, run runs.Run) error {
	started := envelope.Started{
		Run: run.ID, Policy: run.Policy, Started: run.Started, Routes: run.Routes, StaticTopic: p.settings.Kafka.StaticTopic,
	}
	message, err := started.Message(p.settings.Kafka.ControlTopic)
	if err == nil {
		_, err = p.servers.publisher.Publish(ctx, []envelope.Message{message})
	}
	if err != nil {
		return fmt.Errorf("announce run %s: %w", run.ID, err)
	}
	return nil
}

func (p *pass) beat(ctx context.Context, runID string) {
	every := p.settings.Run.ProducerSilence / 10 // a few that are lost do no harm
	for pause(ctx, every) == nil {
		if err := p.registry.Beat(ctx, runID, p.process); err != nil && ctx.Err() == nil {
			p.log.Warn("the producer cannot say that it is alive", "error", err)
		}
	}
}

// pause waits, unless the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func (p *pass) lister(run runs.Run, q queues, log *slog.Logger) *lister.Lister {
	return lister.New(lister.Config{
		Run:         run.ID,
		Sessions:    &sessions{p.client, p.credentials(run.ID)},
		Logins:      login.NewBook(p.servers.users, run.ID, p.settings.Datadis.LoginRetry),
		Streaks:     entitlement.NewLogins(p.servers.store, p.now),
		Entitlement: entitlement.NewRegister(p.servers.store),
		Devices:     deviceQueue{q.devices, desk.NewHandover(p.servers.store)},
		Failures:    failures{p.registry, run.ID},
		Now:         p.now,
		Logger:      log,
	})
}

func (p *pass) downloader(run runs.Run, stopping <-chan struct{}, log *slog.Logger) *downloader.Downloader {
	c := downloader.Config{
		Run: run.ID, Policy: ledger.Policy(run.Policy), Window: ledger.Window{From: run.From, To: run.To},
		Series:   seriesOf(p.settings.Datadis.Series),
		Ledger:   ledger.New(p.servers.store, p.ledgerConfig()),
		Sessions: &sessions{p.client, p.credentials(run.ID)},
		Outlet:   p.outlet(run),
		Statics:  ledger.NewStatics(p.servers.store, p.ledgerConfig()),
		Holds:    holds{p.holds},
		Places:   p.places,
		Stopping: stopping,
		Observe:  p.chunks,
		Now:      p.now,
		Logger:   log,
	}
	if raw := p.settings.Kafka.Raw; raw.Enabled {
		c.Copies = &copies{reader: p.servers.reader, archive: p.servers.archive, topic: raw.Topic}
	}
	return downloader.New(c)
}

func (p *pass) outlet(run runs.Run) *outlet {
	o := &outlet{
		publisher: p.servers.publisher, archive: p.servers.archive, registry: p.registry, routes: run.Routes,
		static: p.settings.Kafka.StaticTopic, run: run.ID,
	}
	if p.settings.Kafka.Raw.Enabled {
		o.raw = p.settings.Kafka.Raw.Topic
	}
	return o
}

func (p *pass) finisher(run runs.Run, q queues, log *slog.Logger) *finisher.Finisher {
	book := login.NewBook(p.servers.users, run.ID, p.settings.Datadis.LoginRetry)
	noted := failures{p.registry, run.ID}
	return finisher.New(finisher.Config{
		Run: run.ID, Process: p.process, Registry: p.registry, Users: q.users, Devices: q.devices,
		Control:  control{p.servers, p.registry, p.settings},
		Deferred: deferred{failures: noted, credentials: p.credentials(run.ID), log: log},
		Erase: func(ctx context.Context) error {
			return errors.Join(p.credentials(run.ID).Erase(ctx), book.Forget(ctx))
		},
		Sweep: p.sweep,
		Now:   p.now, Logger: log,
	})
}

// sweep drops the queues of runs that ended long ago, but for their dead
// letters, and forgets the runs.
func (p *pass) sweep(ctx context.Context) error {
	old, err := p.registry.Old(ctx, p.settings.Run.Keep)
	if err != nil {
		return err
	}
	for _, run := range old {
		q := openQueues(p.settings, p.servers, run.ID, p.log)
		if err := errors.Join(q.users.Purge(ctx), q.devices.Purge(ctx)); err != nil {
			return err
		}
		if err := p.registry.Remove(ctx, run.ID); err != nil {
			return err
		}
	}
	return nil
}

// standing looks how far a run has come.
func (p *pass) standing(run string) func(context.Context) (standing, error) {
	q := openQueues(p.settings, p.servers, run, p.log)
	return func(ctx context.Context) (standing, error) {
		users, errUsers := q.users.Stats(ctx)
		devices, errDevices := q.devices.Stats(ctx)
		if err := errors.Join(errUsers, errDevices); err != nil {
			return standing{}, err
		}
		now := standing{
			Accounts: users.Enqueued, AccountsDone: users.Enqueued - users.Outstanding(),
			Supplies: devices.Enqueued, SuppliesDone: devices.Enqueued - devices.Outstanding(),
		}
		for name, n := range devices.Counters {
			switch {
			case strings.HasPrefix(name, job.PerSource(job.Chunks, "")):
				now.Chunks += n
			case strings.HasPrefix(name, job.PerSource(job.Readings, "")):
				now.Readings += n
			}
		}
		return now, nil
	}
}
