package journal

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/weft-sdn/weft/controller/report"
)

func TestJournalKeepsTheNewest(t *testing.T) {
	j := New(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	for i := range Size + 5 {
		j.Record(report.Event{Reason: "DriftRepaired", Message: fmt.Sprint(i), Host: fmt.Sprintf("h%d", i%2)})
	}
	got := j.Events(func(report.Event) bool { return true })
	if len(got) != Size || got[0].Message != "5" || got[Size-1].Message != fmt.Sprint(Size+4) {
		t.Errorf("%d events, from %q to %q", len(got), got[0].Message, got[len(got)-1].Message)
	}
	if n := len(j.Events(func(e report.Event) bool { return e.Host == "h1" })); n != Size/2 {
		t.Errorf("events of h1: %d", n)
	}
	if n := testutil.ToFloat64(j.count.WithLabelValues("DriftRepaired")); n != Size+5 {
		t.Errorf("counted %v", n)
	}
	if got[0].Time.IsZero() {
		t.Error("an event without a time")
	}
}
