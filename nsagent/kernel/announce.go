package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Announce tells the links once who has which address: a gratuitous ARP request for each IPv4 address (RFC 5227, section
// 3), and an unsolicited neighbour advertisement for each IPv6 address (RFC 4861, section 7.2.6).
func (n *Namespace) Announce(list []plan.Announce) error {
	var fd int
	err := n.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return fmt.Errorf("announce in %s: %w", n.name, err)
	}
	defer unix.Close(fd)
	var errs []error
	for _, a := range list {
		l, err := n.handle.LinkByName(a.Dev)
		if err != nil {
			errs = append(errs, ignore(err, unix.ENODEV))
			continue
		}
		for _, ip := range a.Addresses {
			frame, err := announcement(l.Attrs().HardwareAddr, ip)
			if err == nil {
				err = unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: l.Attrs().Index})
			}
			if err != nil && !errors.Is(err, unix.ENETDOWN) {
				errs = append(errs, fmt.Errorf("announce %v on %s: %w", ip, a.Dev, err))
				break
			}
		}
	}
	return errors.Join(errs...)
}

func announcement(mac net.HardwareAddr, ip netip.Addr) ([]byte, error) {
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if ip.Is4() {
		a := ip.As4()
		err := gopacket.SerializeLayers(buf, opts,
			&layers.Ethernet{SrcMAC: mac, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP},
			&layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
				SourceHwAddress: mac, SourceProtAddress: a[:], DstHwAddress: make([]byte, 6), DstProtAddress: a[:]})
		return buf.Bytes(), err
	}
	all := net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
	ip6 := &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolICMPv6, SrcIP: ip.AsSlice(), DstIP: net.IPv6linklocalallnodes}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborAdvertisement, 0)}
	if err := icmp.SetNetworkLayerForChecksum(ip6); err != nil {
		return nil, err
	}
	const router, override = 0x80, 0x20
	err := gopacket.SerializeLayers(buf, opts, &layers.Ethernet{SrcMAC: mac, DstMAC: all, EthernetType: layers.EthernetTypeIPv6}, ip6, icmp,
		&layers.ICMPv6NeighborAdvertisement{Flags: router | override, TargetAddress: ip.AsSlice(),
			Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: mac}}})
	return buf.Bytes(), err
}
