package kernel

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What the kernel does with a packet that comes into a namespace.
const (
	RouteForward = "forward"
	RouteLocal   = "local"
	RouteDrop    = "drop"
)

// Route is what the kernel does with a packet that comes into a namespace.
type Route struct {
	// Kind is RouteForward, RouteLocal (the packet is for the namespace itself) or RouteDrop.
	Kind string
	// Message says why it is dropped.
	Message string
	// Device is what it leaves by, with its MAC; Via is the next hop, and Neighbour the next hop's MAC, if it is known.
	Device, DeviceMAC string
	Via               netip.Addr
	Neighbour         string
	// NeighbourState is as "ip neigh" prints it; NONE: there is no entry.
	NeighbourState string
	Table          uint32
}

// Route asks the kernel what it would do with a packet that came in by a device. Whatever has been tried in vain, such as a
// namespace's missing device, is an answer too; the error is that there is none.
func (n *Namespace) Route(device string, src, dst netip.Addr) (Route, error) {
	drop := func(format string, args ...any) (Route, error) {
		return Route{Kind: RouteDrop, Message: fmt.Sprintf(format, args...)}, nil
	}
	in, err := n.handle.LinkByName(device)
	var missing netlink.LinkNotFoundError
	switch {
	case errors.As(err, &missing):
		return drop("it has no device %s", device)
	case err != nil:
		return Route{}, fmt.Errorf("device %s: %w", device, err)
	case in.Attrs().RawFlags&unix.IFF_UP == 0:
		return drop("its device %s is down", device)
	}
	routes, err := n.handle.RouteGetWithOptions(dst.AsSlice(), &netlink.RouteGetOptions{IifIndex: in.Attrs().Index, SrcAddr: src.AsSlice()})
	var errno unix.Errno
	switch {
	case errors.As(err, &errno) && refusals[errno] != "":
		return drop("%s", refusals[errno])
	case err != nil:
		return Route{}, fmt.Errorf("route to %v: %w", dst, err)
	case len(routes) == 0:
		return drop("there is no route to %v", dst)
	}
	r := routes[0]
	out := Route{Kind: RouteForward, Table: uint32(r.Table), Via: dst}
	switch r.Type {
	case unix.RTN_UNICAST:
	case unix.RTN_LOCAL:
		out.Kind = RouteLocal
		return out, nil
	default:
		return drop("the route to %v is of type %d, which forwards nothing", dst, r.Type)
	}
	if via, ok := netip.AddrFromSlice(r.Gw); ok {
		out.Via = via.Unmap()
	} else if v, ok := r.Via.(*netlink.Via); ok {
		if via, ok := netip.AddrFromSlice(v.Addr); ok {
			out.Via = via.Unmap()
		}
	}
	l, err := n.handle.LinkByIndex(r.LinkIndex)
	if err != nil {
		return Route{}, fmt.Errorf("device %d of the route to %v: %w", r.LinkIndex, dst, err)
	}
	out.Device, out.DeviceMAC = l.Attrs().Name, l.Attrs().HardwareAddr.String()
	if l.Attrs().RawFlags&unix.IFF_UP == 0 {
		return drop("the route leads to device %s, which is down", out.Device)
	}
	out.Neighbour, out.NeighbourState, err = n.neighbour(l, out.Via)
	return out, err
}

// refusals are the errors by which the kernel says that a packet goes nowhere (net/ipv4/route.c, ip_route_input_slow;
// fib_validate_source).
var refusals = map[unix.Errno]string{
	unix.ENETUNREACH:  "there is no route to the destination",
	unix.EHOSTUNREACH: "the kernel does not forward what comes in by this device, or the route says unreachable",
	unix.EACCES:       "the route prohibits it",
	unix.EINVAL:       "the route is a black hole, or the kernel takes no packet with this source from this device",
	unix.EXDEV:        "the source address belongs to another device (rp_filter)",
}

// neighbour is what the kernel knows of the MAC of a next hop.
func (n *Namespace) neighbour(l netlink.Link, via netip.Addr) (mac, state string, err error) {
	family := netlink.FAMILY_V4
	if via.Is6() {
		family = netlink.FAMILY_V6
	}
	neighs, err := list(func() ([]netlink.Neigh, error) { return n.handle.NeighList(l.Attrs().Index, family) })
	if err != nil {
		return "", "", fmt.Errorf("neighbours of %s: %w", l.Attrs().Name, err)
	}
	for _, e := range neighs {
		if a, ok := netip.AddrFromSlice(e.IP); !ok || a.Unmap() != via {
			continue
		}
		state = neighbourStates[e.State]
		if state == "" {
			state = fmt.Sprintf("0x%x", e.State)
		}
		if e.State&(netlink.NUD_INCOMPLETE|netlink.NUD_FAILED) != 0 {
			return "", state, nil
		}
		return e.HardwareAddr.String(), state, nil
	}
	return "", "NONE", nil
}

var neighbourStates = map[int]string{
	netlink.NUD_NONE: "NONE", netlink.NUD_INCOMPLETE: "INCOMPLETE", netlink.NUD_REACHABLE: "REACHABLE", netlink.NUD_STALE: "STALE", netlink.NUD_DELAY: "DELAY",
	netlink.NUD_PROBE: "PROBE", netlink.NUD_FAILED: "FAILED", netlink.NUD_NOARP: "NOARP", netlink.NUD_PERMANENT: "PERMANENT",
}
