package kernel

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tcpListen is the state of a socket that waits for connections (net/tcp_states.h).
const tcpListen = 10

// Listens says whether somebody listens at a TCP address in the namespace: ":9697" for any of its addresses, or
// "169.254.169.254:80".
func (n *Namespace) Listens(addr string) (bool, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return false, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return false, err
	}
	want, _ := netip.ParseAddr(host)
	found := false
	err = n.Do(func() error {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			sockets, err := list(func() ([]*netlink.Socket, error) { return netlink.SocketDiagTCP(family) })
			if err != nil {
				return err
			}
			for _, s := range sockets {
				at, _ := netip.AddrFromSlice(s.ID.Source)
				if s.State == tcpListen && s.ID.SourcePort == uint16(port) && (!want.IsValid() || at.Unmap() == want || at.IsUnspecified()) {
					found = true
				}
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("sockets in %s: %w", n.name, err)
	}
	return found, nil
}
