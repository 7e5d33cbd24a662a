// Package metrics counts what a process does, for Prometheus. No metric has a
// label that names an account, a login or a supply: their number is unbounded,
// and they are personal.
//
// The other packages know nothing of Prometheus. They tell functions and small
// interfaces of their own, which [Metrics] has the methods for.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/datadis-engine/datadis/engine/internal/health"
	"github.com/datadis-engine/datadis/engine/internal/view"
)

// Config says what is counted.
type Config struct {
	Version, Command string
	// The values that labels can have, so that each is there from the start, as
	// zero: an alert must not wait for a first failure to know the metric.
	Endpoints, Classes, Series, Results []string

	Plugins func() []view.Plugin // nil: none
	Health  func() health.Report
}

// Metrics of one process, in a registry of their own.
type Metrics struct {
	registry *prometheus.Registry

	calls      *prometheus.CounterVec
	callTime   *prometheus.HistogramVec
	waited     prometheus.Histogram
	chunks     *prometheus.CounterVec
	delivered  *prometheus.CounterVec
	delivery   prometheus.Histogram
	queued     prometheus.Gauge
	ledgerTime prometheus.Histogram
	ledgerBad  prometheus.Counter
	missingKey prometheus.Counter
	standing   *standing
}

// New makes the metrics of a process.
func New(c Config) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), standing: newStanding(),
		calls: counters("datadis_http_requests_total", "Calls to Datadis, by what was called and what came of it.", "endpoint", "class"),
		callTime: prometheus.NewHistogramVec(histogram("datadis_http_seconds", "How long calls to Datadis took, from when they could be sent to the last byte of the answer.",
			[]float64{.1, .25, .5, 1, 2.5, 5, 10, 20, 40, 60, 90, 120, 180}), []string{"endpoint"}),
		waited: prometheus.NewHistogram(histogram("datadis_limiter_wait_seconds", "How long calls to Datadis waited for their place: the limits of calls in flight and per second.",
			[]float64{.001, .01, .1, .5, 1, 5, 15, 60, 180})),
		chunks:    counters("datadis_chunks_total", "Chunks, by series and what came of them. Published ones count once for each source.", "series", "result"),
		delivered: counters("datadis_kafka_messages_total", "Messages published, by what came of them: confirmed or failed.", "result"),
		delivery: prometheus.NewHistogram(histogram("datadis_kafka_delivery_seconds", "How long the broker took to confirm what was published together.",
			[]float64{.001, .005, .01, .05, .1, .5, 1, 5, 30, 120, 300})),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{Name: "datadis_kafka_queue_bytes", Help: "Bytes of keys and values that wait to be confirmed by the broker."}),
		ledgerTime: prometheus.NewHistogram(histogram("datadis_ledger_write_seconds", "How long writes to the ledger took.",
			[]float64{.0005, .001, .005, .01, .05, .1, .5, 1, 5})),
		ledgerBad:  prometheus.NewCounter(prometheus.CounterOpts{Name: "datadis_ledger_write_failures_total", Help: "Writes to the ledger that failed."}),
		missingKey: prometheus.NewCounter(prometheus.CounterOpts{Name: "datadis_unknown_key_total", Help: "Credentials that could not be decrypted, for lack of their key."}),
	}
	m.fillLabels(c)
	m.registry.MustRegister(
		m.calls, m.callTime, m.waited, m.chunks, m.delivered, m.delivery, m.queued, m.ledgerTime, m.ledgerBad, m.missingKey,
		m.standing, process{c},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// histogram has buckets, and, for servers that know them, native ones.
func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.2, NativeHistogramMaxBucketNumber: 80, NativeHistogramMinResetDuration: time.Hour,
	}
}

func (m *Metrics) fillLabels(c Config) {
	for _, endpoint := range c.Endpoints {
		m.callTime.WithLabelValues(endpoint)
		for _, class := range c.Classes {
			m.calls.WithLabelValues(endpoint, class)
		}
	}
	for _, series := range c.Series {
		for _, result := range c.Results {
			m.chunks.WithLabelValues(series, result)
		}
	}
	for _, result := range []string{confirmed, failed} {
		m.delivered.WithLabelValues(result)
	}
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Call implements datadis.Observer.
func (m *Metrics) Call(endpoint, class string, took time.Duration) {
	m.calls.WithLabelValues(endpoint, class).Inc()
	m.callTime.WithLabelValues(endpoint).Observe(took.Seconds())
}

// Waited implements datadis.Observer.
func (m *Metrics) Waited(took time.Duration) { m.waited.Observe(took.Seconds()) }

// Chunks counts chunks of a series that came to something.
func (m *Metrics) Chunks(series, result string, n int) {
	m.chunks.WithLabelValues(series, result).Add(float64(n))
}

// What comes of messages.
const (
	confirmed = "confirmed"
	failed    = "failed"
)

// Delivered counts messages that were published together.
func (m *Metrics) Delivered(messages int, took time.Duration, err error) {
	if err != nil {
		m.delivered.WithLabelValues(failed).Add(float64(messages))
		return
	}
	m.delivered.WithLabelValues(confirmed).Add(float64(messages))
	m.delivery.Observe(took.Seconds())
}

// Queued notes bytes that came to wait for the broker, or, negative, wait no
// more.
func (m *Metrics) Queued(bytes int) { m.queued.Add(float64(bytes)) }

// LedgerWrite counts a write to the ledger.
func (m *Metrics) LedgerWrite(took time.Duration, err error) {
	if err != nil {
		m.ledgerBad.Inc()
		return
	}
	m.ledgerTime.Observe(took.Seconds())
}

// MissingKey counts credentials that could not be decrypted for lack of their
// key.
func (m *Metrics) MissingKey() { m.missingKey.Inc() }

// Standing notes where the runs stand.
func (m *Metrics) Standing(s view.Status) { m.standing.set(s) }
