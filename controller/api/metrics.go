package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
)

// metrics are what the door counts.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	watches  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, st *store.Store) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_api_requests_total",
			Help: "Requests by gRPC method and status code; a stream counts when it ends.",
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "weft_api_request_seconds",
			Help:    "Time to answer a request, by gRPC method; without streams.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
		}, []string{"method"}),
		watches: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "weft_api_watches",
			Help: "Watch streams that are open.",
		}),
	}
	reg.MustRegister(m.requests, m.seconds, m.watches, stored{st})
	return m
}

// stored tells how many objects of each kind the store has. What is allocated and reported is among them, so that a leak shows.
type stored struct{ store *store.Store }

const storedHelp = "Objects in the store, by kind: those of the API, what hosts reported (hostfacts, interfaces, portstates …), " +
	"and what was allocated on hosts (bindings, localvlans, routerhosts, schedules …)."

var storedObjects = prometheus.NewDesc("weft_store_objects", storedHelp, []string{"kind"}, nil)

// Describe implements prometheus.Collector.
func (stored) Describe(out chan<- *prometheus.Desc) { out <- storedObjects }

// Collect implements prometheus.Collector.
func (s stored) Collect(out chan<- prometheus.Metric) {
	now, _ := s.store.Snapshot()
	for _, k := range state.Kinds {
		out <- prometheus.MustNewConstMetric(storedObjects, prometheus.GaugeValue, float64(now.Len(k)), string(k))
	}
}
