package main

import (
	"context"
	"sync"

	runs "github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/worker"
)

// listers is how many accounts a process lists at the same time: enough to find
// supplies as fast as they are downloaded, and few beside the downloads.
func listers(s *settings.Settings) int { return max(4, s.Datadis.MaxInFlight/4) }

// consume lists and downloads until the run is finished, or the context ends;
// then what is in hand is finished or handed back.
func (p *pass) consume(ctx context.Context, run runs.Run) error {
	ctx = p.traces.Into(ctx)
	q := openQueues(p.settings, p.servers, run.ID, p.log)
	log := p.log.With("run", run.ID)
	tending, stopTending := context.WithCancel(context.WithoutCancel(ctx))
	var tenders, workers sync.WaitGroup
	tenders.Go(func() { q.users.Run(tending) })
	tenders.Go(func() { q.devices.Run(tending) })
	defer tenders.Wait()
	defer stopTending()

	working, stopWorking := context.WithCancelCause(ctx)
	for _, pool := range []worker.Pool{
		{Queue: q.users, Step: p.lister(run, q, log), Workers: listers(p.settings)},
		{Queue: q.devices, Step: p.downloader(run, ctx.Done(), log), Workers: p.settings.Workers()},
	} {
		pool.Name, pool.Drain, pool.Logger = p.process, p.settings.Run.DrainTimeout, log
		workers.Go(func() { pool.Run(working) })
	}
	err := p.finisher(run, q, log).Run(ctx)
	stopWorking(err)
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
