package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// announceMain is the applet "announce DEVICE ADDRESS": it sends a gratuitous ARP request (RFC 5227 section 2.3), which is
// how keepalived tells a network that an IPv4 address has moved.
func announceMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: announce DEVICE ADDRESS")
	}
	device, err := net.InterfaceByName(args[0])
	if err != nil {
		return err
	}
	address, err := netip.ParseAddr(args[1])
	if err != nil || !address.Is4() {
		return fmt.Errorf("address %q: need an IPv4 address", args[1])
	}
	broadcast := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true},
		&layers.Ethernet{SrcMAC: device.HardwareAddr, DstMAC: broadcast, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
			Operation: layers.ARPRequest, SourceHwAddress: device.HardwareAddr, SourceProtAddress: address.AsSlice(),
			DstHwAddress: broadcast, DstProtAddress: address.AsSlice(),
		}); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("packet socket: %w", err)
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, buffer.Bytes(), 0, &unix.SockaddrLinklayer{Ifindex: device.Index})
}

// Announce sends a gratuitous ARP request for an address from eth0 of a box.
func Announce(ctx context.Context, box *nsbox.Box, address netip.Addr) error {
	_, err := box.Exec(ctx, nsbox.Applet("announce", "eth0", address.String())...)
	return err
}

// TakeVIP gives the VM a further address and announces it, as keepalived does with a virtual address that it takes over.
func (vm *VM) TakeVIP(ctx context.Context, address netip.Addr) error {
	if err := ip(ctx, vm.Box, fmt.Sprintf("addr add %s/32 dev eth0\n", address)); err != nil {
		return err
	}
	return Announce(ctx, vm.Box, address)
}

// DropVIP takes the address away again.
func (vm *VM) DropVIP(ctx context.Context, address netip.Addr) error {
	return ip(ctx, vm.Box, fmt.Sprintf("addr del %s/32 dev eth0\n", address))
}
