package demo

import (
	"errors"
	"slices"
	"testing"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/test/lab/checks"
)

func TestNamed(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  bool
	}{
		{nil, true},
		{[]string{"vxlan"}, true},
		{[]string{"flat", "TWO hosts"}, true},
		{[]string{"flat"}, false},
	} {
		if got := named("same network, two hosts, VXLAN", c.words); got != c.want {
			t.Errorf("%v: got %t, want %t", c.words, got, c.want)
		}
	}
}

// Whatever went wrong, a check has one line.
func TestResultIsOneLine(t *testing.T) {
	wrong := errors.Join(errors.New("vm1 is silent"), errors.New("clean up: timeout"))
	for _, c := range []struct {
		r    checks.Result
		want string
	}{
		{checks.Result{Measured: "ping 0.3 ms"}, "ping 0.3 ms"},
		{checks.Result{Err: wrong}, "vm1 is silent; clean up: timeout"},
		{checks.Result{Measured: "2 of 9 packets lost", Err: wrong}, "2 of 9 packets lost: vm1 is silent; clean up: timeout"},
	} {
		if got := result(c.r); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestNothingRan(t *testing.T) {
	for skipped, want := range map[int]int{0: exit.Usage, 3: exit.Unknown} {
		var e *exit.Error
		if err := nothingRan(skipped); !errors.As(err, &e) || e.Code != want {
			t.Errorf("%d skipped: %v, want exit code %d", skipped, err, want)
		}
	}
}

func TestCheckNamesAreUniqueAndShort(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range checks.All() {
		if seen[c.Name] || len(c.Name) > 50 || c.Hosts < 1 {
			t.Errorf("check %q: need a name of its own of at most 50 bytes, and a number of hosts", c.Name)
		}
		seen[c.Name] = true
	}
}

// Without a host the demo once died when it looked for one to run a VM on; and without a network host, VMs waited in vain
// for a lease.
func TestUpWantsHosts(t *testing.T) {
	for _, hosts := range [][]string{nil, {"compute1", "compute2"}} {
		var e *exit.Error
		if err := (&demo{dir: t.TempDir()}).up(t.Context(), hosts, 1, false, ""); !errors.As(err, &e) || e.Code != exit.Usage {
			t.Errorf("%q: got %v, want an error of usage", hosts, err)
		}
	}
}

func TestUpWantsToKnowHowToCheck(t *testing.T) {
	for _, c := range []struct {
		controllers int
		check       string
	}{{1, "some"}, {0, ""}, {-1, briefly}} {
		var e *exit.Error
		if err := (&demo{dir: t.TempDir()}).up(t.Context(), []string{"compute1", "network1"}, c.controllers, false, c.check); !errors.As(err, &e) || e.Code != exit.Usage {
			t.Errorf("%v: got %v, want an error of usage", c, err)
		}
	}
}

// What the lab's programs said has a line each, and does not take the place of the error.
func TestLogsAreNotes(t *testing.T) {
	var e *exit.Error
	if err := withNotes(errors.New("no lease"), "== a.log\none\n== b.log\ntwo\n"); !errors.As(err, &e) || e.Code != exit.Unknown ||
		!slices.Equal(e.Messages, []string{"no lease"}) || !slices.Equal(e.Notes, []string{"== a.log", "one", "== b.log", "two"}) {
		t.Errorf("%+v", e)
	}
}
