package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// process gives what is known of the process itself when it is asked.
type process struct{ Config }

var (
	buildInfo      = prometheus.NewDesc("datadis_build_info", "1, of the engine's version and the command that the process runs.", []string{"version", "command"}, nil)
	ready          = prometheus.NewDesc("datadis_ready", "1 if the process is ready, else 0.", nil, nil)
	checkOK        = prometheus.NewDesc("datadis_check_ok", "1 if a part of what the process needs is well, else 0.", []string{"check"}, nil)
	pluginUp       = prometheus.NewDesc("datadis_plugin_up", "1 if the plugin's process is up, else 0.", []string{"instance", "plugin"}, nil)
	pluginRestarts = prometheus.NewDesc("datadis_plugin_restarts_total", "How often the plugin's process was started again.", []string{"instance", "plugin"}, nil)
)

// Describe implements prometheus.Collector.
func (p process) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfo, ready, checkOK, pluginUp, pluginRestarts} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (p process) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(buildInfo, 1, p.Version, p.Command)
	if p.Health != nil {
		report := p.Health()
		gauge(ready, number(report.Ready))
		for _, c := range report.Checks {
			gauge(checkOK, number(c.OK), c.Name)
		}
	}
	if p.Plugins == nil {
		return
	}
	for _, one := range p.Plugins() {
		gauge(pluginUp, number(one.Up), one.Name, one.Plugin)
		out <- prometheus.MustNewConstMetric(pluginRestarts, prometheus.CounterValue, float64(one.Restarts), one.Name, one.Plugin)
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
