package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Announce tells the links once who has which address: a gratuitous ARP request for each IPv4 address (RFC 5227, section
// 3), and an unsolicited neighbour advertisement for each IPv6 address (RFC 4861, section 7.2.6). It also asks again for the
// neighbours there whom packets wait for.
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
		frames, err := n.questions(l)
		if err != nil {
			errs = append(errs, fmt.Errorf("neighbours on %s: %w", a.Dev, err))
		}
		for _, ip := range a.Addresses {
			frame, err := announcement(l.Attrs().HardwareAddr, ip)
			if err != nil {
				return fmt.Errorf("announce %v on %s: %w", ip, a.Dev, err)
			}
			frames = append(frames, frame)
		}
		for _, frame := range frames {
			if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: l.Attrs().Index}); err != nil && !errors.Is(err, unix.ENETDOWN) {
				errs = append(errs, fmt.Errorf("announce on %s: %w", a.Dev, err))
				break
			}
		}
	}
	return errors.Join(errs...)
}

func announcement(mac net.HardwareAddr, ip netip.Addr) ([]byte, error) {
	if ip.Is4() {
		return arpRequest(mac, ip, ip)
	}
	const router, override = 0x80, 0x20
	return discovery(mac, net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, ip.AsSlice(), net.IPv6linklocalallnodes, layers.ICMPv6TypeNeighborAdvertisement,
		&layers.ICMPv6NeighborAdvertisement{Flags: router | override, TargetAddress: ip.AsSlice(),
			Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: mac}}})
}
