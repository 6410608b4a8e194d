package api

import "github.com/prometheus/client_golang/prometheus"

// metrics are what the door counts.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	watches  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
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
	reg.MustRegister(m.requests, m.seconds, m.watches)
	return m
}
