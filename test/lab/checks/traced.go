package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Verdicts of a trace.
const (
	delivered = "DELIVERED"
	left      = "LEFT"
	dropped   = "DROPPED"
	unknown   = "UNKNOWN"
)

// trace follows a packet to a port of TCP by what hosts say.
func trace(ctx context.Context, s *cloud.Scope, from, to string, port uint16) (*weftv1.TraceResponse, error) {
	t, err := s.Diagnostics.Trace(ctx, &weftv1.TraceRequest{Source: from, Destination: to, Protocol: "tcp", DestinationPort: uint32(port)})
	if err != nil {
		return nil, fmt.Errorf("trace %s %s: %w", from, to, err)
	}
	return t, nil
}

// way is a trace in a few words.
func wayOf(t *weftv1.TraceResponse) string {
	var b strings.Builder
	for _, l := range t.GetLegs() {
		fmt.Fprintf(&b, "%s %s: %s %v; ", l.GetHost(), l.GetPlace(), l.GetText(), l.GetNotes())
	}
	return fmt.Sprintf("%s%s %s", b.String(), t.GetVerdict(), t.GetText())
}

// tracer compares traces with real packets.
type tracer struct {
	scope                   *cloud.Scope
	compared, arrived, legs int
}

// compare traces a packet and sends it. Server is who answers to where it arrives.
func (c *tracer) compare(ctx context.Context, from *lab.VM, to string, address netip.Addr, port uint16, server string) error {
	t, err := trace(ctx, c.scope, from.PortID, to, port)
	if err != nil {
		return err
	}
	g, err := lab.AskInVain(ctx, from.Box, "tcp", netip.AddrPortFrom(address, port))
	if err != nil && (t.GetVerdict() == delivered || t.GetVerdict() == left) {
		// On a busy machine the first packet may be lost.
		g, err = lab.Ask(ctx, from.Box, "tcp", netip.AddrPortFrom(address, port))
	}
	var exit *nsbox.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	c.compared++
	c.legs = max(c.legs, len(t.GetLegs()))
	reached := err == nil && g.Server == server
	says := t.GetVerdict() == delivered || t.GetVerdict() == left
	switch {
	case t.GetVerdict() == unknown:
		return fmt.Errorf("from %s to %s (%s): the trace does not know: %s", from.Name, to, address, wayOf(t))
	case reached != says:
		return fmt.Errorf("from %s to %s (%s), port %d: %s reached: %v (by %s, %v), and the trace says: %s", from.Name, to, address, port, server, reached, g.Server, err, wayOf(t))
	case !reached && t.GetNext() == "":
		return fmt.Errorf("from %s to %s (%s): it is dropped, and the trace tells no command to go on with: %s", from.Name, to, address, wayOf(t))
	case t.GetVerdict() == left && !strings.Contains(t.GetText(), fmt.Sprintf("from %v to", g.Caller.Addr())):
		return fmt.Errorf("from %s to %s: seen as %v there, and the trace says: %s", from.Name, address, g.Caller.Addr(), wayOf(t))
	}
	if reached {
		c.arrived++
	}
	for _, h := range t.GetHosts() {
		if !h.GetInSync() {
			return fmt.Errorf("from %s to %s: %s is not in sync", from.Name, to, h.GetHost())
		}
	}
	return nil
}

func (c *tracer) String() string {
	return fmt.Sprintf("%d traces compared with real packets, %d arrived; up to %d legs", c.compared, c.arrived, c.legs)
}

// tracedSite traces from each VM of a site to each other, to the floating IPs and to the world, and sends the packets.
func tracedSite(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	c := &tracer{scope: s}
	vms := map[string]*lab.VM{"apart": t.apart}
	for name, vm := range t.vm {
		vms[name] = vm
	}
	for a, from := range vms {
		for b, to := range vms {
			if a == b {
				continue
			}
			if err := c.compare(ctx, from, to.PortID, addr(to), web, to.Name); err != nil {
				return c.String(), err
			}
		}
		for name, f := range t.fip {
			if err := c.compare(ctx, from, f.Address.String(), f.Address, web, t.vm[name].Name); err != nil {
				return c.String(), err
			}
		}
		if err := c.compare(ctx, from, lab.Far.String(), lab.Far, web, "outside"); err != nil {
			return c.String(), err
		}
	}
	err := c.unreachable(ctx, t)
	return c.String(), err
}

// unreachable has somebody add a route to a router by hand, which is not of a kind that Weft makes, and so stays.
func (c *tracer) unreachable(ctx context.Context, t *site) error {
	h, from, to := t.network, t.vm["p1c1"], t.vm["p2c2"]
	if t.router.GetDistributed() {
		var err error
		if h, err = c.scope.Lab.Host(from.Host); err != nil {
			return err
		}
	}
	ns := "qrouter-" + t.router.GetMetadata().GetId()
	route := []string{"unreachable", addr(to).String() + "/32"}
	if _, err := h.Exec(ctx, append([]string{"ip", "netns", "exec", ns, "ip", "route", "add"}, route...)...); err != nil {
		return err
	}
	err := c.compare(ctx, from, to.PortID, addr(to), web, to.Name)
	var says *weftv1.TraceResponse
	if err == nil {
		says, err = trace(ctx, c.scope, from.PortID, to.PortID, web)
	}
	if err == nil && (says.GetVerdict() != dropped || says.GetPlace() != ns || says.GetHost() != h.Name) {
		err = fmt.Errorf("an unreachable route in %s of %s: %s", ns, h.Name, wayOf(says))
	}
	_, gone := h.Exec(ctx, append([]string{"ip", "netns", "exec", ns, "ip", "route", "del"}, route...)...)
	return errors.Join(err, gone)
}

// tracedRules traces what rules allow and refuse, and what a port that is down does.
func tracedRules(ctx context.Context, s *cloud.Scope, driver string) (string, error) {
	n, err := s.Network(ctx, "net", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.0.46.0/24")
	if err != nil {
		return "", err
	}
	vlan, err := s.Network(ctx, "vlan", &weftv1.Network{ProviderNetworkType: "vlan", ProviderPhysicalNetwork: lab.PhysicalNetwork, ProviderSegmentationId: 146}, "10.0.47.0/24")
	if err != nil {
		return "", err
	}
	if _, err := s.AddSubnet(ctx, n, "fd00:46::/64"); err != nil {
		return "", err
	}
	server, err := s.SecurityGroup(ctx, "server")
	if err != nil {
		return "", err
	}
	mute, err := s.EmptyGroup(ctx, "mute")
	if err != nil {
		return "", err
	}
	port := uint32(web)
	for _, family := range []string{"IPv4", "IPv6"} {
		if _, err := s.Allow(ctx, server, &weftv1.SecurityGroupRule{Direction: "ingress", Ethertype: family, Protocol: "tcp", PortRangeMin: &port, PortRangeMax: &port}); err != nil {
			return "", err
		}
	}
	var all []cloud.Wanted
	for _, v := range []struct {
		name  string
		net   *cloud.Network
		group *weftv1.SecurityGroup
		host  int
	}{{"server", n, server, 0}, {"near", n, server, 0}, {"far", n, server, 1}, {"mute", n, mute, 1}, {"vserver", vlan, server, 0}, {"vnear", vlan, server, 0}, {"vfar", vlan, server, 1}} {
		all = append(all, cloud.Wanted{Network: v.net, Name: v.name, Host: s.Lab.Hosts[v.host].Name, Port: &weftv1.Port{SecurityGroups: []string{v.group.GetMetadata().GetId()}}})
	}
	made, err := s.VMs(ctx, all)
	if err != nil {
		return "", err
	}
	vm := map[string]*lab.VM{}
	for i, v := range made {
		vm[all[i].Name] = v
		if err := serve(ctx, s, v.Box, web, web+1); err != nil {
			return "", err
		}
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	c := &tracer{scope: s}
	for _, k := range []struct {
		from, to string
		port     uint16
		// at is where the trace must end, if it is dropped.
		at string
	}{
		{"near", "server", web, ""}, {"far", "server", web, ""}, {"server", "far", web, ""}, {"vnear", "vserver", web, ""}, {"vfar", "vserver", web, ""}, {"vserver", "vfar", web, ""},
		{"near", "server", web + 1, "RulesIngress"}, {"far", "server", web + 1, "RulesIngress"}, {"vfar", "vserver", web + 1, "RulesIngress"},
		{"mute", "server", web, "RulesEgress"}, {"near", "mute", web, "RulesIngress"}, {"far", "vserver", web, "port "},
	} {
		for _, a := range vm[k.to].Addresses {
			if k.from == "far" && k.to == "vserver" && a.Addr().Is6() {
				continue
			}
			if err := c.compare(ctx, vm[k.from], a.Addr().String(), a.Addr(), k.port, vm[k.to].Name); err != nil {
				return c.String(), err
			}
			if err := c.endsAt(ctx, vm[k.from], a.Addr(), k.port, k.at, driver); err != nil {
				return c.String(), err
			}
		}
	}
	if err := c.down(ctx, vm); err != nil {
		return c.String(), err
	}
	err = c.byHand(ctx, s.Lab.Hosts[0], vm["vfar"], vm["vserver"])
	return c.String(), err
}

// byHand has somebody drop a network's packets on br-ex of the receiver's host. Rows of others stay there.
func (c *tracer) byHand(ctx context.Context, h *lab.Host, from, to *lab.VM) error {
	const match = "table=0,priority=99,dl_vlan=146"
	if _, err := h.Exec(ctx, "ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br-ex", match+",actions=drop"); err != nil {
		return err
	}
	c.scope.Defer(func(ctx context.Context) error {
		_, err := h.Exec(ctx, "ovs-ofctl", "-O", "OpenFlow13", "--strict", "del-flows", "br-ex", match)
		return err
	})
	if err := c.compare(ctx, from, to.PortID, addr(to), web, to.Name); err != nil {
		return fmt.Errorf("a row by hand: %w", err)
	}
	t, err := trace(ctx, c.scope, from.PortID, to.PortID, web)
	if err != nil {
		return err
	}
	if t.GetHost() != h.Name || !strings.HasPrefix(t.GetPlace(), "br-ex table 0 ") || !strings.Contains(t.GetText(), "priority=99,dl_vlan=146 actions=drop") {
		return fmt.Errorf("a row by hand on br-ex of %s: %s", h.Name, wayOf(t))
	}
	return nil
}

// endsAt fails unless a packet ends where it is to be dropped: in a table of br-int, or at a firewall bridge.
func (c *tracer) endsAt(ctx context.Context, from *lab.VM, to netip.Addr, port uint16, at, driver string) error {
	t, err := trace(ctx, c.scope, from.PortID, to.String(), port)
	switch {
	case err != nil:
		return err
	case (t.GetVerdict() == dropped) != (at != ""):
		return fmt.Errorf("%s, to be dropped: %v: %s", from.Name, at != "", wayOf(t))
	case strings.HasPrefix(at, "Rules") && driver == onBridge:
		at = "qbr"
	}
	if !strings.Contains(t.GetPlace(), at) {
		return fmt.Errorf("from %s to %s: it should end in %s: %s", from.Name, to, at, wayOf(t))
	}
	if strings.HasPrefix(at, "Rules") && !strings.Contains(t.GetText(), "no rule of group") {
		return fmt.Errorf("from %s to %s: nothing is said of rules: %s", from.Name, to, wayOf(t))
	}
	return nil
}

// down sets ports down, and looks where packets end then.
func (c *tracer) down(ctx context.Context, vm map[string]*lab.VM) error {
	set := func(who string, up bool) error {
		_, err := c.scope.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
			Port: &weftv1.Port{Metadata: &weftv1.Metadata{Id: vm[who].PortID}, AdminStateUp: proto.Bool(up)}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"admin_state_up"}}})
		if err != nil {
			return fmt.Errorf("%s up: %v: %w", who, up, err)
		}
		return c.scope.Settle(ctx)
	}
	for _, k := range [][3]string{{"server", "near", "server"}, {"server", "far", "server"}, {"far", "far", "server"}, {"near", "near", "server"}, {"vserver", "vfar", "vserver"}} {
		if err := set(k[0], false); err != nil {
			return err
		}
		to := addr(vm[k[2]])
		if err := c.compare(ctx, vm[k[1]], vm[k[2]].PortID, to, web, vm[k[2]].Name); err != nil {
			return fmt.Errorf("%s is down: %w", k[0], err)
		}
		t, err := trace(ctx, c.scope, vm[k[1]].PortID, vm[k[2]].PortID, web)
		if err != nil {
			return err
		}
		if t.GetVerdict() != dropped || !strings.Contains(t.GetText(), "is set down") {
			return fmt.Errorf("%s is down, and the trace from %s to %s does not say so: %s", k[0], k[1], k[2], wayOf(t))
		}
		if err := set(k[0], true); err != nil {
			return err
		}
	}
	return nil
}
