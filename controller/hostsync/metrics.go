package hostsync

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	flowMods *prometheus.CounterVec
	refused  *prometheus.CounterVec
	drift    *prometheus.CounterVec
	rounds   *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	bridge := []string{"host", "bridge"}
	m := &metrics{
		flowMods: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_flow_mods_total", Help: "Flow-mods committed to a bridge."}, bridge),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_flow_parts_refused_total", Help: "Parts (a port, a network …) whose rows a bridge refused."}, bridge),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_drift_rows_total", Help: "Rows found not as they were left, and repaired."}, bridge),
		rounds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weft_host_program_seconds", Help: "Time to bring a host's bridges up to date.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"host"}),
	}
	reg.MustRegister(m.flowMods, m.refused, m.drift, m.rounds)
	return m
}

// forget drops the series of a host that is gone.
func (m *metrics) forget(host string) {
	l := prometheus.Labels{"host": host}
	for _, c := range []*prometheus.CounterVec{m.flowMods, m.refused, m.drift} {
		c.DeletePartialMatch(l)
	}
	m.rounds.DeletePartialMatch(l)
}
