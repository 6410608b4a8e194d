package kernel

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// makeLink makes a pair, with this end inside, or takes this end from where it is. It is all right if it is here.
func (n *Namespace) makeLink(l plan.Link) error {
	if l.Tap.Name == "" {
		return n.makePair(l)
	}
	old, err := n.host.root.LinkByName(l.Tap.Name)
	switch {
	case err == nil:
		moved, err := n.take(l, old)
		if err != nil {
			return err
		}
		if moved {
			return n.changeLink(l)
		}
	case ignore(err, unix.ENODEV) != nil:
		return fmt.Errorf("%s: %w", l.Tap.Name, err)
	}
	if err := n.addVeth(l, n.host.home, l.Tap.Name); err != nil {
		return err
	}
	return n.changeLink(l)
}

func (n *Namespace) addVeth(l plan.Link, other netns.NsHandle, peer string) error {
	mac, err := net.ParseMAC(l.MAC)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr, attrs.MTU = l.Name, mac, int(l.MTU)
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerNamespace, veth.PeerMTU = peer, netlink.NsFd(other), l.MTU
	if err := n.handle.LinkAdd(veth); err != nil {
		return fmt.Errorf("make %s and %s: %w", l.Name, peer, err)
	}
	return nil
}

// makePair makes a pair whose other end is in another namespace of ours.
func (n *Namespace) makePair(l plan.Link) error {
	p, err := n.host.Open(l.Peer.Namespace)
	if err != nil {
		return fmt.Errorf("%w for namespace %s: %w", ErrWaiting, l.Peer.Namespace, err)
	}
	defer p.Close()
	// One that is left over, because its namespace was deleted and made again, is of no use.
	for _, x := range []struct {
		h    *netlink.Handle
		name string
	}{{p.handle, l.Peer.Name}, {n.handle, l.Name}} {
		if old, err := x.h.LinkByName(x.name); err == nil {
			if err := ignore(x.h.LinkDel(old), unix.ENODEV); err != nil {
				return fmt.Errorf("delete old %s: %w", x.name, err)
			}
		}
	}
	if err := n.addVeth(l, p.ns, l.Peer.Name); err != nil {
		return err
	}
	return n.changeLink(l)
}

// take deals with a tap that is there: its other end is brought here from the namespace of ours that it is in, if that can
// be found. A tap of ours whose other end is nowhere is deleted. moved says that the device is here now.
func (n *Namespace) take(l plan.Link, old netlink.Link) (moved bool, err error) {
	from, inner, err := n.host.find(old)
	if err != nil {
		return false, err
	}
	if inner == nil {
		if a := old.Attrs().Alias; old.Type() != "veth" || a != mark+" "+l.Tap.PortID {
			return false, fmt.Errorf("%w: there is a device %s already, of type %s and with the alias %q, that is not ours; remove or rename it", ErrTaken, l.Tap.Name, old.Type(), a)
		}
		if err := ignore(n.host.root.LinkDel(old), unix.ENODEV); err != nil {
			return false, fmt.Errorf("delete %s, whose other end is nowhere: %w", l.Tap.Name, err)
		}
		return false, nil
	}
	defer from.Close()
	if from.ns.Equal(n.ns) && inner.Attrs().Name == l.Name {
		return true, nil
	}
	// Down, it may be renamed; with it go its addresses and routes.
	if err := from.handle.LinkSetDown(inner); err != nil {
		return false, fmt.Errorf("take %s from %s: %w", inner.Attrs().Name, from.name, err)
	}
	if inner.Attrs().Name != l.Name {
		if err := from.handle.LinkSetName(inner, l.Name); err != nil {
			return false, fmt.Errorf("rename %s in %s: %w", inner.Attrs().Name, from.name, err)
		}
	}
	if !from.ns.Equal(n.ns) {
		if err := from.handle.LinkSetNsFd(inner, int(n.ns)); err != nil {
			return false, fmt.Errorf("take %s from %s: %w", l.Name, from.name, err)
		}
	}
	return true, nil
}

// find finds the namespace of ours that has the other end of a tap.
func (h *Host) find(t netlink.Link) (*Namespace, netlink.Link, error) {
	names, err := h.List()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		ns, err := h.Open(name)
		if err != nil {
			continue // then it is not there
		}
		if id, err := h.root.GetNetNsIdByFd(int(ns.ns)); err == nil && id >= 0 && id == t.Attrs().NetNsID {
			if inner, err := ns.handle.LinkByIndex(t.Attrs().ParentIndex); err == nil && plan.OurDevice(inner.Attrs().Name) {
				return ns, inner, nil
			}
		}
		if err := ns.Close(); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, nil
}

// changeLink sets MAC and MTU where they are given, and everything else.
func (n *Namespace) changeLink(l plan.Link) error {
	link, err := n.handle.LinkByName(l.Name)
	if err != nil {
		return fmt.Errorf("%s: %w", l.Name, err)
	}
	if l.MAC != "" {
		mac, err := net.ParseMAC(l.MAC)
		if err == nil && mac.String() != link.Attrs().HardwareAddr.String() {
			err = n.handle.LinkSetHardwareAddr(link, mac)
		}
		if err != nil {
			return fmt.Errorf("address of %s: %w", l.Name, err)
		}
	}
	if l.MTU != 0 {
		if err := n.handle.LinkSetMTU(link, int(l.MTU)); err != nil {
			return fmt.Errorf("mtu of %s: %w", l.Name, err)
		}
	}
	if l.Tap.Name != "" {
		if err := n.Do(func() error { return setOffload(l.Name, l.Offload) }); err != nil {
			return fmt.Errorf("offload of %s: %w", l.Name, err)
		}
		if err := n.host.changeTap(l.Tap); err != nil {
			return err
		}
	}
	if l.Up {
		if err := n.handle.LinkSetUp(link); err != nil {
			return fmt.Errorf("%s up: %w", l.Name, err)
		}
	}
	return nil
}

func (h *Host) changeTap(t plan.TapEnd) error {
	link, err := h.root.LinkByName(t.Name)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	if alias := mark + " " + t.PortID; link.Attrs().Alias != alias {
		err = h.root.LinkSetAlias(link, alias)
	}
	if err == nil && link.Attrs().MTU != int(t.MTU) {
		err = h.root.LinkSetMTU(link, int(t.MTU))
	}
	if err == nil && t.Up {
		err = h.root.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return nil
}
