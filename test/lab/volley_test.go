package lab_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/test/lab"
)

// A volley tells who answers from who is silent and from who refuses, by every protocol.
func TestVolley(t *testing.T) {
	l := up(t, "compute1")
	a, b := vm(t, l, "compute1", 1), vm(t, l, "compute1", 2)
	server, err := l.StartServerOf(t.Context(), b.Box, []uint8{47, 132}, 80, 81)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for _, silent := range []string{"tcp,tp_dst=81", "udp,tp_dst=81", "icmp,icmp_type=13", "ip6,nw_proto=47", "sctp,tp_dst=81"} {
		exec(t, l.Hosts[0].Box, "ovs-ofctl", "add-flow", "br-int", "priority=40000,"+silent+",actions=drop")
	}
	for _, c := range []struct {
		name string
		shot lab.Shot
		want bool
	}{
		{"TCP", lab.Shot{Protocol: 6, To: ip4(2), Port: 80}, true},
		{"TCP over IPv6", lab.Shot{Protocol: 6, To: ip6(2), Port: 80}, true},
		{"TCP that is dropped", lab.Shot{Protocol: 6, To: ip4(2), Port: 81}, false},
		{"TCP that is reset: it has arrived", lab.Shot{Protocol: 6, To: ip4(2), Port: 82}, true},
		{"UDP", lab.Shot{Protocol: 17, To: ip4(2), Port: 80}, true},
		{"UDP that is dropped", lab.Shot{Protocol: 17, To: ip4(2), Port: 81}, false},
		{"UDP to nobody: it has arrived", lab.Shot{Protocol: 17, To: ip4(2), Port: 82}, true},
		{"echo request", lab.Shot{Protocol: 1, To: ip4(2), Type: 8}, true},
		{"timestamp request that is dropped", lab.Shot{Protocol: 1, To: ip4(2), Type: 13}, false},
		{"echo request of ICMPv6", lab.Shot{Protocol: 58, To: ip6(2), Type: 128}, true},
		{"SCTP", lab.Shot{Protocol: 132, To: ip4(2), Port: 80}, true},
		{"SCTP over IPv6", lab.Shot{Protocol: 132, To: ip6(2), Port: 80}, true},
		{"SCTP that is dropped", lab.Shot{Protocol: 132, To: ip4(2), Port: 81}, false},
		{"another protocol", lab.Shot{Protocol: 47, To: ip4(2)}, true},
		{"another protocol that is dropped", lab.Shot{Protocol: 47, To: ip6(2)}, false},
		{"another protocol that nobody answers", lab.Shot{Protocol: 99, To: ip4(2)}, false},
	} {
		// Alone, so that a shot is not taken for another's.
		c.shot.Expected = c.want
		hits, err := lab.Volley(t.Context(), a.Box, []lab.Shot{c.shot})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, hits[0].Answered); d != "" {
			t.Errorf("%s (-want +got):\n%s%s", c.name, d, hits[0].Why)
		}
	}
	both := []lab.Shot{{Protocol: 17, To: ip4(2), Port: 80, Expected: true}, {Protocol: 17, To: ip4(2), Port: 81}}
	hits, err := lab.Volley(t.Context(), a.Box, both)
	if err != nil || !hits[0].Answered || hits[1].Answered || hits[0].Caller != ip4(1) {
		t.Errorf("both at once: %+v, %v", hits, err)
	}
}
