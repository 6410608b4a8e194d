package kernel

import (
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"
)

// questions are frames that ask on a link once for the neighbours whom packets wait for. The kernel asks when the first
// packet comes, which may be before the link leads anywhere, and again after a second: for so long nothing would pass.
func (n *Namespace) questions(l netlink.Link) ([][]byte, error) {
	neighs, err := list(func() ([]netlink.Neigh, error) { return n.handle.NeighList(l.Attrs().Index, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	var frames [][]byte
	var addrs []netlink.Addr
	for _, nb := range neighs {
		to, ok := netip.AddrFromSlice(nb.IP)
		if !ok || nb.State != netlink.NUD_INCOMPLETE {
			continue
		}
		if addrs == nil {
			if addrs, err = list(func() ([]netlink.Addr, error) { return n.handle.AddrList(l, netlink.FAMILY_ALL) }); err != nil {
				return nil, err
			}
		}
		if from := source(addrs, to.Unmap()); from.IsValid() {
			frame, err := question(l.Attrs().HardwareAddr, from, to.Unmap())
			if err != nil {
				return nil, err
			}
			frames = append(frames, frame)
		}
	}
	return frames, nil
}

// source is the address that the kernel would ask by: one of the neighbour's subnet, else any of its family.
func source(addrs []netlink.Addr, to netip.Addr) (from netip.Addr) {
	for _, a := range addrs {
		ip, _ := netip.AddrFromSlice(a.IP)
		ip = ip.Unmap()
		if ip.Is4() != to.Is4() {
			continue
		}
		if a.Contains(to.AsSlice()) {
			return ip
		}
		if !from.IsValid() {
			from = ip
		}
	}
	return from
}

// question is an ARP request (RFC 826), or a neighbour solicitation (RFC 4861, section 4.3).
func question(mac net.HardwareAddr, from, to netip.Addr) ([]byte, error) {
	if to.Is4() {
		return arpRequest(mac, from, to)
	}
	a := to.As16()
	group := net.HardwareAddr{0x33, 0x33, 0xff, a[13], a[14], a[15]}
	all := net.IP{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a[13], a[14], a[15]} // RFC 4291, section 2.7.1
	return discovery(mac, group, from.AsSlice(), all, layers.ICMPv6TypeNeighborSolicitation,
		&layers.ICMPv6NeighborSolicitation{TargetAddress: to.AsSlice(), Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: mac}}})
}

// arpRequest is broadcast.
func arpRequest(mac net.HardwareAddr, from, to netip.Addr) ([]byte, error) {
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: mac, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
			SourceHwAddress: mac, SourceProtAddress: from.AsSlice(), DstHwAddress: make([]byte, 6), DstProtAddress: to.AsSlice()})
	return buf.Bytes(), err
}

// discovery is a message of neighbour discovery.
func discovery(mac, to net.HardwareAddr, src, dst net.IP, kind uint8, body gopacket.SerializableLayer) ([]byte, error) {
	ip6 := &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolICMPv6, SrcIP: src, DstIP: dst}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(kind, 0)}
	if err := icmp.SetNetworkLayerForChecksum(ip6); err != nil {
		return nil, err
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: mac, DstMAC: to, EthernetType: layers.EthernetTypeIPv6}, ip6, icmp, body)
	return buf.Bytes(), err
}
