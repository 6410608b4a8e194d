package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Home opens the host's own namespace: firewall bridges are there, and what judges on them.
func (h *Host) Home() (*Namespace, error) {
	fd, err := unix.FcntlInt(uintptr(h.home), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("own network namespace: %w", err)
	}
	n, err := h.open(plan.Home, netns.NsHandle(fd))
	if err != nil {
		return nil, err
	}
	n.ours = true
	return n, nil
}

// observeHome looks at what is ours in the host's own namespace, and at nothing else.
func (n *Namespace) observeHome(ctx context.Context, want plan.Namespace) (plan.Namespace, error) {
	o := n.observation(want)
	err := n.bridges(&o.have, true)
	if err == nil {
		err = n.Do(func() error {
			if _, err := os.Stat("/proc/sys/net/ipv6"); errors.Is(err, fs.ErrNotExist) {
				o.have.NoIPv6 = true
			}
			for key := range want.Sysctls {
				if v, ok := readSysctl(key); ok {
					o.have.Sysctls[key] = v
				}
			}
			if n.host.countsRules() {
				o.generation, _ = ruleGeneration() // unknown, they are looked at
			}
			return nil
		})
	}
	if err == nil {
		err = o.iptables(ctx)
	}
	if err == nil {
		o.have.Sets, err = n.sets(ctx, want)
	}
	o.have.Foreign = nil // the host's own affair
	if err != nil {
		return o.have, fmt.Errorf("observe %s: %w", n.name, err)
	}
	return o.have, nil
}

// sets looks at the sets of ours. A host without the program, and with none to be had, has none.
func (n *Namespace) sets(ctx context.Context, want plan.Namespace) (map[string]plan.Set, error) {
	text, err := n.run(ctx, "", "ipset", "save")
	if errors.Is(err, ErrNoCommand) && len(want.Sets) == 0 {
		return nil, nil
	}
	return plan.ParseSets(text), err
}

// destroySets takes sets away. The kernel lets go of them some time after the rules that named them are gone.
func (n *Namespace) destroySets(ctx context.Context, names []string) error {
	for _, name := range names {
		for i := 0; ; i++ {
			_, err := n.run(ctx, "", "ipset", "destroy", name)
			if err == nil {
				break
			}
			if i == 20 || ctx.Err() != nil {
				return err
			}
			time.Sleep(25 * time.Millisecond)
		}
	}
	return nil
}

// run runs a command inside, to its end.
func (n *Namespace) run(ctx context.Context, stdin string, argv ...string) (string, error) {
	c, err := n.start(ctx, stdin, argv...)
	if err != nil {
		return "", err
	}
	return c.wait()
}

// Bridges looks at the devices of the host's own namespace, and takes it that the settings of bridges are as they were left: to
// read them takes longer than all else, and that somebody changes one is found by Observe, as it is with all sysctls.
func (n *Namespace) Bridges(have *plan.Namespace) error { return n.bridges(have, false) }

func (n *Namespace) bridges(have *plan.Namespace, settings bool) error {
	links, err := list(n.handle.LinkList)
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	names := make(map[int]string, len(links))
	byName := make(map[string]netlink.Link, len(links))
	for _, l := range links {
		names[l.Attrs().Index], byName[l.Attrs().Name] = l.Attrs().Name, l
	}
	have.Devices, have.Bridges = make(map[string]string, len(links)), nil
	inside := map[string][]string{}
	for _, l := range links {
		master := names[l.Attrs().MasterIndex]
		have.Devices[l.Attrs().Name] = master
		inside[master] = append(inside[master], l.Attrs().Name)
	}
	for _, l := range links {
		b, is := l.(*netlink.Bridge)
		if !is || !plan.FirewallDevice(b.Name) {
			continue
		}
		x := plan.Bridge{Name: b.Name, MTU: uint32(b.MTU)}
		if words := strings.Fields(b.Alias); len(words) == 3 && words[0] == mark {
			x.Ours, x.PortID, x.Machine = true, words[1], words[2]
		}
		for _, name := range inside[b.Name] {
			if name != plan.InnerOfBridge(b.Name) {
				x.Taps = append(x.Taps, name)
			}
		}
		slices.Sort(x.Taps)
		if x.Ours {
			x.Right = right(b, byName)
		}
		have.Bridges = append(have.Bridges, x)
	}
	if !settings {
		return nil
	}
	return n.Do(func() error {
		for i := range have.Bridges {
			if x := &have.Bridges[i]; x.Right {
				if x.Right, err = set(x.Name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// right says whether a bridge of ours and its pair are put together as we make them.
func right(b *netlink.Bridge, byName map[string]netlink.Link) bool {
	up := func(l netlink.Link) bool { return l.Attrs().Flags&net.FlagUp != 0 }
	inner, outer := byName[plan.InnerOfBridge(b.Name)], byName[plan.OuterOfBridge(b.Name)]
	return inner != nil && outer != nil && up(b) && up(inner) && up(outer) && inner.Attrs().MasterIndex == b.Index && inner.Attrs().ParentIndex == outer.Attrs().Index &&
		inner.Attrs().MTU == b.MTU && outer.Attrs().MTU == b.MTU && b.AgeingTime != nil && *b.AgeingTime == 0 && b.MulticastSnooping != nil && !*b.MulticastSnooping
}

// set says whether the settings of a bridge and its pair are as we make them, in the namespace of this thread.
func set(bridge string) (ok bool, err error) {
	for _, name := range []string{plan.InnerOfBridge(bridge), plan.OuterOfBridge(bridge)} {
		if on, err := offload(name); err != nil || on {
			return false, ignore(err, unix.ENODEV)
		}
	}
	for _, s := range quiet(bridge) {
		if v, there := readSysctl(s.Key); there && v != s.Value {
			return false, nil
		}
	}
	return true, nil
}

// quiet are the settings by which the host neither speaks nor answers on a bridge and its pair.
func quiet(bridge string) []plan.SetSysctl {
	var out []plan.SetSysctl
	for _, dev := range []string{bridge, plan.InnerOfBridge(bridge), plan.OuterOfBridge(bridge)} {
		out = append(out, plan.SetSysctl{Key: "net/ipv6/conf/" + dev + "/disable_ipv6", Value: "1"}, plan.SetSysctl{Key: "net/ipv4/conf/" + dev + "/arp_ignore", Value: "8"})
	}
	return out
}

// makeBridge makes a bridge and its pair, and takes over what is there of them.
func (n *Namespace) makeBridge(b plan.Bridge) error {
	h := n.handle
	link, err := h.LinkByName(b.Name)
	if ignore(err, unix.ENODEV) != nil {
		return fmt.Errorf("%s: %w", b.Name, err)
	}
	if err != nil {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = b.Name, int(b.MTU)
		off, never := false, uint32(0)
		if err := h.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off, AgeingTime: &never}); err != nil {
			return fmt.Errorf("make %s: %w", b.Name, err)
		}
		if link, err = h.LinkByName(b.Name); err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	if _, is := link.(*netlink.Bridge); !is {
		return fmt.Errorf("%w: %s is a device of type %s; remove or rename it", ErrTaken, b.Name, link.Type())
	}
	inner, outer := plan.InnerOfBridge(b.Name), plan.OuterOfBridge(b.Name)
	if err := n.pair(b, inner, outer); err != nil {
		return err
	}
	if err := setBridge(link.Attrs().Index, n); err != nil {
		return fmt.Errorf("settings of %s: %w", b.Name, err)
	}
	err = n.Do(func() error {
		for _, s := range quiet(b.Name) {
			if err := writeSysctl(s.Key, s.Value); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return errors.Join(setOffload(inner, false), setOffload(outer, false))
	})
	if err != nil {
		return fmt.Errorf("settings of %s: %w", b.Name, err)
	}
	for _, name := range []string{inner, outer, b.Name} {
		l, err := h.LinkByName(name)
		if err == nil && l.Attrs().MTU != int(b.MTU) {
			err = h.LinkSetMTU(l, int(b.MTU))
		}
		if err == nil && name == inner && l.Attrs().MasterIndex != link.Attrs().Index {
			err = h.LinkSetMaster(l, link)
		}
		if err == nil {
			err = h.LinkSetUp(l)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if alias := strings.Join([]string{mark, b.PortID, b.Machine}, " "); link.Attrs().Alias != alias {
		if err := h.LinkSetAlias(link, alias); err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	return nil
}

// pair makes the pair, unless it is there.
func (n *Namespace) pair(b plan.Bridge, inner, outer string) error {
	in, err := n.handle.LinkByName(inner)
	out, err2 := n.handle.LinkByName(outer)
	if err == nil && err2 == nil && in.Attrs().ParentIndex == out.Attrs().Index {
		return nil
	}
	for _, l := range []netlink.Link{in, out} {
		if l != nil {
			if err := ignore(n.handle.LinkDel(l), unix.ENODEV); err != nil {
				return fmt.Errorf("delete old %s: %w", l.Attrs().Name, err)
			}
		}
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = inner, int(b.MTU)
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerMTU = outer, b.MTU
	if err := n.handle.LinkAdd(veth); err != nil {
		return fmt.Errorf("make %s and %s: %w", inner, outer, err)
	}
	return nil
}

// takeTap puts a machine's device into a bridge.
func (n *Namespace) takeTap(bridge, tap string) error {
	b, err := n.handle.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("%s: %w", bridge, err)
	}
	l, err := n.handle.LinkByName(tap)
	if err == nil {
		err = n.handle.LinkSetMaster(l, b)
	}
	if err == nil {
		err = n.handle.LinkSetUp(l)
	}
	if err != nil {
		return fmt.Errorf("put %s into %s: %w", tap, bridge, err)
	}
	return nil
}

func (n *Namespace) releaseTap(tap string) error {
	l, err := n.handle.LinkByName(tap)
	if err == nil {
		err = n.handle.LinkSetNoMaster(l)
	}
	return ignore(err, unix.ENODEV)
}

// deleteBridge deletes a bridge and its pair.
func (n *Namespace) deleteBridge(b plan.Bridge) error {
	var errs []error
	for _, name := range []string{plan.InnerOfBridge(b.Name), b.Name} {
		l, err := n.handle.LinkByName(name)
		if err == nil {
			err = n.handle.LinkDel(l)
		}
		errs = append(errs, ignore(err, unix.ENODEV))
	}
	return errors.Join(errs...)
}
