package agent

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	transactions, drift, deltas              prometheus.Counter
	flows                                    *prometheus.CounterVec
	resources, failing, controller, database prometheus.Gauge
}

func (m *metrics) register(r prometheus.Registerer) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weft", Subsystem: "agent", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "weft", Subsystem: "agent", Name: name, Help: help})
	}
	m.transactions = counter("ovsdb_transactions_total", "Transactions that changed the database.")
	m.drift = counter("drift_repaired_total", "Resources that somebody else had changed and that were put right.")
	m.deltas = counter("deltas_total", "Deltas taken from controllers.")
	m.flows = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weft", Subsystem: "agent", Name: "flow_events_total",
		Help: "Savings and replays of flow sets, and losses of switches, by reason."}, []string{"reason"})
	m.resources = gauge("resources", "Resources that are desired.")
	m.failing = gauge("resources_failing", "Resources that are desired and not true.")
	m.controller = gauge("controller_connected", "1 while a controller is connected.")
	m.database = gauge("ovsdb_connected", "1 while the database is connected.")
	if r != nil {
		r.MustRegister(m.transactions, m.drift, m.deltas, m.flows, m.resources, m.failing, m.controller, m.database)
	}
}
