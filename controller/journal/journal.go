// Package journal keeps what happened lately: a bounded list of events that people read with "weft events", each also
// a line of the log and a count in the metrics.
package journal

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-sdn/weft/controller/report"
)

// Size is how many events are kept.
const Size = 10000

// Journal is the list. It is safe for concurrent use.
type Journal struct {
	log   *slog.Logger
	count *prometheus.CounterVec

	mu     sync.Mutex
	events []report.Event // ring of at most Size, oldest at next when full
	next   int
	// total counts all events ever; more is closed at the next one, nil when nobody waits for it.
	total uint64
	more  chan struct{}
}

// New makes an empty journal that logs to log and counts in reg.
func New(log *slog.Logger, reg prometheus.Registerer) *Journal {
	j := &Journal{
		log: log,
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_events_total",
			Help: "Events by reason, e.g. DriftRepaired, SwitchLost, AgentLost.",
		}, []string{"reason"}),
	}
	reg.MustRegister(j.count)
	return j
}

// Record adds an event; a zero Time means now.
func (j *Journal) Record(e report.Event) {
	j.count.WithLabelValues(e.Reason).Inc()
	attrs := []any{"reason", e.Reason}
	if e.Host != "" {
		attrs = append(attrs, "host", e.Host)
	}
	if e.ID != "" {
		attrs = append(attrs, "object", e.Kind+"/"+e.ID)
	}
	j.log.Info(e.Message, attrs...)

	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Time.IsZero() {
		// Here, so that the order of events is that of their times: readers go on from a time.
		e.Time = time.Now()
	}
	j.total++
	if j.more != nil {
		close(j.more)
		j.more = nil
	}
	if len(j.events) < Size {
		j.events = append(j.events, e)
		return
	}
	j.events[j.next] = e
	j.next = (j.next + 1) % Size
}

// Events lists the events that keep holds for, oldest first.
func (j *Journal) Events(keep func(report.Event) bool) []report.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []report.Event
	for i := range j.events {
		e := j.events[(j.next+i)%len(j.events)]
		if keep(e) {
			out = append(out, e)
		}
	}
	return out
}

// After lists what came after the first n events ever, oldest first, as far as it is kept; tells how many there were in
// all; and returns a channel that is closed when there is another one.
func (j *Journal) After(n uint64) (events []report.Event, total uint64, more <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.more == nil {
		j.more = make(chan struct{})
	}
	newer := int(min(j.total-min(n, j.total), uint64(len(j.events))))
	for i := len(j.events) - newer; i < len(j.events); i++ {
		events = append(events, j.events[(j.next+i)%len(j.events)])
	}
	return events, j.total, j.more
}
