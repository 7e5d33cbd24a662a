package main

import (
	"context"
	"errors"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/finisher"
	"github.com/datadis-engine/datadis/engine/internal/job"
)

// summarize reads what came of a run, and keeps it for later commands.
func (p *pass) summarize(ctx context.Context, id string) (summary, error) {
	run, err := p.registry.Get(ctx, id)
	if err != nil {
		return summary{}, err
	}
	q := openQueues(p.settings, p.servers, id, p.log)
	users, errUsers := q.users.Stats(ctx)
	devices, errDevices := q.devices.Stats(ctx)
	grants, errGrants := p.registry.Failed(ctx, id)
	letters, errDead := q.deadLetters(ctx, id)
	if err := errors.Join(errUsers, errDevices, errGrants, errDead); err != nil {
		return summary{}, err
	}
	counts := finisher.Counts(users, devices)
	counts[job.Dead] = int64(len(letters))
	for name := range counts {
		if strings.HasPrefix(name, job.PerSource(job.Dead, "")) {
			delete(counts, name)
		}
	}
	for _, letter := range letters {
		for _, source := range letter.Sources {
			counts[job.PerSource(job.Dead, source)]++
		}
	}
	sources := make([]string, 0, len(run.Routes))
	for name := range run.Routes {
		sources = append(sources, name)
	}
	s := summary{
		Run: id, Policy: run.Policy, Outcome: run.Outcome, Started: run.Started, Finished: run.Finished,
		Sources: summarizeSources(sources, counts), Counts: counts, FailedGrants: grants, FailedSources: run.FailedSources,
	}
	keep := archive{p.servers.store}
	return s, errors.Join(keep.saveRun(ctx, s), keep.saveDead(ctx, id, letters))
}
