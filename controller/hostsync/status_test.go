package hostsync

import (
	"testing"

	"github.com/weft-sdn/weft/controller/report"
)

// Rows of what an agent has told are still to be made when it acknowledges what it was asked for.
func TestHostIsNotDoneBeforeWhatItToldHasComeRound(t *testing.T) {
	f := &Fleet{hosts: map[string]*host{}, seen: 5}
	h := newHost(f, "host1")
	f.hosts["host1"] = h
	h.published.Store(&published{report: report.Host{Applied: 4}, settled: true})
	for _, tc := range []struct{ told, seen, applied int64 }{{0, 5, 5}, {5, 5, 5}, {7, 5, 4}, {7, 6, 4}, {7, 7, 7}} {
		h.told, f.seen = tc.told, tc.seen
		lags, _ := f.lags(5)
		if got := f.Host("host1").Applied; got != tc.applied || (len(lags) > 0) != (tc.applied < 5) || f.hasSeen(h) != (tc.applied >= 5) {
			t.Errorf("told %d, seen %d: applied %d, want %d; lags %v", tc.told, tc.seen, got, tc.applied, lags)
		}
	}
}
