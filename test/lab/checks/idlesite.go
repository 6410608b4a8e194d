package checks

import (
	"context"
	"fmt"
	"net/netip"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// idleSite is a host with servers that may begin nothing, and callers with whom nobody may begin anything, and others that nobody
// judges.
//
//	world ── public ── router ─┬─ inner    a server and a caller on the first host, each with a floating IP; a peer on the second
//	                           └─ routed   a server on the first host, a peer on the second
//	tagged, a provider VLAN: a server and a caller on the first host, a peer on the second
//
// All have two addresses of each family, so that protocols without ports can have two connections between the same machines.
type idleSite struct {
	scope  *cloud.Scope
	public *cloud.Network
	rules  []*weftv1.SecurityGroupRule
	vm     map[string]*lab.VM
	fip    map[string]netip.Addr
}

// idlePorts are the first and the last port where lines may be opened.
var idlePorts = [2]uint16{20000, 20999}

func buildIdle(ctx context.Context, s *cloud.Scope) (*idleSite, error) {
	t := &idleSite{scope: s, vm: map[string]*lab.VM{}, fip: map[string]netip.Addr{}}
	networks, err := t.networks(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := t.groups(ctx)
	if err != nil {
		return nil, err
	}
	var all []cloud.Wanted
	for _, v := range []struct {
		network, name, group string
	}{
		{"inner", "server", "server"}, {"inner", "caller", "caller"}, {"inner", "peer", ""},
		{"tagged", "tagged-server", "server"}, {"tagged", "tagged-caller", "caller"}, {"tagged", "tagged-peer", ""},
		{"routed", "routed-server", "server"}, {"routed", "routed-peer", ""},
	} {
		host, want := s.Lab.Hosts[0], &weftv1.Port{}
		if v.group == "" {
			host, want.PortSecurityEnabled = s.Lab.Hosts[1], proto.Bool(false)
		} else {
			want.SecurityGroups = []string{groups[v.group].GetMetadata().GetId()}
		}
		// Neither gateways nor others: each machine has a number of its own.
		for second := range 2 {
			for _, a := range idleAddresses(networks[v.network], byte(0x20+2*len(all)+second)) {
				want.FixedIps = append(want.FixedIps, &weftv1.FixedIP{IpAddress: a.String()})
			}
		}
		all = append(all, cloud.Wanted{Network: networks[v.network], Name: v.name, Host: host.Name, Port: want})
	}
	vms, err := s.VMs(ctx, all)
	if err != nil {
		return nil, err
	}
	var g errgroup.Group
	for i, vm := range vms {
		t.vm[all[i].Name] = vm
		gateway := idleAddresses(all[i].Network, 1)[1]
		g.Go(func() error {
			// What a machine takes to belong to no connection it drops: so do many firewalls. Questions of echo are for the lines.
			_, err := vm.Box.Exec(ctx, "sh", "-ec", `for t in iptables ip6tables; do $t -w -A INPUT -m conntrack --ctstate INVALID -j DROP; done
ip -6 route add default via `+gateway.String()+"\n"+echoes("1"))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.Lab.Outside.Exec(ctx, "sh", "-ec", echoes("0"))
		return err
	})
	if _, err := s.Lab.Outside.Exec(ctx, "sh", "-ec", echoes("1")); err != nil {
		return nil, err
	}
	for _, name := range []string{"server", "caller"} {
		f, err := s.FloatingIPWith(ctx, &weftv1.FloatingIP{FloatingNetworkId: t.public.ID(), PortId: t.vm[name].PortID, FixedIpAddress: t.address(name, 0, false).String()})
		if err != nil {
			return nil, err
		}
		t.fip[name] = f.Address
	}
	return t, s.Settle(ctx)
}

// echoes says whether a machine's own kernel leaves questions of echo unanswered.
func echoes(ignored string) string {
	return "for f in ipv4/icmp_echo_ignore_all ipv6/icmp/echo_ignore_all; do echo " + ignored + " >/proc/sys/net/$f; done"
}

// idleAddresses are the addresses with a number on a network of the site, of IPv4 and of IPv6.
func idleAddresses(n *cloud.Network, number byte) [2]netip.Addr {
	v4 := n.At(number)
	v6 := netip.MustParseAddr("fd00:12::").As16()
	v6[5], v6[15] = v4.As4()[2], number
	return [2]netip.Addr{v4, netip.AddrFrom16(v6)}
}

func (t *idleSite) networks(ctx context.Context) (map[string]*cloud.Network, error) {
	s := t.scope
	var err error
	if t.public, err = s.External(ctx, "public", "172.24.12.0/24", 0); err != nil {
		return nil, err
	}
	all, sixes := map[string]*cloud.Network{}, map[string]string{}
	for i, n := range []struct {
		name string
		want *weftv1.Network
	}{
		{"inner", &weftv1.Network{ProviderNetworkType: "vxlan"}},
		{"routed", &weftv1.Network{ProviderNetworkType: "vxlan"}},
		{"tagged", &weftv1.Network{ProviderNetworkType: "vlan", ProviderPhysicalNetwork: lab.PhysicalNetwork, ProviderSegmentationId: 120}},
	} {
		if all[n.name], err = s.Network(ctx, n.name, n.want, fmt.Sprintf("10.12.%d.0/24", i+1)); err != nil {
			return nil, err
		}
		six, err := s.AddSubnet(ctx, all[n.name], netip.PrefixFrom(idleAddresses(all[n.name], 0)[1], 64).String())
		if err != nil {
			return nil, err
		}
		sixes[n.name] = six.GetMetadata().GetId()
	}
	router, err := s.Router(ctx, "router", cloud.RouterOf(true, t.public, all["inner"], all["routed"]))
	for _, name := range []string{"inner", "routed"} {
		if err == nil {
			err = s.AddInterface(ctx, router, sixes[name])
		}
	}
	return all, err
}

// groups makes those of servers and of callers.
func (t *idleSite) groups(ctx context.Context) (map[string]*weftv1.SecurityGroup, error) {
	first, last := uint32(idlePorts[0]), uint32(idlePorts[1])
	all := map[string]*weftv1.SecurityGroup{}
	for name, direction := range map[string]string{"server": "ingress", "caller": "egress"} {
		g, err := t.scope.EmptyGroup(ctx, name)
		if err != nil {
			return nil, err
		}
		all[name] = g
		for family, icmp := range map[string]string{"IPv4": "icmp", "IPv6": "ipv6-icmp"} {
			for _, r := range []*weftv1.SecurityGroupRule{
				{Protocol: "tcp", PortRangeMin: &first, PortRangeMax: &last}, {Protocol: "udp", PortRangeMin: &first, PortRangeMax: &last},
				{Protocol: "sctp", PortRangeMin: proto.Uint32(lab.AssociationPort), PortRangeMax: proto.Uint32(lab.AssociationPort)}, {Protocol: fmt.Sprint(gre)}, {Protocol: icmp},
			} {
				r.Direction, r.Ethertype = direction, family
				made, err := t.scope.Allow(ctx, g, r)
				if err != nil {
					return nil, err
				}
				t.rules = append(t.rules, made)
			}
		}
	}
	return all, nil
}

// address is the first or second one of a machine.
func (t *idleSite) address(vm string, second int, six bool) netip.Addr {
	for _, a := range t.vm[vm].Addresses {
		if a.Addr().Is6() == six {
			if second == 0 {
				return a.Addr()
			}
			second--
		}
	}
	return netip.Addr{}
}

// ways are those that go by the first or by the second addresses: to servers on the host and from callers on it, by all paths.
func (t *idleSite) ways(second int) []lab.Way {
	var all []lab.Way
	for _, w := range []struct{ name, from, to string }{
		{"same host", "caller", "server"},
		{"same host, routed", "caller", "routed-server"},
		{"tunnel", "peer", "server"},
		{"tunnel", "caller", "peer"},
		{"provider VLAN", "tagged-peer", "tagged-server"},
		{"provider VLAN", "tagged-caller", "tagged-peer"},
		{"tunnel, routed", "routed-peer", "server"},
		{"tunnel, routed", "caller", "routed-peer"},
	} {
		for _, six := range []bool{false, true} {
			all = append(all, lab.Way{Name: w.name, From: t.vm[w.from].Box, To: t.vm[w.to].Box, Source: t.address(w.from, second, six), Called: t.address(w.to, second, six)})
		}
	}
	// A floating IP is one address of a machine; the world has two.
	world := []netip.Addr{t.public.Gateway(), lab.Far}[second]
	outside := t.scope.Lab.Outside
	return append(all,
		lab.Way{Name: "floating IP", From: outside, To: t.vm["server"].Box, Source: world, Called: t.fip["server"], Own: t.address("server", 0, false)},
		lab.Way{Name: "floating IP", From: t.vm["caller"].Box, To: outside, Source: t.address("caller", 0, false), Called: world})
}
