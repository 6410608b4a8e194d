package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// eastWest goes between VMs of two tunnelled networks on two hosts. With a distributed router nothing of it comes to the
// network host, and the shared MAC of the gateway never is on the wire.
func eastWest(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	// A switch that has just been started knows nobody, and floods.
	if _, err := allPing(ctx, t.vm["p1c1"], t.vm["p2c2"], t.vm["p2c1"], t.vm["p1c2"]); err != nil {
		return "", err
	}
	var took time.Duration
	var tcp string
	seen, routed, err := t.watched(ctx, s, "eth1", func() (err error) {
		if took, err = allPing(ctx, t.vm["p1c1"], t.vm["p2c2"], t.vm["p2c1"], t.vm["p1c2"]); err != nil {
			return err
		}
		tcp, err = transfer(ctx, t.vm["p1c1"], t.vm["p2c2"])
		return err
	})
	if err != nil {
		return "", err
	}
	for _, to := range []*lab.VM{t.vm["p1c1"], t.vm["p2c1"]} {
		if err := mustNotPing(ctx, t.apart.Box, addr(to)); err != nil {
			return "", err
		}
	}
	measured := fmt.Sprintf("ping %s, %s; %s forwarded %d packets, heard %d", ms(took), tcp, t.network.Name, routed, seen.Tunneled.UnicastIPv4)
	if err := t.shortest(routed, seen.Tunneled.UnicastIPv4); err != nil {
		return measured, fmt.Errorf("%w: %v", err, seen.Tunneled.Samples)
	}
	return measured, nil
}

// eastWestVLAN goes between a tunnelled network and one of the physical network. Frames on a VLAN may be flooded by the
// physical switches, so that only what the network host forwards is counted.
func eastWestVLAN(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	var took time.Duration
	var tcp string
	_, routed, err := t.watched(ctx, s, "eth2", func() (err error) {
		if took, err = allPing(ctx, t.vm["p1c1"], t.vm["p3c2"], t.vm["p3c1"]); err != nil {
			return err
		}
		tcp, err = transfer(ctx, t.vm["p1c1"], t.vm["p3c2"])
		return err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("ping %s, %s; %s forwarded %d packets", ms(took), tcp, t.network.Name, routed), t.shortest(routed, int(routed))
}

// shortest fails when traffic of a distributed router came by the network host, or that of a centralised one did not.
func (t *site) shortest(routed uint64, heard int) error {
	switch {
	case t.router.GetDistributed() && (routed > 0 || heard > 0):
		return fmt.Errorf("traffic between subnets came to the network host, which forwarded %d packets and heard %d", routed, heard)
	case !t.router.GetDistributed() && (routed == 0 || heard == 0):
		return errors.New("nothing came to the network host: nothing was measured")
	}
	return nil
}

// watched counts what comes to the network host by a device, and what the router forwards there, while something is done.
// It fails when a frame leaves a compute host by the device with the MAC of a distributed gateway.
func (t *site) watched(ctx context.Context, s *cloud.Scope, device string, do func() error) (into lab.Sniffed, routed uint64, err error) {
	network, err := s.Lab.StartSniffInto(ctx, t.network, device)
	if err != nil {
		return into, 0, err
	}
	sniffs := []*lab.Sniff{network}
	for _, h := range s.Lab.Hosts[:2] {
		sniff, err := s.Lab.StartSniff(ctx, h.Box, device)
		if err != nil {
			return into, 0, err
		}
		sniffs = append(sniffs, sniff)
	}
	routed, err = during(ctx, t.network, t.router, do)
	var seen []lab.Sniffed
	for _, sniff := range sniffs {
		got, stopErr := sniff.Stop(context.WithoutCancel(ctx))
		err = errors.Join(err, stopErr)
		seen = append(seen, got)
	}
	if err != nil {
		return into, 0, err
	}
	macs, err := t.gatewayMACs(ctx, s)
	if err != nil {
		return into, 0, err
	}
	for i, got := range seen[1:] {
		for mac := range macs {
			if n := got.Plain.Sources[mac] + got.Tunneled.Sources[mac]; n > 0 && t.router.GetDistributed() {
				return into, 0, fmt.Errorf("%d frames left %s with the gateway's MAC %s", n, s.Lab.Hosts[i].Name, mac)
			}
		}
	}
	return seen[0], routed, nil
}

// gatewayMACs are the MACs of the router's interfaces.
func (t *site) gatewayMACs(ctx context.Context, s *cloud.Scope) (map[string]bool, error) {
	macs := map[string]bool{}
	for _, i := range t.router.GetInterfaces() {
		p, err := s.Ports.GetPort(ctx, &weftv1.GetPortRequest{Id: i.GetPortId()})
		if err != nil {
			return nil, err
		}
		macs[p.GetMacAddress()] = true
	}
	return macs, nil
}

// mayUse lets a VM's port use a block of addresses besides its own, as long as the scope lives.
func mayUse(ctx context.Context, s *cloud.Scope, vm *lab.VM, block string) error {
	set := func(ctx context.Context, pairs ...*weftv1.AddressPair) error {
		_, err := s.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
			Port:       &weftv1.Port{Metadata: &weftv1.Metadata{Id: vm.PortID}, AllowedAddressPairs: pairs},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"allowed_address_pairs"}}})
		return err
	}
	s.Defer(func(ctx context.Context) error { return set(ctx) })
	return set(ctx, &weftv1.AddressPair{IpAddress: block})
}

// extraRoutes leads to a block behind two VMs of two hosts: by one of them, and by both.
func extraRoutes(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	const block = "192.168.77.0/24"
	behind := netip.MustParseAddr("192.168.77.1")
	hops := []*lab.VM{t.vm["p1c1"], t.vm["p1c2"]}
	route := func(vms ...*lab.VM) error {
		r := &weftv1.Router{Metadata: &weftv1.Metadata{Id: t.router.GetMetadata().GetId()}}
		for _, vm := range vms {
			r.Routes = append(r.Routes, &weftv1.Route{Destination: block, Nexthop: addr(vm).String()})
		}
		if _, err := s.UpdateRouter(ctx, r, "routes"); err != nil {
			return fmt.Errorf("set extra routes: %w", err)
		}
		return s.Settle(ctx)
	}
	for _, vm := range hops {
		// What is behind a VM is not its own: a judged port may send from it when that is said.
		if err := mayUse(ctx, s, vm, block); err != nil {
			return "", err
		}
		if _, err := vm.Box.Exec(ctx, "ip", "route", "add", "local", block, "dev", "lo"); err != nil {
			return "", err
		}
		s.Defer(func(ctx context.Context) error {
			_, err := vm.Box.Exec(ctx, "ip", "route", "del", "local", block, "dev", "lo")
			return err
		})
	}
	if err := mustNotPing(ctx, t.vm["p2c2"].Box, behind); err != nil {
		return "", fmt.Errorf("without a route: %w", err)
	}
	s.Defer(func(context.Context) error { return route() })
	if err := route(hops[0]); err != nil {
		return "", err
	}
	for _, from := range []string{"p2c1", "p2c2", "p3c2"} {
		if err := mustAsk(ctx, t.vm[from].Box, at(behind), hops[0].Name, addr(t.vm[from])); err != nil {
			return "", err
		}
	}
	if err := route(hops...); err != nil {
		return "", err
	}
	// Linux chooses by source and destination: many destinations, so that both are chosen.
	answered := map[string]int{}
	for n := 0; n < 32 && len(answered) < 2; n++ {
		g, err := lab.Ask(ctx, t.vm["p2c2"].Box, "tcp", at(behind))
		if err != nil {
			return "", fmt.Errorf("by two next hops: %w", err)
		}
		answered[g.Server]++
		behind = behind.Next()
	}
	if len(answered) != 2 {
		return "", fmt.Errorf("32 destinations by two next hops: all by %v", answered)
	}
	return fmt.Sprintf("by one next hop; by two: %v", answered), nil
}

// twoKinds puts a router of the other kind into a subnet of the site's, and a network behind it.
func twoKinds(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	behind, err := s.Network(ctx, "behind", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.0.5.0/24")
	if err != nil {
		return "", err
	}
	other, err := s.PortWith(ctx, t.private[0], "other-gw", &weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: "10.0.1.254"}}})
	if err != nil {
		return "", err
	}
	want := cloud.RouterOf(!t.router.GetDistributed(), nil, behind)
	want.Interfaces = append(want.Interfaces, &weftv1.RouterInterface{PortId: other.GetMetadata().GetId()})
	if _, err := s.Router(ctx, "other", want); err != nil {
		return "", err
	}
	vms, err := pair(ctx, s, behind, "behind", 0, 1)
	if err != nil {
		return "", err
	}
	for _, vm := range vms {
		if err := serve(ctx, s, vm.Box, web); err != nil {
			return "", err
		}
	}
	// To the network behind by the second router; everywhere else by the first, as before.
	for _, name := range []string{"p1c1", "p1c2"} {
		box := t.vm[name].Box
		if _, err := box.Exec(ctx, "ip", "route", "add", "10.0.5.0/24", "via", "10.0.1.254"); err != nil {
			return "", err
		}
		s.Defer(func(ctx context.Context) error {
			_, err := box.Exec(ctx, "ip", "route", "del", "10.0.5.0/24")
			return err
		})
	}
	for _, name := range []string{"p1c1", "p1c2"} {
		for _, vm := range vms {
			if err := mustAsk(ctx, t.vm[name].Box, at(addr(vm)), vm.Name, addr(t.vm[name])); err != nil {
				return "", err
			}
			if err := mustAsk(ctx, vm.Box, at(addr(t.vm[name])), t.vm[name].Name, addr(vm)); err != nil {
				return "", err
			}
		}
		for _, to := range []string{"p2c1", "p2c2"} {
			if err := mustAsk(ctx, t.vm[name].Box, at(addr(t.vm[to])), t.vm[to].Name, addr(t.vm[name])); err != nil {
				return "", err
			}
		}
	}
	// The second router knows no way to private2.
	if err := mustNotPing(ctx, vms[0].Box, addr(t.vm["p2c1"])); err != nil {
		return "", err
	}
	return fmt.Sprintf("private1 by both, private2 by the %s one only", kindWord(t.router.GetDistributed())), nil
}

// tenant is a network with a router of its own, all made in one transaction.
type tenant struct {
	network *cloud.Network
	router  *weftv1.Router
	gateway netip.Addr
	vms     []*lab.VM
}

// addTenant makes network, subnet, interface and gateway together, with a router as it is wanted: they come to the hosts at one
// moment.
func addTenant(ctx context.Context, s *cloud.Scope, name, cidr string, want *weftv1.Router, hosts ...int) (*tenant, error) {
	network, subnet, router := s.Prefix+name, s.Prefix+name+"-v4", s.Prefix+name+"-router"
	s.Defer(func(ctx context.Context) error { return s.DeleteNetwork(ctx, network) })
	s.Defer(func(ctx context.Context) error { return s.DeleteRouter(ctx, router) })
	want.Metadata = &weftv1.Metadata{Name: router}
	want.Interfaces = []*weftv1.RouterInterface{{SubnetId: subnet}}
	if _, err := s.Weft.Apply(ctx, &weftv1.ApplyRequest{Objects: []*weftv1.Object{
		{Object: &weftv1.Object_Router{Router: want}},
		{Object: &weftv1.Object_Subnet{Subnet: &weftv1.Subnet{
			Metadata: &weftv1.Metadata{Name: subnet}, NetworkId: network, Cidr: cidr, EnableDhcp: proto.Bool(false),
		}}},
		{Object: &weftv1.Object_Network{Network: &weftv1.Network{Metadata: &weftv1.Metadata{Name: network}, ProviderNetworkType: "vxlan"}}},
	}}); err != nil {
		return nil, fmt.Errorf("apply tenant %s: %w", name, err)
	}
	t := &tenant{network: &cloud.Network{CIDR: netip.MustParsePrefix(cidr)}}
	var err error
	if t.network.Network, err = s.Networks.GetNetwork(ctx, &weftv1.GetNetworkRequest{Id: network}); err != nil {
		return nil, err
	}
	if t.network.Subnet, err = s.Subnets.GetSubnet(ctx, &weftv1.GetSubnetRequest{Id: subnet}); err != nil {
		return nil, err
	}
	if t.router, err = s.Routers.GetRouter(ctx, &weftv1.GetRouterRequest{Id: router}); err != nil {
		return nil, err
	}
	if t.gateway, err = cloud.GatewayAddress(t.router); err != nil {
		return nil, err
	}
	if t.vms, err = pair(ctx, s, t.network, name, hosts...); err != nil {
		return nil, err
	}
	for _, vm := range t.vms {
		if err := serve(ctx, s, vm.Box, web); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// behindOne has a second tenant with the same addresses behind the same external network.
func behindOne(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	other, err := addTenant(ctx, s, "double", "10.0.1.0/24", cloud.RouterOf(t.router.GetDistributed(), t.ext), 0, 1)
	if err != nil {
		return "", err
	}
	f, err := s.FloatingIP(ctx, t.ext, other.vms[0].PortID)
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	mine, double := t.vm["p1c1"], other.vms[0]
	if addr(mine) != addr(double) {
		return "", fmt.Errorf("addresses do not overlap: %s and %s", addr(mine), addr(double))
	}
	for _, ask := range []struct {
		from   *nsbox.Box
		to     netip.Addr
		server string
		seen   netip.Addr
	}{
		{s.Lab.Outside, t.fip["p1c1"].Address, mine.Name, t.ext.Gateway()},
		{s.Lab.Outside, f.Address, double.Name, t.ext.Gateway()},
		{mine.Box, lab.Far, "outside", t.fip["p1c1"].Address},
		{double.Box, lab.Far, "outside", f.Address},
		{t.vm["p1c2"].Box, lab.Far, "outside", t.gateway},
		// Interface and gateway came in one transaction.
		{other.vms[1].Box, lab.Far, "outside", other.gateway},
		// From tenant to tenant only by what the world sees.
		{mine.Box, f.Address, double.Name, t.fip["p1c1"].Address},
	} {
		if err := mustAsk(ctx, ask.from, at(ask.to), ask.server, ask.seen); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s twice, outside as %s and %s", addr(mine), t.fip["p1c1"].Address, f.Address), nil
}

// twoExternal has a second external network with a router and floating IPs of its own on the same hosts.
func twoExternal(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	ext, err := s.External(ctx, "ext2", "192.0.2.0/24", 112)
	if err != nil {
		return "", err
	}
	other, err := addTenant(ctx, s, "second", "10.0.6.0/24", cloud.RouterOf(t.router.GetDistributed(), ext), 0, 1)
	if err != nil {
		return "", err
	}
	f, err := s.FloatingIP(ctx, ext, other.vms[0].PortID)
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	for _, ask := range []struct {
		from   *nsbox.Box
		to     netip.Addr
		server string
		seen   netip.Addr
	}{
		{s.Lab.Outside, f.Address, other.vms[0].Name, ext.Gateway()},
		{s.Lab.Outside, t.fip["p1c1"].Address, t.vm["p1c1"].Name, t.ext.Gateway()},
		{other.vms[0].Box, lab.Far, "outside", f.Address},
		{other.vms[1].Box, lab.Far, "outside", other.gateway},
		{t.vm["p1c1"].Box, lab.Far, "outside", t.fip["p1c1"].Address},
		{t.vm["p1c2"].Box, lab.Far, "outside", t.gateway},
	} {
		if err := mustAsk(ctx, ask.from, at(ask.to), ask.server, ask.seen); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("outside as %s and %s", f.Address, t.fip["p1c1"].Address), nil
}

// inARow has a router of the same kind and without a gateway behind the site's: its network reaches the world by both.
func inARow(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	behind, err := s.Network(ctx, "row", &weftv1.Network{ProviderNetworkType: "vxlan"}, "10.0.7.0/24")
	if err != nil {
		return "", err
	}
	uplink, err := s.PortWith(ctx, t.private[0], "row-up", &weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: "10.0.1.253"}}})
	if err != nil {
		return "", err
	}
	want := cloud.RouterOf(t.router.GetDistributed(), nil, behind)
	want.Interfaces = append(want.Interfaces, &weftv1.RouterInterface{PortId: uplink.GetMetadata().GetId()})
	want.Routes = []*weftv1.Route{{Destination: "0.0.0.0/0", Nexthop: t.private[0].Gateway().String()}}
	if _, err := s.Router(ctx, "row", want); err != nil {
		return "", err
	}
	back := func(routes ...*weftv1.Route) error {
		_, err := s.UpdateRouter(ctx, &weftv1.Router{Metadata: &weftv1.Metadata{Id: t.router.GetMetadata().GetId()}, Routes: routes}, "routes")
		return err
	}
	if err := back(&weftv1.Route{Destination: "10.0.7.0/24", Nexthop: "10.0.1.253"}); err != nil {
		return "", fmt.Errorf("route back: %w", err)
	}
	s.Defer(func(context.Context) error { return back() })
	vms, err := pair(ctx, s, behind, "row", 0, 1)
	if err != nil {
		return "", err
	}
	for _, vm := range vms {
		if err := serve(ctx, s, vm.Box, web); err != nil {
			return "", err
		}
		for _, name := range []string{"p2c1", "p2c2"} {
			if err := mustAsk(ctx, vm.Box, at(addr(t.vm[name])), t.vm[name].Name, addr(vm)); err != nil {
				return "", err
			}
			if err := mustAsk(ctx, t.vm[name].Box, at(addr(vm)), vm.Name, addr(t.vm[name])); err != nil {
				return "", err
			}
		}
		if err := mustAsk(ctx, vm.Box, at(lab.Far), "outside", t.gateway); err != nil {
			return "", err
		}
	}
	return "both ways through both, and to the world", nil
}
