package kernel

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// What the kernel says that it does with a packet is what it does: each answer is made with the namespace of a router as it is.
func TestRoutesAreTheKernels(t *testing.T) {
	h := open(t)
	want := build(t, router())[plan.QRouter+routerID]
	n := ensure(t, h, want.Name)
	apply(t, n, want)
	const one, two, gw = "qr-00000001-00", "qr-00000002-00", "qg-00000003-00"
	ask := func(device, src, dst string) string {
		t.Helper()
		r, err := n.Route(device, netip.MustParseAddr(src), netip.MustParseAddr(dst))
		if err != nil {
			t.Fatalf("%s %s > %s: %v", device, src, dst, err)
		}
		if r.Kind != RouteForward {
			return strings.TrimSpace(r.Kind + " " + r.Message)
		}
		return strings.TrimSpace(fmt.Sprintf("forward %s %s via %v %s %s", r.Device, r.DeviceMAC, r.Via, r.NeighbourState, r.Neighbour))
	}
	for _, c := range []struct{ change, device, src, dst, want string }{
		{"", one, "10.0.1.5", "10.0.2.7", "forward " + two + " fa:16:3e:00:00:02 via 10.0.2.7 NONE"},
		{"ip neigh replace 10.0.2.7 lladdr fa:16:3e:00:00:77 nud permanent dev " + two, one, "10.0.1.5", "10.0.2.7", "forward " + two + " fa:16:3e:00:00:02 via 10.0.2.7 PERMANENT fa:16:3e:00:00:77"},
		{"ip neigh replace 10.0.2.8 lladdr fa:16:3e:00:00:78 nud stale dev " + two, one, "10.0.1.5", "10.0.2.8", "forward " + two + " fa:16:3e:00:00:02 via 10.0.2.8 STALE fa:16:3e:00:00:78"},
		{"ip neigh replace 10.0.2.9 nud failed dev " + two, one, "10.0.1.5", "10.0.2.9", "forward " + two + " fa:16:3e:00:00:02 via 10.0.2.9 FAILED"},
		{"", one, "10.0.1.5", "198.51.100.1", "forward " + gw + " fa:16:3e:00:00:03 via 172.24.4.1 NONE"},
		{"", gw, "198.51.100.1", "10.0.1.5", "forward " + one + " fa:16:3e:00:00:01 via 10.0.1.5 NONE"},
		{"", one, "10.0.1.5", "10.0.2.1", "local"},
		{"", gw, "198.51.100.1", "172.24.4.20", "local"},
		{"ip neigh replace fd00:2::7 lladdr fa:16:3e:00:00:77 nud permanent dev " + two, one, "fd00:1::5", "fd00:2::7", "forward " + two + " fa:16:3e:00:00:02 via fd00:2::7 PERMANENT fa:16:3e:00:00:77"},
		{"", one, "fd00:1::5", "2001:db8:ffff::1", "forward " + gw + " fa:16:3e:00:00:03 via 2001:db8::1 NONE"},
		{"", one, "fd00:1::5", "fd00:1::1", "local"},
		{"ip rule add from 10.0.1.5 lookup 16; ip route add default via 10.0.2.99 table 16", one, "10.0.1.5", "198.51.100.1", "forward " + two + " fa:16:3e:00:00:02 via 10.0.2.99 NONE"},
		{"", one, "10.0.1.6", "198.51.100.1", "forward " + gw + " fa:16:3e:00:00:03 via 172.24.4.1 NONE"},
		{"ip route add unreachable 192.0.2.0/24", one, "10.0.1.6", "192.0.2.1", "drop " + refusals[113]},
		{"ip route add prohibit 192.0.3.0/24", one, "10.0.1.6", "192.0.3.1", "drop " + refusals[13]},
		{"ip route add blackhole 192.0.4.0/24", one, "10.0.1.6", "192.0.4.1", "drop " + refusals[22]},
		{"ip route del default; ip -6 route del default", one, "10.0.1.6", "198.51.100.1", "drop " + refusals[101]},
		{"", one, "fd00:1::5", "2001:db8:ffff::1", "drop " + refusals[101]},
		{"", one, "10.0.1.1", "10.0.2.7", "drop " + refusals[22]},
		{"sysctl -qw net.ipv4.ip_forward=0", one, "10.0.1.6", "10.0.2.7", "drop " + refusals[113]},
		{"sysctl -qw net.ipv4.ip_forward=1; ip link set " + one + " down", one, "10.0.1.6", "10.0.2.7", "drop its device " + one + " is down"},
		{"", "qr-99999999-99", "10.0.1.6", "10.0.2.7", "drop it has no device qr-99999999-99"},
	} {
		if c.change != "" {
			in(t, n, "sh", "-c", c.change)
		}
		if got := ask(c.device, c.src, c.dst); got != c.want {
			t.Errorf("%s; %s %s > %s: %s, want %s", c.change, c.device, c.src, c.dst, got, c.want)
		}
	}
	l, err := n.handle.LinkByName(gw)
	if err != nil {
		t.Fatal(err)
	}
	if _, state, err := n.neighbour(l, netip.MustParseAddr("172.24.4.77")); err != nil || state != neighbourStates[netlink.NUD_NONE] {
		t.Errorf("nobody's state is %s: %v", state, err)
	}
}
