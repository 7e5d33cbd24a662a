package desk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/datadis-engine/datadis/engine/internal/finisher"
	"github.com/datadis-engine/datadis/engine/internal/job"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/run"
	"github.com/datadis-engine/datadis/engine/internal/view"
	"github.com/datadis-engine/datadis/sdk"
)

// runOf is a run as its servers know it.
func runOf(r run.Run, users, devices queue.Stats) view.Run {
	sources := make([]string, 0, len(r.Routes))
	for name := range r.Routes {
		sources = append(sources, name)
	}
	counts := finisher.Counts(users, devices)
	counts[job.Dead] = users.Dead + devices.Dead
	shown := Counted(view.Run{
		ID: r.ID, Policy: r.Policy, State: string(r.State), Outcome: string(r.Outcome),
		Started: r.Started, Deadline: r.Deadline, Finished: r.Finished, FailedSources: r.FailedSources,
	}, sources, counts)
	shown.Accounts = view.Progress{Done: users.Enqueued - users.Outstanding(), Total: users.Enqueued}
	shown.Supplies = view.Progress{Done: devices.Enqueued - devices.Outstanding(), Total: devices.Enqueued}
	if r.LostProducer {
		shown.Notes = append(shown.Notes, "a producer fell silent before it had queued all of its accounts")
	}
	steered(&shown, r, users, devices)
	return shown
}

// steered says what somebody did to the run.
func steered(shown *view.Run, r run.Run, users, devices queue.Stats) {
	shown.Cancelled, shown.Paused = r.Cancelled, users.Paused || devices.Paused
	if r.Cancelled {
		shown.Notes = append(shown.Notes, "it is cancelled: what waits is left to the next run")
	}
	if shown.Paused && !r.Cancelled {
		shown.Notes = append(shown.Notes, "it is paused: nothing more is handed out until it is resumed")
	}
	cancelled := len(r.CancelledLogins)
	if cancelled > 0 {
		shown.Notes = append(shown.Notes, fmt.Sprintf("cancelled in it: the accounts of %d logins", cancelled))
	}
	held := 0
	for _, login := range users.Held {
		if !slices.Contains(r.CancelledLogins, login) {
			held++
		}
	}
	if held > 0 {
		shown.Notes = append(shown.Notes, fmt.Sprintf("paused in it: the accounts of %d logins", held))
	}
}

// Counted fills in what the counters of a run say: of the run, and of each of
// its sources.
func Counted(r view.Run, sources []string, counts map[string]int64) view.Run {
	r.Counts = counts
	r.Accounts = view.Progress{Done: counts["users_done"] + counts["users_deferred"] + counts["users_dead"], Total: counts["users_enqueued"]}
	r.Supplies = view.Progress{Done: counts["devices_done"] + counts["devices_deferred"] + counts["devices_dead"], Total: counts["devices_enqueued"]}
	r.Rejected, r.Dead, r.Deferred = counts[job.Rejected], counts[job.Dead], counts["devices_deferred"]
	for _, name := range sources {
		of := func(counter string) int64 { return counts[job.PerSource(counter, name)] }
		one := view.Source{
			Name: name, Logins: of(job.Logins) + of(job.Rejected), Accounts: of(job.Accounts), Supplies: of(job.Supplies),
			Chunks: of(job.Chunks), Readings: of(job.Readings), Rejected: of(job.Rejected), Dead: of(job.Dead),
		}
		r.Chunks += one.Chunks
		r.Readings += one.Readings
		r.Sources = append(r.Sources, one)
	}
	slices.SortFunc(r.Sources, func(a, b view.Source) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// Failed are the failed grants of a run without personal data.
func Failed(grants []sdk.FailedGrant, mask func(string) string) []view.FailedGrant {
	shown := make([]view.FailedGrant, 0, len(grants))
	for _, g := range grants {
		shown = append(shown, view.FailedGrant{
			Source: g.Source, User: g.Username.Masked(), NIF: g.NIF.Masked(), Reason: mask(strings.TrimSpace(g.Reason)),
		})
	}
	return shown
}

func queueOf(r run.Run, name string, s queue.Stats) view.Queue {
	return view.Queue{
		Run: r.ID, Policy: r.Policy, Name: name,
		Enqueued: s.Enqueued, Waiting: s.Waiting, Leased: s.Leased, Delayed: s.Delayed,
		Done: s.Done, Deferred: s.Deferred, Dead: s.Dead, Dropped: s.Dropped,
		Retried: s.Retried, Reclaimed: s.Reclaimed, Reopened: s.Reopened, Refused: s.Refused,
		Claimable: s.Claimable, Paused: s.Paused,
	}
}
