package kernel

import (
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

func (o *observation) links() error {
	links, err := list(o.n.handle.LinkList)
	if err != nil {
		return err
	}
	for _, l := range links {
		a := l.Attrs()
		if a.Name != "lo" && !plan.OurDevice(a.Name) {
			o.foreign(plan.SectionLink, a.Name+" "+l.Type())
			continue
		}
		o.names[a.Index] = a.Name
		o.up[a.Name] = a.Flags&net.FlagUp != 0
		x := plan.Link{Name: a.Name, MAC: a.HardwareAddr.String(), MTU: uint32(a.MTU), Up: a.Flags&net.FlagUp != 0}
		if a.Name == "lo" {
			x.MAC = "00:00:00:00:00:00"
		} else if err := o.otherEnd(a, &x); err != nil {
			return err
		}
		o.have.Links = append(o.have.Links, x)
	}
	return nil
}

// otherEnd finds out what is at the other end of a pair.
func (o *observation) otherEnd(a *netlink.LinkAttrs, x *plan.Link) error {
	if a.ParentIndex == 0 || a.NetNsID < 0 {
		return nil
	}
	if o.n.hostID < 0 {
		id, err := o.n.handle.GetNetNsIdByFd(int(o.n.host.home))
		if err != nil {
			return err
		}
		o.n.hostID = id // it never changes once there is one
	}
	if a.NetNsID == o.n.hostID {
		t, err := o.n.host.root.LinkByIndex(a.ParentIndex)
		if err != nil {
			return ignore(err, unix.ENODEV)
		}
		portID, _ := strings.CutPrefix(t.Attrs().Alias, mark+" ")
		x.Tap = plan.TapEnd{Name: t.Attrs().Name, PortID: portID, MTU: uint32(t.Attrs().MTU), Up: t.Attrs().Flags&net.FlagUp != 0}
		return nil
	}
	for _, w := range o.want.Links {
		if w.Name == a.Name && w.Peer.Namespace != "" {
			return o.peer(a, w.Peer.Namespace, x)
		}
	}
	return nil
}

// peer looks whether the other end is in another namespace of ours.
func (o *observation) peer(a *netlink.LinkAttrs, namespace string, x *plan.Link) error {
	p, err := o.n.host.Open(namespace)
	if err != nil {
		return nil // then it is somewhere else
	}
	defer p.Close()
	id, err := o.n.handle.GetNetNsIdByFd(int(p.ns))
	if err != nil || id != a.NetNsID {
		return err
	}
	other, err := p.handle.LinkByIndex(a.ParentIndex)
	if err != nil {
		return ignore(err, unix.ENODEV)
	}
	x.Peer = plan.Peer{Namespace: namespace, Name: other.Attrs().Name}
	return nil
}

func ignore(err error, codes ...unix.Errno) error {
	var missing netlink.LinkNotFoundError
	for _, c := range codes {
		if errors.Is(err, c) || (c == unix.ENODEV && errors.As(err, &missing)) {
			return nil
		}
	}
	return err
}

func (o *observation) addresses() error {
	addrs, err := list(func() ([]netlink.Addr, error) { return o.n.handle.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return err
	}
	for _, a := range addrs {
		p := prefixOf(a.IPNet)
		name := o.names[a.LinkIndex]
		switch {
		case p.Addr().IsLinkLocalUnicast() && p.Addr().Is6(), name == "lo" && p.Addr().IsLoopback():
		case name == "" || name == "lo":
			o.foreign(plan.SectionAddress, p.String()+" dev "+o.deviceName(a.LinkIndex))
		default:
			o.have.Addresses = append(o.have.Addresses, plan.Address{Dev: name, Prefix: p})
		}
	}
	return nil
}

// deviceName is that of any device, for people.
func (o *observation) deviceName(index int) string {
	if name := o.names[index]; name != "" {
		return name
	}
	if l, err := o.n.handle.LinkByIndex(index); err == nil {
		return l.Attrs().Name
	}
	return "?"
}

func prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	a, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(a.Unmap(), bits)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
