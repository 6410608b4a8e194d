package hostsync

import (
	"testing"
	"time"
)

// What was on a dead host works elsewhere within the health timeout. That was not so when all of it went by until the host
// was down.
func TestTimeoutLeavesTimeToMove(t *testing.T) {
	for _, tc := range []struct{ timeout, silence, ask time.Duration }{
		{3 * time.Second, 2 * time.Second, 500 * time.Millisecond},
		{6 * time.Second, 4 * time.Second, time.Second},
		{DefaultHostTimeout, 7 * time.Second, 1750 * time.Millisecond},
		{time.Minute, 57 * time.Second, 14250 * time.Millisecond},
	} {
		if s, a := SilenceLimit(tc.timeout), AskInterval(tc.timeout); s != tc.silence || a != tc.ask {
			t.Errorf("timeout %v: down after %v, asked every %v; want %v, %v", tc.timeout, s, a, tc.silence, tc.ask)
		}
	}
}

// A host is down after its silence, connected or not; a controller that has just begun has heard nobody yet, and waits longer.
func TestSilence(t *testing.T) {
	const timeout = 3 * time.Second
	now := time.Now()
	for _, tc := range []struct {
		name  string
		known bool
		quiet time.Duration
		down  bool
	}{
		{"spoke lately", true, 1900 * time.Millisecond, false},
		{"silent", true, 2 * time.Second, true},
		{"never heard, not for long", false, 2900 * time.Millisecond, false},
		{"never heard", false, timeout, true},
	} {
		l := newHealth(&Fleet{cfg: Config{HostTimeout: timeout}})
		if down := l.silent(&pulse{known: tc.known, heard: now.Add(-tc.quiet)}, now); down != tc.down {
			t.Errorf("%s, for %v: down %v", tc.name, tc.quiet, down)
		}
	}
}

// A controller that was stopped for a while has heard nobody meanwhile, and took all hosts for dead.
func TestDeafControllerCallsNobodyDown(t *testing.T) {
	l := newHealth(&Fleet{cfg: Config{HostTimeout: 3 * time.Second}})
	now := time.Now()
	l.feel("alive", true, func(*pulse) {})
	l.feel("silent", true, func(*pulse) {})
	l.hosts["alive"].heard = now.Add(-100 * time.Millisecond)
	l.hosts["silent"].heard = now.Add(-1500 * time.Millisecond)

	woke := now.Add(10 * time.Second)
	l.excuse(10*time.Second, woke)
	for _, host := range []string{"alive", "silent"} {
		if l.silent(l.hosts[host], woke) {
			t.Errorf("%s is down when the controller wakes", host)
		}
	}
	later := woke.Add(600 * time.Millisecond)
	if l.silent(l.hosts["alive"], later) || !l.silent(l.hosts["silent"], later) {
		t.Error("what was heard before no longer counts")
	}
}
