package kernel

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// TestWhoIsWaitedForIsAskedAgain: a packet that left before the link led anywhere had to wait a second, for the kernel to ask again.
func TestWhoIsWaitedForIsAskedAgain(t *testing.T) {
	h := open(t)
	want := build(t, router())[plan.QRouter+routerID]
	n := ensure(t, h, want.Name)
	apply(t, n, want)
	const dev = "qg-00000003-00"
	in(t, n, "ip", "addr", "replace", "2001:db8:4::10/64", "dev", dev, "nodad")
	for _, tc := range []struct{ family, to string }{{"ipv4", "172.24.4.99"}, {"ipv6", "2001:db8:4::99"}} {
		// The kernel itself asks but once.
		in(t, n, "sysctl", "-qw", "net."+tc.family+".neigh."+dev+".retrans_time_ms=600000")
		in(t, n, "sh", "-c", "ping -c1 -w1 "+tc.to+" >/dev/null 2>&1; true")
		if state := in(t, n, "ip", "neigh", "show", tc.to); !strings.Contains(state, "INCOMPLETE") {
			t.Fatalf("nobody waits: %s", state)
		}
	}
	l, err := n.handle.LinkByName(dev)
	if err != nil {
		t.Fatal(err)
	}
	frames, err := n.questions(l)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range frames {
		p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
		to := p.LinkLayer().LinkFlow().Dst().String()
		if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
			got = append(got, fmt.Sprintf("%s: %v asks for %v", to, net.IP(arp.SourceProtAddress), net.IP(arp.DstProtAddress)))
		}
		if ns, ok := p.Layer(layers.LayerTypeICMPv6NeighborSolicitation).(*layers.ICMPv6NeighborSolicitation); ok {
			got = append(got, fmt.Sprintf("%s: %v asks %v for %v", to, p.NetworkLayer().NetworkFlow().Src(), p.NetworkLayer().NetworkFlow().Dst(), ns.TargetAddress))
		}
	}
	slices.Sort(got)
	if d := cmp.Diff([]string{
		"33:33:ff:00:00:99: 2001:db8:4::10 asks ff02::1:ff00:99 for 2001:db8:4::99",
		"ff:ff:ff:ff:ff:ff: 172.24.4.10 asks for 172.24.4.99"}, got); d != "" {
		t.Errorf("questions (-want +got):\n%s", d)
	}
}
