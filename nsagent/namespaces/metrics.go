package namespaces

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	steps, drift, looks prometheus.Counter
	namespaces          prometheus.Gauge
}

func (m *metrics) register(r prometheus.Registerer) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weft", Subsystem: "namespaces", Name: name, Help: help})
	}
	m.steps = counter("steps_total", "Steps carried out in namespaces.")
	m.drift = counter("drift_repaired_total", "Looks at a namespace that found what somebody else had changed, and put it right.")
	m.looks = counter("looks_total", "Looks at a namespace.")
	m.namespaces = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "weft", Subsystem: "namespaces", Name: "kept", Help: "Namespaces that are kept or being removed."})
	if r != nil {
		r.MustRegister(m.steps, m.drift, m.looks, m.namespaces)
	}
}
