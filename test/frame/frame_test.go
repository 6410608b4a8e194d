package frame

import (
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// What is built is what another implementation reads, with right checksums.
func TestFrames(t *testing.T) {
	a4, b4 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	a6, b6 := netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
	for name, c := range map[string]struct {
		typ    uint16
		packet []byte
		layer  gopacket.LayerType
	}{
		"UDP":          {TypeIPv4, IP(a4, b4, UDP, Datagram(a4, b4, 1, 7000, []byte("odd"))), layers.LayerTypeUDP},
		"UDP on IPv6":  {TypeIPv6, IP(a6, b6, UDP, Datagram(a6, b6, 1, 7000, []byte("odd"))), layers.LayerTypeUDP},
		"TCP":          {TypeIPv4, IP(a4, b4, TCP, Segment(a4, b4, 1, 7000, []byte("data"))), layers.LayerTypeTCP},
		"options":      {TypeIPv6, IP(a6, b6, HopByHop, append(OptionsHeader(UDP, 24), Datagram(a6, b6, 1, 7000, nil)...)), layers.LayerTypeUDP},
		"routing":      {TypeIPv6, IP(a6, b6, Routing, append(RoutingHeader(UDP), Datagram(a6, b6, 1, 7000, nil)...)), layers.LayerTypeUDP},
		"AH":           {TypeIPv6, IP(a6, b6, Authentication, append(AuthenticationHeader(UDP), Datagram(a6, b6, 1, 7000, nil)...)), layers.LayerTypeUDP},
		"solicitation": {TypeIPv6, IP(a6, b6, ICMPv6, Neighbor6(a6, b6, NeighborSolicitation, b6, Broadcast)), layers.LayerTypeICMPv6NeighborSolicitation},
		"ARP":          {TypeARP, ARP(ARPReply, Broadcast, a4, Broadcast, b4), layers.LayerTypeARP},
	} {
		for _, f := range [][]byte{Ethernet(AllNodes, Broadcast, c.typ, c.packet), Tagged(Ethernet(AllNodes, Broadcast, c.typ, c.packet), TypeVLAN, 7)} {
			p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
			if p.ErrorLayer() != nil || p.Layer(c.layer) == nil {
				t.Errorf("%s: %v", name, p)
				continue
			}
			for _, l := range p.Layers() {
				if l, ok := l.(interface {
					SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
				}); ok {
					if err := l.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
						t.Error(name, err)
					}
				}
			}
			if err, wrong := p.VerifyChecksums(); err != nil || len(wrong) > 0 {
				t.Errorf("%s: wrong checksums %v, %v", name, wrong, err)
			}
		}
	}
}

// Fragments are as long as they may be, and together the whole.
func TestFragments(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	defrag := 0
	for i, f := range Fragments4(a, b, UDP, 7, make([]byte, 4000), 1480) {
		p := gopacket.NewPacket(f, layers.LayerTypeIPv4, gopacket.Default)
		ip := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		if int(ip.FragOffset)*8 != defrag || (ip.Flags&layers.IPv4MoreFragments != 0) != (i < 2) || ip.Id != 7 {
			t.Errorf("fragment %d: %+v", i, ip)
		}
		defrag += len(ip.Payload)
	}
	if defrag != 4000 {
		t.Errorf("%d bytes, want 4000", defrag)
	}
}
