package hostsync

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	flowMods *prometheus.CounterVec
	refused  *prometheus.CounterVec
	drift    *prometheus.CounterVec
	packets  *prometheus.CounterVec
	rounds   *prometheus.HistogramVec
	wanted   *prometheus.GaugeVec
	failed   *prometheus.GaugeVec
	down     prometheus.Gauge
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
		packets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_refused_packets_total", Help: "Packets that br-int has refused for security groups and false addresses, by their direction as the port's machine sees it; of firewall bridges it knows none. Each comparison of the bridge counts on."},
			[]string{"host", "direction"}),
		rounds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weft_host_program_seconds", Help: "Time to bring a host's bridges up to date.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"host"}),
		wanted: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "weft_agent_resources", Help: "Resources that the agent of a host is to make true, by kind (router, floatingip, endpoint …)."},
			[]string{"host", "kind"}),
		failed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "weft_agent_resources_failed", Help: "Resources that the agent of a host could not make true."}, []string{"host"}),
		down: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "weft_hosts_down", Help: "Hosts that have been silent for so long that they are down."}),
	}
	reg.MustRegister(m.flowMods, m.refused, m.drift, m.packets, m.rounds, m.wanted, m.failed, m.down)
	return m
}

// agent tells of what the agent of a host has to do.
func (m *metrics) agent(host string, count map[string]int, failed int) {
	for kind, n := range count {
		m.wanted.WithLabelValues(host, kind).Set(float64(n))
	}
	m.failed.WithLabelValues(host).Set(float64(failed))
}

// forget drops the series of a host that is gone.
func (m *metrics) forget(host string) {
	l := prometheus.Labels{"host": host}
	for _, c := range []*prometheus.CounterVec{m.flowMods, m.refused, m.drift, m.packets} {
		c.DeletePartialMatch(l)
	}
	m.rounds.DeletePartialMatch(l)
	m.wanted.DeletePartialMatch(l)
	m.failed.DeletePartialMatch(l)
}
