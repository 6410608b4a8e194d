package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// ErrWaiting: the other end of a pair is to be in a namespace that is not there yet.
var ErrWaiting = errors.New("waiting")

// Failure is a step that failed.
type Failure struct {
	Step plan.Step
	Err  error
}

func (f Failure) Error() string {
	if judges(f.Step) {
		return f.Err.Error() // it names the program, and the line
	}
	return f.Step.String() + ": " + f.Err.Error()
}

// Unwrap gives why.
func (f Failure) Unwrap() error { return f.Err }

// Apply carries out steps, one after the other. A step that fails does not stop the others, except those on a device
// that could not be made, and everything after a failed change of iptables: nothing may bring traffic whose addresses
// would not be translated. plan.Announce is not its business; see Announce.
//
// linked, if not nil, is told of the failures so far as soon as no more devices are to be made, if any were: what else the
// host does with them need not wait for the rest.
func (n *Namespace) Apply(ctx context.Context, steps []plan.Step, linked func([]Failure)) []Failure {
	a := &application{n: n, ctx: ctx, index: map[string]int{}, broken: map[string]bool{}, tracked: tracked{n: n}}
	last := lastLink(steps)
	for i := 0; i < len(steps); i++ {
		if last >= 0 && i > last && linked != nil {
			linked(a.failures)
			linked = nil
		}
		if err := ctx.Err(); err != nil {
			return append(a.failures, Failure{steps[i], err})
		}
		if a.skips(steps[i]) {
			continue
		}
		if s, ok := steps[i].(plan.SetSysctl); ok {
			// Those that follow each other are written in one go.
			i += a.sysctls(append([]plan.SetSysctl{s}, following(steps[i+1:])...)) - 1
			if a.n.name == plan.Home && len(a.failures) > 0 {
				break // nobody would judge what a bridge passes
			}
			continue
		}
		if _, ok := steps[i].(plan.Restore); ok {
			done, ok := a.restores(steps[i:])
			if !ok {
				break
			}
			i += done - 1
			continue
		}
		if err := a.step(steps[i]); err != nil {
			a.failures = append(a.failures, Failure{steps[i], err})
			if judges(steps[i]) {
				break
			}
		}
	}
	return a.failures
}

// restores changes iptables by the first of some steps, and of both families at the same time when they follow each other.
// It answers how many steps that were, and whether all of it is done.
func (a *application) restores(steps []plan.Step) (n int, ok bool) {
	var both []plan.Restore
	for _, s := range steps {
		r, is := s.(plan.Restore)
		if !is || len(both) > 0 && r.IPv6 == both[0].IPv6 {
			break
		}
		both = append(both, r)
	}
	errs := make([]error, len(both))
	var g sync.WaitGroup
	for i, r := range both {
		g.Go(func() { errs[i] = a.n.restore(a.ctx, r) })
	}
	g.Wait()
	ok = true
	for i, err := range errs {
		if err != nil {
			a.failures, ok = append(a.failures, Failure{both[i], err}), false
		}
	}
	return len(both), ok
}

// lastLink is where the last device is made; -1 when none is.
func lastLink(steps []plan.Step) int {
	for i, s := range slices.Backward(steps) {
		if _, ok := s.(plan.MakeLink); ok {
			return i
		}
	}
	return -1
}

// judges says whether a step changes what judges packets, or translates their addresses.
func judges(s plan.Step) bool {
	switch s.(type) {
	case plan.Restore, plan.RestoreEthernet, plan.RestoreSets:
		return true
	}
	return false
}

type application struct {
	n        *Namespace
	ctx      context.Context
	failures []Failure
	index    map[string]int
	// broken are devices that could not be made.
	broken  map[string]bool
	tracked tracked
}

func following(steps []plan.Step) []plan.SetSysctl {
	var out []plan.SetSysctl
	for _, s := range steps {
		x, ok := s.(plan.SetSysctl)
		if !ok {
			break
		}
		out = append(out, x)
	}
	return out
}

func (a *application) sysctls(list []plan.SetSysctl) int {
	err := a.n.Do(func() error {
		for _, s := range list {
			if len(a.broken) > 0 && a.broken[plan.SysctlDevice(s.Key)] {
				continue
			}
			err := writeSysctl(s.Key, s.Value)
			if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(s.Key, "net/bridge/") {
				err = fmt.Errorf("%w: this kernel does not show iptables what bridges pass; load its module br_netfilter", err)
			}
			if err != nil {
				a.failures = append(a.failures, Failure{s, err})
			}
		}
		return nil
	})
	if err != nil {
		a.failures = append(a.failures, Failure{list[0], err})
	}
	return len(list)
}

// skips says whether a step is about a device that could not be made.
func (a *application) skips(s plan.Step) bool {
	if len(a.broken) == 0 {
		return false
	}
	switch s := s.(type) {
	case plan.AddAddress:
		return a.broken[s.Dev]
	case plan.PutNeighbour:
		return a.broken[s.Dev]
	case plan.PutRoute:
		for _, h := range s.Hops {
			if a.broken[h.Dev] {
				return true
			}
		}
	}
	return false
}

func (a *application) step(s plan.Step) error {
	h := a.n.handle
	switch s := s.(type) {
	case plan.MakeLink:
		delete(a.index, s.Name)
		err := a.n.makeLink(s.Link)
		a.broken[s.Name] = err != nil
		return err
	case plan.ChangeLink:
		return a.n.changeLink(s.Link)
	case plan.StopLink:
		l, err := h.LinkByName(s.Name)
		if err == nil {
			err = h.LinkSetDown(l)
		}
		return ignore(err, unix.ENODEV)
	case plan.DeleteLink:
		delete(a.index, s.Name)
		l, err := h.LinkByName(s.Name)
		if err == nil {
			err = h.LinkDel(l)
		}
		return ignore(err, unix.ENODEV)
	case plan.AddAddress, plan.DeleteAddress, plan.PutNeighbour, plan.DeleteNeighbour, plan.PutRoute, plan.DeleteRoute:
		return a.onDevice(s)
	case plan.AddRule:
		return ignore(h.RuleAdd(rule(s.Rule)), unix.EEXIST)
	case plan.DeleteRule:
		return ignore(h.RuleDel(rule(s.Rule)), unix.ENOENT)
	case plan.Restore:
		return a.n.restore(a.ctx, s)
	case plan.RestoreEthernet:
		return a.n.feed(a.ctx, s.Text, "ebtables-restore", "--noflush")
	case plan.RestoreSets:
		return a.n.feed(a.ctx, s.Text, "ipset", "restore")
	case plan.DestroySets:
		return a.n.destroySets(a.ctx, s.Names)
	case plan.Forget:
		return a.n.forget(s.Flows)
	case plan.ForgetZones:
		return a.n.forgetZones(s.Zones)
	case plan.CopyConnections:
		return a.copyConnections(s.Bridge)
	case plan.TeachConnections:
		return a.n.teach(a.ctx, s.Bridges)
	case plan.MakeBridge:
		return a.n.makeBridge(s.Bridge)
	case plan.ChangeBridge:
		return a.n.makeBridge(s.Bridge)
	case plan.DeleteBridge:
		return a.n.deleteBridge(s.Bridge)
	case plan.TakeTap:
		return a.n.takeTap(s.Bridge, s.Tap)
	case plan.ReleaseTap:
		return a.n.releaseTap(s.Tap)
	case plan.Announce:
		return nil
	}
	return fmt.Errorf("%T is no step that this package knows", s)
}

// dev is the index of a device.
func (a *application) dev(name string) (int, error) {
	if i, ok := a.index[name]; ok {
		return i, nil
	}
	l, err := a.n.handle.LinkByName(name)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	a.index[name] = l.Attrs().Index
	return l.Attrs().Index, nil
}

func (a *application) onDevice(s plan.Step) error {
	h := a.n.handle
	switch s := s.(type) {
	case plan.AddAddress:
		i, err := a.dev(s.Dev)
		if err != nil {
			return err
		}
		err = h.AddrAdd(onlyIndex(i), address(s.Address))
		if errors.Is(err, unix.EEXIST) { // it is there without its routes, or somebody was quicker
			err = errors.Join(ignore(h.AddrDel(onlyIndex(i), address(s.Address)), unix.EADDRNOTAVAIL), h.AddrAdd(onlyIndex(i), address(s.Address)))
		}
		return err
	case plan.DeleteAddress:
		i, err := a.dev(s.Dev)
		if err == nil {
			err = h.AddrDel(onlyIndex(i), address(s.Address))
		}
		return ignore(err, unix.ENODEV, unix.EADDRNOTAVAIL)
	case plan.PutNeighbour:
		i, err := a.dev(s.Dev)
		if err != nil {
			return err
		}
		return h.NeighSet(neighbour(i, s.Neighbour))
	case plan.DeleteNeighbour:
		i, err := a.dev(s.Dev)
		if err == nil {
			err = h.NeighDel(neighbour(i, s.Neighbour))
		}
		return ignore(err, unix.ENODEV, unix.ENOENT)
	case plan.PutRoute:
		r, err := a.route(s.TableRoute)
		if err != nil {
			return err
		}
		return h.RouteReplace(r)
	case plan.DeleteRoute:
		r, err := a.route(s.TableRoute)
		if err == nil {
			err = h.RouteDel(r)
		}
		return ignore(err, unix.ENODEV, unix.ESRCH)
	}
	return nil
}

// onlyIndex is a link of which nothing but the index is needed.
func onlyIndex(i int) netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: i}}
}

func address(a plan.Address) *netlink.Addr {
	out := &netlink.Addr{IPNet: ipNet(a.Prefix)}
	if a.Prefix.Addr().Is6() {
		out.Flags = unix.IFA_F_NODAD
	}
	return out
}

func neighbour(index int, n plan.Neighbour) *netlink.Neigh {
	mac, _ := net.ParseMAC(n.MAC)
	family := netlink.FAMILY_V4
	if n.IP.Is6() {
		family = netlink.FAMILY_V6
	}
	return &netlink.Neigh{LinkIndex: index, Family: family, State: netlink.NUD_PERMANENT, Type: unix.RTN_UNICAST, IP: n.IP.AsSlice(), HardwareAddr: mac}
}

func rule(r plan.Rule) *netlink.Rule {
	out := netlink.NewRule()
	out.Priority, out.Table, out.IifName, out.Family = int(r.Priority), int(r.Table), r.IIF, netlink.FAMILY_V4
	if r.From.IsValid() {
		out.Src = ipNet(r.From) // with the bits of the host: they say which gateway it is of
	}
	if r.IPv6 {
		out.Family = netlink.FAMILY_V6
	}
	return out
}

func (a *application) route(t plan.TableRoute) (*netlink.Route, error) {
	r := &netlink.Route{Table: int(t.Table), Dst: ipNet(t.Destination), Protocol: unix.RTPROT_STATIC, Type: unix.RTN_UNICAST, Src: slice(t.Src)}
	if t.Connected {
		r.Protocol, r.Scope = unix.RTPROT_KERNEL, netlink.SCOPE_LINK
		if t.Destination.Addr().Is6() {
			r.Priority, r.Scope = 256, netlink.SCOPE_UNIVERSE // as the kernel makes it
		}
	}
	for _, h := range t.Hops {
		i, err := a.dev(h.Dev)
		if err != nil {
			return nil, err
		}
		flags := 0
		if h.OnLink {
			flags = unix.RTNH_F_ONLINK
		}
		if len(t.Hops) == 1 {
			r.LinkIndex, r.Gw, r.Flags = i, slice(h.Via), flags
			if !h.Via.IsValid() && t.Destination.Addr().Is4() {
				r.Scope = netlink.SCOPE_LINK
			}
			break
		}
		r.MultiPath = append(r.MultiPath, &netlink.NexthopInfo{LinkIndex: i, Gw: slice(h.Via), Flags: flags})
	}
	return r, nil
}

func slice(a netip.Addr) net.IP {
	if !a.IsValid() {
		return nil
	}
	return a.AsSlice()
}
