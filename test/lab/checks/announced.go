package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// announced is how machines come to IPv6 addresses: by router advertisements, and by DHCPv6.
func announced() []Check {
	k := kind{&scene{"announced", buildAnnounced}, "IPv6"}
	return []Check{
		k.check("addresses by SLAAC", bySLAAC),
		k.check("addresses by DHCPv6", byDHCPv6),
		k.check("the rest by DHCPv6", restByDHCPv6),
		k.check("strangers get nothing by DHCPv6", strangers6),
		k.check("advertisements stay on their host", staysHome),
		k.check("a router says nothing it was not told", saysNothing),
		k.check("radvd killed, and the agent", radvdDies),
		k.check("behind firewall bridges", announcedToBridges),
	}
}

// buildAnnounced makes VMs without addresses, one on each of two hosts for each of three networks: made (SLAAC) and told (stateful
// DHCPv6) with a distributed router, rest (stateless DHCPv6) with a centralised one.
func buildAnnounced(ctx context.Context, s *cloud.Scope) (*site, error) {
	t := &site{vm: map[string]*lab.VM{}, fip: map[string]*cloud.FloatingIP{}, scope: s}
	var err error
	if t.before, err = before(ctx, s.Cloud); err != nil {
		return nil, err
	}
	for i, n := range []struct{ name, mode string }{{"made", "slaac"}, {"told", "dhcpv6-stateful"}, {"rest", "dhcpv6-stateless"}} {
		subnet := &weftv1.Subnet{Cidr: fmt.Sprintf("fd00:1%d::/64", i+1), Ipv6RaMode: n.mode, Ipv6AddressMode: n.mode, DnsNameservers: []string{"fd00:53::1"}}
		if t.private[i], err = s.NetworkWith(ctx, n.name, &weftv1.Network{ProviderNetworkType: "vxlan"}, subnet); err != nil {
			return nil, err
		}
		for host := range 2 {
			name := fmt.Sprintf("%s%d", n.name, host+1)
			if t.vm[name], _, err = s.BareVM(ctx, t.private[i], name, s.Lab.Hosts[host].Name, &weftv1.Port{}); err != nil {
				return nil, err
			}
			if err := serve(ctx, s, t.vm[name].Box, web); err != nil {
				return nil, err
			}
		}
	}
	if t.router, err = s.Router(ctx, "distributed", cloud.RouterOf(true, nil, t.private[0], t.private[1])); err != nil {
		return nil, err
	}
	if _, err := s.Router(ctx, "centralised", cloud.RouterOf(false, nil, t.private[2])); err != nil {
		return nil, err
	}
	return t, s.Settle(ctx)
}

// fixedIP is the address that the controller says a VM's port has.
func fixedIP(ctx context.Context, s *cloud.Scope, vm *lab.VM) (netip.Addr, error) {
	p, err := s.Ports.GetPort(ctx, &weftv1.GetPortRequest{Id: vm.PortID})
	if err != nil {
		return netip.Addr{}, err
	}
	if n := len(p.GetFixedIps()); n != 1 {
		return netip.Addr{}, fmt.Errorf("port of %s has %d addresses, not 1", vm.Name, n)
	}
	return netip.ParseAddr(p.GetFixedIps()[0].GetIpAddress())
}

// selfMade has a VM make itself an address, which must be its port's, and hold the network's MTU.
func selfMade(ctx context.Context, s *cloud.Scope, n *cloud.Network, vm *lab.VM) (time.Duration, error) {
	a, took, err := vm.Configured(ctx, true)
	if err != nil {
		return 0, err
	}
	want, err := fixedIP(ctx, s, vm)
	switch {
	case err != nil:
		return 0, err
	case a.Address.Addr() != want:
		return 0, fmt.Errorf("%s made itself %s, and its port has %s", vm.Name, a.Address, want)
	case a.MTU != int(n.GetMtu()):
		return 0, fmt.Errorf("%s has an MTU of %d for IPv6, and the network %d", vm.Name, a.MTU, n.GetMtu())
	}
	return took, nil
}

// bySLAAC: kernels make themselves the addresses that their ports have, and find their router, distributed or not.
func bySLAAC(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	var slowest time.Duration
	for _, name := range []string{"made1", "made2", "rest1", "rest2"} {
		n := t.private[0]
		if strings.HasPrefix(name, "rest") {
			n = t.private[2]
		}
		took, err := selfMade(ctx, s, n, t.vm[name])
		if err != nil {
			return "", err
		}
		slowest = max(slowest, took)
	}
	for _, p := range [][2]string{{"made1", "made2"}, {"made2", "made1"}, {"rest1", "rest2"}} {
		if _, err := mustPing(ctx, t.vm[p[0]].Box, addr(t.vm[p[1]]), lab.Pings{Size: int(t.private[0].GetMtu())}); err != nil {
			return "", err
		}
	}
	// No router leads to the network of the other one.
	if err := mustNotAsk(ctx, t.vm["made1"].Box, at(addr(t.vm["rest1"]))); err != nil {
		return "", err
	}
	return fmt.Sprintf("address, MTU and router at most %s after eth0 came up; both routers, two hosts", ms(slowest)), nil
}

// byDHCPv6: a router says that addresses come by DHCPv6; machines get those of their ports, and reach the network next door by the
// router that they have heard of.
func byDHCPv6(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	var slowest time.Duration
	for _, name := range []string{"told1", "told2"} {
		vm := t.vm[name]
		heard, _, err := vm.Configured(ctx, false)
		if err != nil {
			return "", err
		}
		if heard.Address.IsValid() {
			return "", fmt.Errorf("%s made itself %s on a subnet of stateful DHCPv6", name, heard.Address)
		}
		start := time.Now()
		l, err := vm.Lease6(ctx, "-D", "LL")
		if err != nil {
			return "", err
		}
		slowest = max(slowest, time.Since(start))
		want, err := fixedIP(ctx, s, vm)
		switch {
		case err != nil:
			return "", err
		case l.Address != want:
			return "", fmt.Errorf("%s was given %s, and its port has %s", name, l.Address, want)
		case fmt.Sprint(l.DNS) != "[fd00:53::1]" || !strings.HasPrefix(l.Search, "weft.internal"):
			return "", fmt.Errorf("%s was told of the name servers %v and the domain %q", name, l.DNS, l.Search)
		}
		if err := vm.UseLease6(ctx, l); err != nil {
			return "", err
		}
	}
	told := t.vm["told2"]
	// A machine that was installed anew has another DUID.
	if l, err := told.Lease6(ctx, "-D", "LLT"); err != nil || l.Address != addr(told) {
		return "", errors.Join(fmt.Errorf("with another DUID it was given %s, not %s", l.Address, addr(told)), err)
	}
	for _, name := range []string{"made1", "made2"} {
		if _, err := selfMade(ctx, s, t.private[0], t.vm[name]); err != nil {
			return "", err
		}
		if err := mustAsk(ctx, t.vm[name].Box, at(addr(told)), told.Name, addr(t.vm[name])); err != nil {
			return "", err
		}
	}
	_, err := mustPing(ctx, t.vm["told1"].Box, addr(told), lab.Pings{})
	return fmt.Sprintf("address, DNS and domain after at most %s, also installed anew; same network, and the next by the router", ms(slowest)), err
}

// restByDHCPv6: machines that make their addresses themselves are told the rest.
func restByDHCPv6(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	vm := t.vm["rest1"]
	if _, err := selfMade(ctx, s, t.private[2], vm); err != nil {
		return "", err
	}
	l, err := vm.Lease6(ctx, "-S")
	switch {
	case err != nil:
		return "", err
	case l.Address.IsValid():
		return "", fmt.Errorf("it was given %s, which it did not ask for", l.Address)
	case fmt.Sprint(l.DNS) != "[fd00:53::1]":
		return "", fmt.Errorf("it was told of the name servers %v", l.DNS)
	}
	return "name servers, and no address", nil
}

// strangers6: a machine with a MAC that no port has is told nothing, and one that makes its address itself is given none.
func strangers6(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	vm, _, err := s.BareVM(ctx, t.private[1], "masked", s.Lab.Hosts[0].Name, &weftv1.Port{PortSecurityEnabled: proto.Bool(false)})
	if err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	// Both times it has its link-local address at once, and so asks.
	if err := vm.Solicit(ctx); err != nil {
		return "", err
	}
	if _, err := vm.Lease6(ctx, "-D", "LL"); err != nil {
		return "", fmt.Errorf("by its own MAC: %w", err)
	}
	if _, err := vm.Box.Exec(ctx, "sh", "-c", "ip link set dev eth0 down && ip link set dev eth0 address fa:16:3e:66:66:66"); err != nil {
		return "", err
	}
	if err := vm.Solicit(ctx); err != nil {
		return "", err
	}
	var g errgroup.Group
	for who, vm := range map[string]*lab.VM{"a foreign MAC": vm, "a machine of a stateless subnet": t.vm["rest2"]} {
		g.Go(func() error {
			if l, err := vm.Lease6(ctx, "-D", "LL"); err == nil {
				return fmt.Errorf("%s was given %v", who, l)
			}
			return nil
		})
	}
	return "a foreign MAC, and a machine that makes its address itself: nothing", g.Wait()
}

// staysHome: each host has a copy of a distributed router, and machines must hear none but their own.
func staysHome(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	var sniffs []*lab.Sniff
	for _, h := range s.Lab.Hosts {
		sniff, err := s.Lab.StartSniff(ctx, h.Box, "eth1")
		if err != nil {
			return "", err
		}
		sniffs = append(sniffs, sniff)
	}
	routers := map[string]netip.Addr{}
	var asking error
	for _, name := range []string{"made1", "made2", "rest1"} {
		a, _, err := t.vm[name].Configured(ctx, true)
		asking = errors.Join(asking, err)
		routers[name] = a.Router
	}
	distributed, centralised := 0, 0
	for _, sniff := range sniffs {
		seen, err := sniff.Stop(context.WithoutCancel(ctx))
		if err != nil {
			return "", err
		}
		distributed += seen.Tunneled.Advertisements[routers["made1"].String()]
		centralised += seen.Tunneled.Advertisements[routers["rest1"].String()]
	}
	switch {
	case asking != nil:
		return "", asking
	case routers["made1"] != routers["made2"]:
		return "", fmt.Errorf("made1 has the router %s, and made2 %s", routers["made1"], routers["made2"])
	case distributed != 0:
		return "", fmt.Errorf("%d advertisements of the distributed router left their hosts", distributed)
	case centralised == 0:
		return "", errors.New("none of the centralised router left its host: nothing was counted")
	}
	return fmt.Sprintf("0 of the distributed router left a host, %d of the centralised one, which is for all", centralised), nil
}

// advertisementsHeard counts those that a VM's kernel took while something was done.
func advertisementsHeard(ctx context.Context, vm *lab.VM, do func() error) (int, error) {
	count := func() (n int, err error) {
		text, err := vm.Box.Exec(ctx, "cat", "/proc/net/snmp6")
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "Icmp6InRouterAdvertisements" {
				_, err := fmt.Sscan(f[1], &n)
				return n, err
			}
		}
		return 0, errors.New("the kernel counts no advertisements")
	}
	before, err := count()
	if err == nil {
		err = do()
	}
	if err != nil {
		return 0, err
	}
	after, err := count()
	return after - before, err
}

// saysNothing: on a network whose subnet has no ipv6_ra_mode machines hear no router.
func saysNothing(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	n, err := s.Network(ctx, "quiet", &weftv1.Network{ProviderNetworkType: "vxlan"}, "fd00:19::/64")
	if err != nil {
		return "", err
	}
	vm, _, err := s.BareVM(ctx, n, "quiet", s.Lab.Hosts[0].Name, &weftv1.Port{})
	if err != nil {
		return "", err
	}
	if err := s.AddInterface(ctx, t.router, n.SubnetID()); err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	// Who is told hears it within this time.
	if _, err := selfMade(ctx, s, t.private[0], t.vm["made1"]); err != nil {
		return "", err
	}
	heard, err := advertisementsHeard(ctx, vm, func() error {
		if err := vm.Solicit(ctx); err != nil {
			return err
		}
		_, err := selfMade(ctx, s, t.private[0], t.vm["made1"])
		return err
	})
	if err != nil {
		return "", err
	}
	if heard != 0 {
		return "", fmt.Errorf("a machine heard %d advertisements on a subnet without ipv6_ra_mode", heard)
	}
	return "0 advertisements on a subnet without ipv6_ra_mode, while the same router answered next door", nil
}

// advertisers are the radvds of a router: host and process id.
func advertisers(ctx context.Context, s *cloud.Scope, router *weftv1.Router) (map[string]int, error) {
	return daemons(ctx, s, "radvd", router.GetMetadata().GetId())
}

// radvdDies kills the radvds of a router, which come back; and an agent, whose successor takes them up.
func radvdDies(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	before, err := advertisers(ctx, s, t.router)
	if err != nil {
		return "", err
	}
	if len(before) < 2 {
		return "", fmt.Errorf("radvd runs on %v, not on both hosts with machines", before)
	}
	took, err := succeeded(ctx, s, before, func() (map[string]int, error) { return advertisers(ctx, s, t.router) })
	if err != nil {
		return "", err
	}
	if _, err := selfMade(ctx, s, t.private[0], t.vm["made1"]); err != nil {
		return "", err
	}
	now, err := advertisers(ctx, s, t.router)
	if err != nil {
		return "", err
	}
	h := s.Lab.Hosts[0]
	if err := h.KillAgent(ctx); err != nil {
		return "", err
	}
	if _, err := selfMade(ctx, s, t.private[0], t.vm["made1"]); err != nil {
		return "", fmt.Errorf("without an agent: %w", err)
	}
	if err := h.StartAgent(ctx); err != nil {
		return "", err
	}
	if err := s.WaitReady(ctx); err != nil {
		return "", err
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	after, err := advertisers(ctx, s, t.router)
	if err != nil {
		return "", err
	}
	if after[h.Name] != now[h.Name] {
		return "", fmt.Errorf("the new agent started radvd again: process %d, before %d", after[h.Name], now[h.Name])
	}
	return fmt.Sprintf("back after %s; answers without an agent; the next one takes it up", ms(took)), nil
}

// announcedToBridges: the same where iptables judges.
func announcedToBridges(ctx context.Context, s *cloud.Scope, t *site) (string, error) {
	if err := bridge(ctx, s); err != nil {
		return "", err
	}
	for _, vm := range []*lab.VM{t.vm["made1"], t.vm["told1"]} {
		if err := behindBridge(ctx, s.Lab.Hosts[0], vm); err != nil {
			return "", err
		}
	}
	var said []string
	for _, look := range []func(context.Context, *cloud.Scope, *site) (string, error){bySLAAC, byDHCPv6} {
		text, err := look(ctx, s, t)
		if err != nil {
			return "", err
		}
		said = append(said, text)
	}
	return strings.Join(said, "; "), nil
}
