package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/test/frame"
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
	fd, index, err := packetSocket(args[0], 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	question := frame.Ethernet(device.HardwareAddr, frame.Broadcast, frame.TypeARP,
		frame.ARP(frame.ARPRequest, device.HardwareAddr, address, frame.Broadcast, address))
	return unix.Sendto(fd, question, 0, &unix.SockaddrLinklayer{Ifindex: index})
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
