package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/datadis-engine/datadis/engine/internal/view"
)

// standing gives the numbers of runs and queues as they were looked at last, so
// that being scraped costs the servers nothing. They are those of the whole
// deployment: every process gives the same.
type standing struct {
	mu     sync.Mutex
	status *view.Status // nil: not looked at yet

	items, claimable, events, progress, eta, done, success, finished, dead, rejected, seen *prometheus.Desc
}

func newStanding() *standing {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &standing{
		items:     desc("datadis_queue_items", "Items of the queues of runs under way, by state.", "policy", "queue", "state"),
		claimable: desc("datadis_queue_claimable", "Logins that have their turn now: what more workers could do at once.", "policy", "queue"),
		events:    desc("datadis_queue_events", "What happened to items in the run under way: retried, reclaimed (a worker was lost), reopened, refused.", "policy", "queue", "event"),
		progress:  desc("datadis_run_progress_ratio", "Supplies that are done, of those listed so far, in the run under way.", "policy"),
		eta:       desc("datadis_run_eta_seconds", "How long the run under way will take still, at its pace of the last minutes; absent while that is not known.", "policy"),
		done:      desc("datadis_run_supplies_done", "Supplies that are done in the run under way.", "policy"),
		success:   desc("datadis_run_last_success_timestamp_seconds", "When the last run with the outcome complete finished.", "policy"),
		finished:  desc("datadis_run_last_finished_timestamp_seconds", "When the last run finished, whatever its outcome.", "policy"),
		dead:      desc("datadis_run_last_dead_letters", "Dead letters that the last run left when it finished.", "policy"),
		rejected:  desc("datadis_run_last_rejected_logins", "Logins that Datadis rejected in the last run that finished.", "policy"),
		seen:      desc("datadis_standing_timestamp_seconds", "When this process looked at runs and queues last."),
	}
}

func (s *standing) set(status view.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = &status
}

// Describe implements prometheus.Collector.
func (s *standing) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.items, s.claimable, s.events, s.progress, s.eta, s.done, s.success, s.finished, s.dead, s.rejected, s.seen} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *standing) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	status := s.status
	s.mu.Unlock()
	if status == nil {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(s.seen, float64(status.At.UnixMilli())/1000)
	s.queues(status.Queues, gauge)
	s.runs(status.Runs, gauge)
}

func (s *standing) queues(queues []view.Queue, gauge func(*prometheus.Desc, float64, ...string)) {
	seen := make(map[[2]string]bool) // a policy has one run under way; a second one is about to end
	for _, q := range queues {
		key := [2]string{q.Policy, q.Name}
		if seen[key] {
			continue
		}
		seen[key] = true
		for state, n := range map[string]int64{
			"waiting": q.Waiting, "leased": q.Leased, "delayed": q.Delayed, "done": q.Done,
			"deferred": q.Deferred, "dead": q.Dead, "dropped": q.Dropped,
		} {
			gauge(s.items, float64(n), q.Policy, q.Name, state)
		}
		for event, n := range map[string]int64{
			"retried": q.Retried, "reclaimed": q.Reclaimed, "reopened": q.Reopened, "refused": q.Refused,
		} {
			gauge(s.events, float64(n), q.Policy, q.Name, event)
		}
		gauge(s.claimable, float64(q.Claimable), q.Policy, q.Name)
	}
}

// runs are the newest first: of each policy the first of a kind counts.
func (s *standing) runs(runs []view.Run, gauge func(*prometheus.Desc, float64, ...string)) {
	seen := make(map[string]bool)
	first := func(what, policy string) bool {
		known := seen[what+" "+policy]
		seen[what+" "+policy] = true
		return !known
	}
	for _, r := range runs {
		if !r.Over() && first("moving", r.Policy) {
			gauge(s.done, float64(r.Supplies.Done), r.Policy)
			if r.Supplies.Total > 0 {
				gauge(s.progress, float64(r.Supplies.Done)/float64(r.Supplies.Total), r.Policy)
			}
			if r.Pace.PerSecond > 0 {
				gauge(s.eta, r.Pace.Seconds, r.Policy)
			}
		}
		if r.Finished.IsZero() {
			continue
		}
		at := float64(r.Finished.UnixMilli()) / 1000
		if first("finished", r.Policy) {
			gauge(s.finished, at, r.Policy)
			gauge(s.dead, float64(r.Dead), r.Policy)
			gauge(s.rejected, float64(r.Rejected), r.Policy)
		}
		if r.Outcome == "complete" && first("success", r.Policy) {
			gauge(s.success, at, r.Policy)
		}
	}
}
