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

func TestAfterGoesOnWhereOneWas(t *testing.T) {
	j := New(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	record := func(messages ...string) {
		for _, m := range messages {
			j.Record(report.Event{Reason: "R", Message: m})
		}
	}
	after := func(n uint64, want string, total uint64) <-chan struct{} {
		t.Helper()
		events, got, more := j.After(n)
		text := ""
		for _, e := range events {
			text += e.Message
		}
		if text != want || got != total {
			t.Errorf("after %d: %q of %d, want %q of %d", n, text, got, want, total)
		}
		return more
	}
	more := after(0, "", 0)
	record("a", "b")
	<-more
	after(0, "ab", 2)
	more = after(1, "b", 2)
	more2 := after(2, "", 2)
	select {
	case <-more:
		t.Error("told of an event that was not")
	default:
	}
	record("c")
	<-more
	<-more2
	after(2, "c", 3)
	for range Size {
		record(".")
	}
	events, total, _ := j.After(3)
	if len(events) != Size || total != Size+3 {
		t.Errorf("%d events of %d", len(events), total)
	}
	if events, total, _ = j.After(2); len(events) != Size || total != Size+3 {
		t.Errorf("one was dropped: %d events of %d", len(events), total)
	}
	if events[0].Time.After(events[Size-1].Time) {
		t.Error("not in the order of their times")
	}
}
